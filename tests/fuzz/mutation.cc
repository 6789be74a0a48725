#include "tests/fuzz/mutation.h"

#include <algorithm>
#include <cstring>

#include "faster/inspect/validate.h"
#include "tests/fuzz/seal.h"

namespace damage {

namespace {

using What = Mutation::What;

// Takes numbers off a fuzzer's bytes; zeros when they are used up.
class Input {
 public:
  Input(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}
  uint64_t Take(size_t bytes) {
    uint64_t value = 0;
    const size_t taken = std::min(bytes, size_);
    std::memcpy(&value, bytes_, taken);
    bytes_ += taken;
    size_ -= taken;
    return value;
  }
  bool empty() const { return size_ == 0; }

 private:
  const uint8_t* bytes_;
  size_t size_;
};

// Numbers that lie at the edges of what formats hold; others come as they are.
uint64_t Interesting(uint64_t selector, uint64_t plain) {
  constexpr uint64_t kNumbers[] = {
      0,          1,          7,          8,          63,           64,
      127,        128,        512,        2048,       1ull << 16,   (1ull << 20) + 8,
      1ull << 31, 1ull << 32, 1ull << 40, 1ull << 42, (1ull << 47), (1ull << 48) - 1,
      1ull << 48, 1ull << 62, 1ull << 63, ~0ull - 1,  ~0ull};
  constexpr size_t kCount = std::size(kNumbers);
  return selector < kCount ? kNumbers[selector] : plain;
}

bool IsText(const std::string& path) { return path.ends_with(".meta") || path.ends_with(".info"); }

// Replaces the digits behind the `which`-th place where a number may begin.
void SetNumber(std::string* text, uint64_t which, uint64_t value) {
  std::vector<size_t> places;
  for (size_t i = 1; i < text->size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>((*text)[i])) && (*text)[i - 1] == ' ') places.push_back(i);
  }
  if (places.empty()) return;
  const size_t from = places[which % places.size()];
  text->replace(from, text->find_first_not_of("0123456789", from) - from, std::to_string(value));
}

void Change(const Mutation& m, const std::string& path, std::string* bytes) {
  const size_t size = bytes->size();
  const size_t at = size == 0 ? 0 : m.at % size;
  const size_t length = std::min<size_t>(m.length % 600 + 1, size - at);
  switch (m.what) {
    case What::kFlip:
      if (size != 0) (*bytes)[at] = static_cast<char>((*bytes)[at] ^ (1 << m.value % 8));
      return;
    case What::kOverwrite:
      std::fill_n(bytes->begin() + static_cast<long>(at), length, static_cast<char>(m.value));
      return;
    case What::kTruncate:
      return bytes->resize(at);
    case What::kExtend:
      bytes->append(m.length % 600 + 1, static_cast<char>(m.value));
      return;
    case What::kZero:
      std::fill_n(bytes->begin() + static_cast<long>(at), length, '\0');
      return;
    case What::kSetWord:
      if (size >= 8) std::memcpy(bytes->data() + (m.at % (size / 8)) * 8, &m.value, 8);
      return;
    case What::kSetNumber:
      if (IsText(path)) SetNumber(bytes, m.at, m.value);
      return;
    default:
      return;
  }
}

Bytes Share(std::string bytes) { return std::make_shared<const std::string>(std::move(bytes)); }

void ApplyOne(const Mutation& m, Damaged* damaged) {
  const std::vector<std::string> files = FilesOf(damaged->image);
  if (files.empty()) return;
  const std::string& path = files[m.file % files.size()];
  const std::string& other = files[m.other % files.size()];
  Image& image = damaged->image;
  switch (m.what) {
    case What::kRemove:
      image.erase(path);
      damaged->removed = true;
      return;
    case What::kSwap:
      std::swap(image[path], image[other]);
      break;
    case What::kDuplicate:
      image[path] = image[other];
      break;
    default: {
      std::string bytes = *image[path];
      Change(m, path, &bytes);
      image[path] = Share(std::move(bytes));
    }
  }
  if (!m.reseal) return;
  damaged->resealed = true;
  Reseal(&image, path);
  if (m.what == What::kSwap) Reseal(&image, other);
}

bool Contains(const std::vector<std::string>& paths, const std::string& path) {
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

// Without the list of what was left behind an abandoned checkpoint counts again, and is not whole any more.
bool Relisted(const Damaged& damaged) { return damaged.removed && Contains(damaged.changed, "abandoned"); }

// "" or what is wrong with one recovery.
std::string Check(const Subject& subject, const Damaged& damaged, const Outcome& outcome, bool latest) {
  if (outcome.ending == Ending::kViolation) return outcome.problem + " (" + outcome.why.Text() + ")";
  if (damaged.resealed) return "";
  const bool recovered = outcome.ending == Ending::kRight || outcome.ending == Ending::kReadErrors;
  if (recovered && latest && !damaged.removed && outcome.token != subject.committed().back().token)
    return "an older checkpoint is taken for the latest";
  if (outcome.ending == Ending::kNone && !damaged.removed) return "a checkpoint is lost in silence";
  if (outcome.ending == Ending::kRefused && !Relisted(damaged) &&
      !Contains(damaged.changed, outcome.why.file))
    return "the error names another file: " + outcome.why.Text();
  if (damaged.changed.empty() && outcome.ending != Ending::kRight) return "refused without damage";
  return "";
}

// Every hash that a subject is made with; that of texts and that of F2's cold index are known.
const faster::NamedHash kNumbers{"numbers", 8, [](std::string_view key) {
                                   uint64_t number;
                                   std::memcpy(&number, key.data(), 8);
                                   return HashOfNumber(number);
                                 }};

Outcome Validate(faster::Storage* storage, const faster::Token& token) {
  faster::ValidateOptions options;
  options.hashes = {&kNumbers, 1};
  faster::CheckpointReport report;
  Outcome outcome;
  outcome.status = ValidateCheckpoint(storage, "", token, options, &report, &outcome.why);
  outcome.token = token;
  outcome.ending = outcome.status == faster::Status::kOk         ? Ending::kRight
                   : outcome.status == faster::Status::kNotFound ? Ending::kNone
                                                                 : Ending::kRefused;
  if (!report.findings.empty()) outcome.why = report.findings.front().what;
  return outcome;
}

std::string CheckValidated(const Damaged& damaged, const Outcome& validated, const Outcome& recovered) {
  if (damaged.resealed) return "";
  // Without its log.meta there may still be an index checkpoint of that name.
  if (validated.ending == Ending::kRight && recovered.ending != Ending::kRight &&
      !(damaged.removed && recovered.ending == Ending::kNone))
    return "sound, but " + std::string(EndingName(recovered.ending)) + ": " + recovered.why.Text();
  if (validated.ending == Ending::kNone && !damaged.removed) return "not found";
  // Of a file that is gone the one may be named that refers to it.
  const bool named =
      damaged.removed ? !validated.why.file.empty() : Contains(damaged.changed, validated.why.file);
  if (validated.ending == Ending::kRefused && !named)
    return "the first finding names another file: " + validated.why.Text();
  return "";
}

}  // namespace

Choice Decode(const uint8_t* bytes, size_t size) {
  Input input(bytes, size);
  Choice choice;
  choice.subject = static_cast<uint32_t>(input.Take(1));
  while (!input.empty() && choice.mutations.size() < 6) {
    Mutation& m = choice.mutations.emplace_back();
    const uint64_t what = input.Take(1);
    m.what = static_cast<What>(what % static_cast<uint64_t>(What::kCount));
    m.reseal = (what & 0x80) != 0;
    m.file = static_cast<uint32_t>(input.Take(1));
    const bool two = m.what == What::kSwap || m.what == What::kDuplicate;
    if (two) m.other = static_cast<uint32_t>(input.Take(1));
    if (two || m.what == What::kRemove) continue;
    m.at = input.Take(3);
    m.length = input.Take(2);
    const uint64_t selector = input.Take(1);
    const bool wide = m.what == What::kSetWord || m.what == What::kSetNumber;
    m.value = wide ? Interesting(selector, input.Take(8)) : selector;
  }
  return choice;
}

std::string TextOf(const Mutation& m, const Image& image) {
  constexpr const char* kNames[] = {"flip",      "overwrite", "truncate", "extend",   "zero",
                                    "swap with", "copy of",   "remove",   "set word", "set number"};
  const std::vector<std::string> files = FilesOf(image);
  if (files.empty()) return "nothing is left";
  std::string text = files[m.file % files.size()] + ": " + kNames[static_cast<uint8_t>(m.what)];
  if (m.what == What::kRemove) return text;
  if (m.what == What::kSwap || m.what == What::kDuplicate) return text + " " + files[m.other % files.size()];
  text += " at " + std::to_string(m.at) + ", length " + std::to_string(m.length) + ", value " +
          std::to_string(m.value);
  return text + (m.reseal ? ", resealed" : "");
}

Damaged Apply(const Image& image, const std::vector<Mutation>& mutations) {
  Damaged damaged;
  damaged.image = image;
  for (const Mutation& mutation : mutations) ApplyOne(mutation, &damaged);
  for (const auto& [path, bytes] : image) {
    if (bytes == nullptr) continue;
    const auto now = damaged.image.find(path);
    if (now == damaged.image.end() || (now->second != bytes && *now->second != *bytes))
      damaged.changed.push_back(path);
  }
  return damaged;
}

Verdict Judge(const Subject& subject, const Damaged& damaged, Depth depth, bool by_name) {
  Verdict verdict;
  if (damaged.resealed) depth = Depth::kRecover;
  const auto recover = [&](const std::optional<faster::Token>& token, Depth how) {
    ImageStorage storage(damaged.image);
    const Outcome outcome = subject.Recover(&storage, token, how);
    const bool refused = outcome.ending == Ending::kRefused || outcome.ending == Ending::kNone;
    std::string problem = Check(subject, damaged, outcome, !token);
    if (problem.empty() && refused && !storage.Holds(damaged.image)) problem = "a refusal changed files";
    if (!problem.empty() && verdict.problem.empty())
      verdict.problem = (token ? "recovering " + token->Text() : "recovering the latest") + ": " + problem;
    return outcome;
  };
  verdict.latest = recover({}, depth);
  if (!by_name) return verdict;
  for (const Committed& one : subject.committed()) {
    if (one.abandoned) continue;
    verdict.named.push_back(recover(one.token, std::min(depth, Depth::kRead)));
    ImageStorage storage(damaged.image);
    verdict.validated.push_back(Validate(&storage, one.token));
    std::string problem = CheckValidated(damaged, verdict.validated.back(), verdict.named.back());
    if (problem.empty() && !storage.Holds(damaged.image)) problem = "it changed files";
    if (!problem.empty() && verdict.problem.empty())
      verdict.problem = "validating " + one.token.Text() + ": " + problem;
  }
  return verdict;
}

}  // namespace damage
