#include "faster/cpr/metadata_json.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace faster {
namespace {

using Json = nlohmann::ordered_json;

// What is wrong with a record: the JSON field to blame, and the two halves of a diagnosis.
struct Problem {
  const char* field;
  std::string expected;
  std::string found;
};
using MaybeProblem = std::optional<Problem>;

bool IsPowerOfTwo(uint64_t n) { return n != 0 && (n & (n - 1)) == 0; }

MaybeProblem OutOfRange(const char* field, uint64_t value, uint64_t low, uint64_t high) {
  if (value >= low && value <= high) return std::nullopt;
  return Problem{field, "a number from " + std::to_string(low) + " to " + std::to_string(high),
                 std::to_string(value)};
}

MaybeProblem NotPowerOfTwo(const char* field, uint64_t value, uint64_t low, uint64_t high) {
  if (value >= low && value <= high && IsPowerOfTwo(value)) return std::nullopt;
  return Problem{field, "a power of two from " + std::to_string(low) + " to " + std::to_string(high),
                 std::to_string(value)};
}

// `low` <= `high` must hold, and both be addresses; `field` is the one to blame.
MaybeProblem Misordered(const char* field, const char* low_name, LogAddress low, LogAddress high) {
  if (high >= kAddressLimit) return Problem{field, "an address below 2^48", std::to_string(high)};
  if (low <= high) return std::nullopt;
  return Problem{field, "at least " + std::string(low_name) + " " + std::to_string(low),
                 std::to_string(high)};
}

constexpr uint64_t kMaxBuckets = 1ull << 42;  // 2^48 bytes of 64-byte buckets
constexpr uint64_t kMaxVersion = (1ull << 63) - 1;

MaybeProblem Check(const IndexMetadata& m) {
  if (m.token.IsNull()) return Problem{"token", "a token that is not null", m.token.Text()};
  if (auto p = OutOfRange("version", m.version, 0, kMaxVersion)) return p;
  if (auto p = NotPowerOfTwo("table_size", m.table_size, 1, kMaxBuckets)) return p;
  if (auto p = OutOfRange("num_buckets", m.overflow_buckets, 0, kMaxBuckets)) return p;
  if (auto p = OutOfRange("num_entries", m.entries, 0, 7 * (m.table_size + m.overflow_buckets))) return p;
  if (auto p =
          Misordered("checkpoint_start_address", "log_begin_address", m.begin_address, m.checkpoint_start))
    return p;
  if (auto p = Misordered("checkpoint_final_address", "checkpoint_start_address", m.checkpoint_start,
                          m.checkpoint_final))
    return p;
  if (m.generation == 0) return Problem{"generation", "a generation that is not 0", "0"};
  return std::nullopt;
}

MaybeProblem CheckGeometry(const LogMetadata& m) {
  if (auto p = OutOfRange("version_bits", m.version_bits, 1, 32)) return p;
  if (auto p = OutOfRange("page_bits", m.page_bits, 9, 40)) return p;
  const uint64_t page = 1ull << m.page_bits;
  if (auto p = NotPowerOfTwo("block_bytes", m.block_bytes, 64, page)) return p;
  if (auto p = OutOfRange("segment_pages", m.segment_pages, 1, kAddressLimit >> m.page_bits)) return p;
  if (auto p = OutOfRange("key_bytes", m.key_bytes, 1, page)) return p;
  if (auto p = OutOfRange("value_bytes", m.value_bytes, 1, page)) return p;
  return NotPowerOfTwo("table_size", m.table_size, 1, kMaxBuckets);
}

MaybeProblem CheckAddresses(const LogMetadata& m) {
  if (auto p = Misordered("start_logical_address", "begin_address", m.begin_address, m.start_address))
    return p;
  if (auto p = Misordered("final_address", "start_logical_address", m.start_address, m.final_address))
    return p;
  if (m.final_address % m.block_bytes != 0)
    return Problem{"final_address", "a multiple of block_bytes " + std::to_string(m.block_bytes),
                   std::to_string(m.final_address)};
  if (auto p = OutOfRange("head_address", m.head_address, 0, kAddressLimit - 1)) return p;
  // The snapshot file holds [flushed_until, final); a fold-over checkpoint has flushed beyond its end.
  const LogAddress flushed_limit = m.use_snapshot_file ? m.final_address : kAddressLimit - 1;
  return OutOfRange("flushed_until_address", m.flushed_until, 0, flushed_limit);
}

MaybeProblem CheckLists(const LogMetadata& m) {
  for (size_t i = 0; i < m.sessions.size(); ++i) {
    const SessionCommit& s = m.sessions[i];
    if (s.session.IsNull())
      return Problem{"session_states", "session ids that are not null", s.session.Text()};
    if (i != 0 && !(m.sessions[i - 1].session < s.session))
      return Problem{"session_states", "sessions in ascending order, each once",
                     s.session.Text() + " after " + m.sessions[i - 1].session.Text()};
    if (auto p = OutOfRange("session_states", s.serial, 0, ~0ull - 1)) return p;
  }
  for (const DeadRange& d : m.dead_ranges) {
    if (d.from > d.to || d.to > m.final_address)
      return Problem{"dead_ranges", "ranges in order that end by final_address",
                     "[" + std::to_string(d.from) + ", " + std::to_string(d.to) + ")"};
  }
  if (m.generations.empty()) return Problem{"generations", "at least one generation", "none"};
  if (auto p = OutOfRange("generations", m.generations.front().from, 0, m.begin_address)) return p;
  for (size_t i = 0; i < m.generations.size(); ++i) {
    const Generation& g = m.generations[i];
    if (g.generation == 0) return Problem{"generations", "generations that are not 0", "0"};
    if (auto p = OutOfRange("generations", g.from, i == 0 ? 0 : m.generations[i - 1].from, m.final_address))
      return p;
    if (g.until != 0)
      if (auto p = OutOfRange("generations", g.until, g.from, m.final_address)) return p;
    if (i != 0 && GenerationOrdinal(g.generation) <= GenerationOrdinal(m.generations[i - 1].generation))
      return Problem{"generations", "generations of ascending ordinal, each once",
                     HexWord(g.generation) + " after " + HexWord(m.generations[i - 1].generation)};
  }
  return std::nullopt;
}

MaybeProblem Check(const LogMetadata& m) {
  if (m.token.IsNull()) return Problem{"token", "a token that is not null", m.token.Text()};
  if (auto p = OutOfRange("version", m.version, 0, kMaxVersion)) return p;
  if (auto p = CheckGeometry(m)) return p;
  if (auto p = CheckAddresses(m)) return p;
  return CheckLists(m);
}

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

std::string Seal(const Json& object) {
  std::string text = object.dump(2);
  text.resize(text.size() - 2);  // without its closing "\n}"
  const uint64_t sum = Checksum(text.data(), text.size());
  text.append(kSealHead).append(HexWord(sum)).append(kSealTail);
  return text;
}

// --- reading ---

bool ParseHexWord(std::string_view digits, uint64_t* word) {
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
std::string Printable(std::string_view bytes) {
  std::string text = "\"";
  for (const char c : bytes.substr(0, 40)) text += c >= ' ' && c <= '~' ? c : '.';
  return text + "\"";
}

Status CheckSeal(std::string_view text, std::string_view file, Diagnosis* why) {
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
  bool Bool(const char* field) {
    const Json* value = Get(field);
    if (value == nullptr) return false;
    if (!value->is_boolean()) Fail(field, "true or false", value->dump().substr(0, 40));
    return value->is_boolean() && value->get<bool>();
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
  // A field that only repeats what another one says, for people and for other programs.
  void Derived(const char* field, uint64_t expected) {
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

void Take(const Json& object, MaybeProblem* problem, IndexMetadata* m) {
  Fields f(object, problem);
  m->token = f.Id("token");
  m->version = f.Number("version");
  m->table_size = f.Number("table_size");
  m->overflow_buckets = f.Number("num_buckets");
  m->entries = f.Number("num_entries");
  m->begin_address = f.Number("log_begin_address");
  m->checkpoint_start = f.Number("checkpoint_start_address");
  m->checkpoint_final = f.Number("checkpoint_final_address");
  m->generation = f.Number("generation");
  m->data_bytes = f.Number("data_bytes");
  m->data_checksum = f.Hex("data_checksum");
  f.Derived("num_ht_bytes", m->table_size * 64);
  f.Derived("num_ofb_bytes", m->overflow_buckets * 64);
}

void TakeLists(Fields& f, MaybeProblem* problem, LogMetadata* m) {
  if (const Json* sessions = f.Array("session_states")) {
    m->sessions.reserve(sessions->size());
    for (const Json& element : *sessions) {
      Fields s(element, problem);
      const Guid id = s.Id("guid");
      m->sessions.push_back({id, s.Number("serial_num")});
    }
  }
  if (const Json* ranges = f.Array("dead_ranges")) {
    m->dead_ranges.reserve(ranges->size());
    for (const Json& element : *ranges) {
      Fields r(element, problem);
      const LogAddress from = r.Number("from");
      const LogAddress to = r.Number("to");
      m->dead_ranges.push_back({from, to, r.Number32("version")});
    }
  }
  if (const Json* generations = f.Array("generations")) {
    m->generations.reserve(generations->size());
    for (const Json& element : *generations) {
      Fields g(element, problem);
      const LogAddress from = g.Number("from");
      const uint64_t generation = g.Number("generation");
      m->generations.push_back({from, generation, g.Number("until")});
    }
  }
}

void Take(const Json& object, MaybeProblem* problem, LogMetadata* m) {
  Fields f(object, problem);
  m->token = f.Id("token");
  m->use_snapshot_file = f.Bool("use_snapshot_file");
  m->version = f.Number("version", kMaxVersion);
  m->version_bits = f.Number32("version_bits");
  m->page_bits = f.Number32("page_bits");
  m->block_bytes = f.Number32("block_bytes");
  m->segment_pages = f.Number32("segment_pages");
  m->key_bytes = f.Number32("key_bytes");
  m->value_bytes = f.Number32("value_bytes");
  m->table_size = f.Number("table_size");
  m->begin_address = f.Number("begin_address");
  m->start_address = f.Number("start_logical_address");
  m->final_address = f.Number("final_address");
  m->flushed_until = f.Number("flushed_until_address");
  m->head_address = f.Number("head_address");
  TakeLists(f, problem, m);
  f.Derived("next_version", m->version + 1);
  f.Derived("num_threads", m->sessions.size());
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
  const size_t at = text.find("\"" + std::string(problem->field) + "\"");
  *why = Diagnosis{std::string(file), at == std::string_view::npos ? 0 : at,
                   std::string(problem->field) + " to be " + problem->expected, problem->found};
  return Status::kCorruption;
}

template <typename Metadata>
Status Parse(std::string_view text, std::string_view file, Metadata* metadata, Diagnosis* why) {
  if (const Status status = CheckSeal(text, file, why); status != Status::kOk) return status;
  try {
    return ParseSealed(text, file, metadata, why);
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

}  // namespace

std::string HexWord(uint64_t word) {
  char digits[kDigits + 1];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(word));
  return digits;
}

Status ValidateMetadata(const IndexMetadata& metadata, Diagnosis* why) { return Validate(metadata, why); }
Status ValidateMetadata(const LogMetadata& metadata, Diagnosis* why) { return Validate(metadata, why); }

std::string FormatMetadata(const IndexMetadata& m) {
  return Seal(Json{{"format_version", kFormatVersion},
                   {"token", m.token.Text()},
                   {"version", m.version},
                   {"table_size", m.table_size},
                   {"num_ht_bytes", m.table_size * 64},
                   {"num_ofb_bytes", m.overflow_buckets * 64},
                   {"num_buckets", m.overflow_buckets},
                   {"num_entries", m.entries},
                   {"log_begin_address", m.begin_address},
                   {"checkpoint_start_address", m.checkpoint_start},
                   {"checkpoint_final_address", m.checkpoint_final},
                   {"generation", m.generation},
                   {"data_bytes", m.data_bytes},
                   {"data_checksum", HexWord(m.data_checksum)}});
}

std::string FormatMetadata(const LogMetadata& m) {
  Json sessions = Json::array();
  for (const SessionCommit& s : m.sessions)
    sessions.push_back(Json{{"guid", s.session.Text()}, {"serial_num", s.serial}});
  Json dead_ranges = Json::array();
  for (const DeadRange& d : m.dead_ranges)
    dead_ranges.push_back(Json{{"from", d.from}, {"to", d.to}, {"version", d.version}});
  Json generations = Json::array();
  for (const Generation& g : m.generations)
    generations.push_back(Json{{"from", g.from}, {"generation", g.generation}, {"until", g.until}});
  return Seal(Json{{"format_version", kFormatVersion},
                   {"token", m.token.Text()},
                   {"use_snapshot_file", m.use_snapshot_file},
                   {"version", m.version},
                   {"next_version", m.version + 1},
                   {"num_threads", m.sessions.size()},
                   {"begin_address", m.begin_address},
                   {"start_logical_address", m.start_address},
                   {"final_address", m.final_address},
                   {"flushed_until_address", m.flushed_until},
                   {"head_address", m.head_address},
                   {"use_object_log", false},
                   {"version_bits", m.version_bits},
                   {"page_bits", m.page_bits},
                   {"block_bytes", m.block_bytes},
                   {"segment_pages", m.segment_pages},
                   {"key_bytes", m.key_bytes},
                   {"value_bytes", m.value_bytes},
                   {"table_size", m.table_size},
                   {"session_states", std::move(sessions)},
                   {"dead_ranges", std::move(dead_ranges)},
                   {"generations", std::move(generations)}});
}

Status ParseMetadata(std::string_view text, std::string_view file, IndexMetadata* metadata, Diagnosis* why) {
  return Parse(text, file, metadata, why);
}
Status ParseMetadata(std::string_view text, std::string_view file, LogMetadata* metadata, Diagnosis* why) {
  return Parse(text, file, metadata, why);
}

}  // namespace faster
