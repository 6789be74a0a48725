// How a metadata text is taken apart and put together: typed fields, ranges, and the checksum that ends every
// file (metadata_json.h). For .cc files only, of the metadata library and of others that take JSON apart
// (interop/oxifaster_metadata.cc): JSON types cross no border.
//
// A record type M joins by two functions in namespace faster, found by its argument: `MaybeProblem
// Check(const M&)` and `void Take(const Json&, MaybeProblem*, M*)`. Pure functions; thread-safe.
#pragma once

#include <algorithm>
#include <exception>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "faster/cpr/metadata_json.h"

namespace faster {

using Json = nlohmann::ordered_json;

// What is wrong with a record: the JSON field to blame, and the two halves of a diagnosis.
struct Problem {
  const char* field;
  std::string expected;
  std::string found;
};
using MaybeProblem = std::optional<Problem>;

inline bool IsPowerOfTwo(uint64_t n) { return n != 0 && (n & (n - 1)) == 0; }

inline MaybeProblem OutOfRange(const char* field, uint64_t value, uint64_t low, uint64_t high) {
  if (value >= low && value <= high) return std::nullopt;
  return Problem{field, "a number from " + std::to_string(low) + " to " + std::to_string(high),
                 std::to_string(value)};
}

inline MaybeProblem NotPowerOfTwo(const char* field, uint64_t value, uint64_t low, uint64_t high) {
  if (value >= low && value <= high && IsPowerOfTwo(value)) return std::nullopt;
  return Problem{field, "a power of two from " + std::to_string(low) + " to " + std::to_string(high),
                 std::to_string(value)};
}

// `low` <= `high` must hold, and both be addresses; `field` is the one to blame.
inline MaybeProblem Misordered(const char* field, const char* low_name, LogAddress low, LogAddress high) {
  if (high >= kAddressLimit) return Problem{field, "an address below 2^48", std::to_string(high)};
  if (low <= high) return std::nullopt;
  return Problem{field, "at least " + std::string(low_name) + " " + std::to_string(low),
                 std::to_string(high)};
}

constexpr uint64_t kMaxBuckets = 1ull << 42;  // 2^48 bytes of 64-byte buckets
constexpr uint64_t kMaxVersion = (1ull << 63) - 1;

template <typename Metadata>
Status Validate(const Metadata& metadata, Diagnosis* why) {
  MaybeProblem problem = Check(metadata);
  if (!problem) return Status::kOk;
  *why = Diagnosis{"", 0, std::string(problem->field) + " to be " + problem->expected, problem->found};
  return Status::kInvalidArgument;
}

// --- writing ---

// The checksum field's fixed frame around its 16 digits: the last bytes of every metadata file.
constexpr std::string_view kSealHead = ",\n  \"checksum\": \"";
constexpr std::string_view kSealTail = "\"\n}\n";
constexpr size_t kDigits = 16;
constexpr size_t kSealBytes = kSealHead.size() + kDigits + kSealTail.size();

inline std::string Seal(const Json& object) {
  std::string text = object.dump(2);
  text.resize(text.size() - 2);  // without its closing "\n}"
  const uint64_t sum = Checksum(text.data(), text.size());
  text.append(kSealHead).append(HexWord(sum)).append(kSealTail);
  return text;
}

// --- reading ---

inline bool ParseHexWord(std::string_view digits, uint64_t* word) {
  if (digits.size() != kDigits) return false;
  uint64_t value = 0;
  for (const char c : digits) {
    if (c >= '0' && c <= '9')
      value = value << 4 | static_cast<uint64_t>(c - '0');
    else if (c >= 'a' && c <= 'f')
      value = value << 4 | static_cast<uint64_t>(c - 'a' + 10);
    else
      return false;
  }
  *word = value;
  return true;
}

// Bytes of a foreign file must not reach a terminal as they are.
inline std::string Printable(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes.substr(0, 40)) text += c >= ' ' && c <= '~' ? c : '.';
  return text + "\"";
}

inline Status CheckSeal(std::string_view text, std::string_view file, Diagnosis* why) {
  if (text.size() < kSealBytes + 1) {
    *why = Diagnosis{std::string(file), text.size(), "metadata that ends with its checksum",
                     "the end of the file after " + std::to_string(text.size()) + " bytes"};
    return Status::kCorruption;
  }
  const size_t sealed = text.size() - kSealBytes;
  const std::string_view seal = text.substr(sealed);
  const std::string_view digits = seal.substr(kSealHead.size(), kDigits);
  uint64_t stored = 0;
  if (seal.substr(0, kSealHead.size()) != kSealHead || !seal.ends_with(kSealTail) ||
      !ParseHexWord(digits, &stored)) {
    *why = Diagnosis{std::string(file), sealed, "the checksum field that ends the file", Printable(seal)};
    return Status::kCorruption;
  }
  const uint64_t computed = Checksum(text.data(), sealed);
  if (computed == stored) return Status::kOk;
  *why = Diagnosis{std::string(file), sealed + kSealHead.size(),
                   "checksum " + HexWord(computed) + " of the " + std::to_string(sealed) + " bytes before it",
                   HexWord(stored)};
  return Status::kCorruption;
}

// Takes typed fields out of one JSON object; the first problem sticks and later calls return zeros.
class Fields {
 public:
  Fields(const Json& object, MaybeProblem* problem) : object_(object), problem_(problem) {
    if (!object.is_object()) Fail("", "an object", object.type_name());
  }

  const Json* Get(const char* field) {
    if (problem_->has_value()) return nullptr;
    const auto found = object_.find(field);
    if (found != object_.end()) return &*found;
    Fail(field, "a field of this name", "none");
    return nullptr;
  }
  uint64_t Number(const char* field, uint64_t high = ~0ull) {
    const Json* value = Get(field);
    if (value == nullptr) return 0;
    if (value->is_number_unsigned() && value->get<uint64_t>() <= high) return value->get<uint64_t>();
    Fail(field, "a whole number up to " + std::to_string(high), value->dump().substr(0, 40));
    return 0;
  }
  uint32_t Number32(const char* field) { return static_cast<uint32_t>(Number(field, 0xffffffffu)); }
  // The same for a field that may be missing and then has a value all the same.
  uint64_t NumberOr(const char* field, uint64_t otherwise, uint64_t high = ~0ull) {
    return Has(field) ? Number(field, high) : otherwise;
  }
  bool BoolOr(const char* field, bool otherwise) { return Has(field) ? Bool(field) : otherwise; }
  bool Has(const char* field) const { return object_.is_object() && object_.contains(field); }
  bool Bool(const char* field) {
    const Json* value = Get(field);
    if (value == nullptr) return false;
    if (!value->is_boolean()) Fail(field, "true or false", value->dump().substr(0, 40));
    return value->is_boolean() && value->get<bool>();
  }
  bool Layout(const char* field) {  // true: variable
    if (!Has(field)) return false;
    const std::string* text = String(field);
    if (text != nullptr && *text != "variable" && *text != "fixed")
      Fail(field, "fixed or variable", Printable(*text));
    return text != nullptr && *text == "variable";
  }
  Guid Id(const char* field) {
    Guid id;
    const std::string* text = String(field);
    if (text != nullptr && !Guid::Parse(*text, &id))
      Fail(field, "a GUID of the 8-4-4-4-12 form", Printable(*text));
    return id;
  }
  uint64_t Hex(const char* field) {
    uint64_t word = 0;
    const std::string* text = String(field);
    if (text != nullptr && !ParseHexWord(*text, &word))
      Fail(field, "16 hexadecimal digits", Printable(*text));
    return word;
  }
  const Json* Array(const char* field) {
    const Json* value = Get(field);
    if (value == nullptr || value->is_array()) return value;
    Fail(field, "an array", value->type_name());
    return nullptr;
  }
  uint64_t Element(const char* field, const Json& value) {
    if (value.is_number_unsigned()) return value.get<uint64_t>();
    Fail(field, "whole numbers", value.dump().substr(0, 40));
    return 0;
  }
  // A field that only repeats what another one says, for people and for other programs. It may be missing.
  void Derived(const char* field, uint64_t expected) {
    if (!Has(field)) return;
    const uint64_t found = Number(field);
    if (found != expected) Fail(field, std::to_string(expected), std::to_string(found));
  }

 private:
  const std::string* String(const char* field) {
    const Json* value = Get(field);
    if (value == nullptr) return nullptr;
    if (value->is_string()) return value->get_ptr<const std::string*>();
    Fail(field, "a string", value->dump().substr(0, 40));
    return nullptr;
  }
  void Fail(const char* field, std::string expected, std::string found) {
    if (!problem_->has_value()) *problem_ = Problem{field, std::move(expected), std::move(found)};
  }

  const Json& object_;
  MaybeProblem* problem_;
};

// --- members that we do not know ---
// They are kept: what reads a text may write it again without losing what a later version put there.

// The members of `object` that are not in `known`, as the text of an object; "" if there are none.
inline std::string Unknown(const Json& object, std::initializer_list<std::string_view> known) {
  Json rest = Json::object();
  for (const auto& [name, value] : object.items()) {
    if (name == "format_version" || name == "checksum") continue;
    if (std::find(known.begin(), known.end(), name) == known.end()) rest[name] = value;
  }
  return rest.empty() ? "" : rest.dump();
}

inline void AddUnknown(const std::string& unknown, Json* object) {
  if (unknown.empty()) return;
  const Json rest = Json::parse(unknown, nullptr, false);
  if (!rest.is_object()) return;
  for (const auto& [name, value] : rest.items()) {
    if (!object->contains(name)) (*object)[name] = value;
  }
}

// Where arrays and objects are nested deeper than any record is; npos if they are not. The library copies and
// prints what it parsed recursively: the text must not choose how deep.
inline size_t TooDeep(std::string_view text) {
  constexpr int kMostDeep = 16;
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (quoted && c == '\\') ++i;
    if (quoted) continue;
    if ((c == '[' || c == '{') && ++depth > kMostDeep) return i;
    if (c == ']' || c == '}') --depth;
  }
  return std::string_view::npos;
}

// The diagnosis of a problem: where in the text its field is.
inline Status Blame(const Problem& problem, std::string_view text, std::string_view file, Diagnosis* why) {
  const size_t at = text.find("\"" + std::string(problem.field) + "\"");
  *why = Diagnosis{std::string(file), at == std::string_view::npos ? 0 : at,
                   std::string(problem.field) + " to be " + problem.expected, problem.found};
  return Status::kCorruption;
}

template <typename Metadata>
Status ParseSealed(std::string_view text, std::string_view file, Metadata* metadata, Diagnosis* why) {
  const Json object = Json::parse(text.begin(), text.end());
  Metadata result;
  MaybeProblem problem;
  uint64_t format = kFormatVersion;
  if (object.is_object() && object.contains("format_version"))
    format = Fields(object, &problem).Number("format_version");
  else
    problem = Problem{"format_version", "a field of this name", "none"};
  if (!problem && format != kFormatVersion) {
    *why = Diagnosis{std::string(file), 0, "format version " + std::to_string(kFormatVersion),
                     std::to_string(format)};
    return Status::kUnsupported;
  }
  if (!problem) Take(object, &problem, &result);
  if (!problem) problem = Check(result);
  if (!problem) {
    *metadata = std::move(result);
    return Status::kOk;
  }
  return Blame(*problem, text, file, why);
}

// What `read` returns, or what JSON's parser throws in it as a diagnosis. A text that is too deep is refused.
template <typename Read>
Status ReadJson(std::string_view text, std::string_view file, Diagnosis* why, Read&& read) {
  if (const size_t at = TooDeep(text); at != std::string_view::npos) {
    *why = Diagnosis{std::string(file), at, "arrays and objects that are not nested so deeply",
                     Printable(text.substr(at))};
    return Status::kCorruption;
  }
  try {
    return read();
  } catch (const nlohmann::json::parse_error& error) {
    *why = Diagnosis{std::string(file), error.byte == 0 ? 0 : error.byte - 1, "JSON text",
                     Printable(text.substr(error.byte == 0 ? 0 : std::min(error.byte - 1, text.size())))};
    return Status::kCorruption;
  } catch (const std::bad_alloc&) {
    *why = Diagnosis{std::string(file), 0, "memory to parse it", "none"};
    return Status::kOutOfMemory;
  } catch (const std::exception& error) {  // a number or string that JSON allows and the library refuses
    *why = Diagnosis{std::string(file), 0, "JSON text", error.what()};
    return Status::kCorruption;
  }
}

template <typename Metadata>
Status Parse(std::string_view text, std::string_view file, Metadata* metadata, Diagnosis* why) {
  if (const Status status = CheckSeal(text, file, why); status != Status::kOk) return status;
  return ReadJson(text, file, why, [&] { return ParseSealed(text, file, metadata, why); });
}

}  // namespace faster
