#include "tests/fuzz/table.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "faster/cpr/index_data.h"
#include "tests/fuzz/mutation.h"
#include "tests/fuzz/seal.h"

namespace damage {

namespace {

constexpr uint32_t kScale = 256;

using Change = std::function<void(std::string*)>;  // of the file's bytes

struct Row {
  const char* subject;
  const char*
      file;  // of the newest checkpoint, or a segment of the main log: 0, the last, one of the last round
  const char* damage;
  Change change;       // null: the file is removed
  const char* theirs;  // the row of Microsoft's table, and what its recovery did; "" if it has none
};

Change Cut(double part) {
  return [part](std::string* bytes) {
    bytes->resize(static_cast<size_t>(part * static_cast<double>(bytes->size())));
  };
}
Change CutBy(size_t count) {
  return [count](std::string* bytes) { bytes->resize(bytes->size() - std::min(count, bytes->size())); };
}
void Empty(std::string* bytes) { bytes->clear(); }
void Zero(std::string* bytes) { std::fill(bytes->begin(), bytes->end(), '\0'); }
void ZeroPage(std::string* bytes) {
  const size_t from = bytes->size() / 2 & ~size_t{511};
  std::fill_n(bytes->begin() + static_cast<long>(from), std::min<size_t>(4096, bytes->size() - from), '\0');
}
Change Flip(double part) {
  return [part](std::string* bytes) {
    (*bytes)[static_cast<size_t>(part * static_cast<double>(bytes->size()))] ^= 4;
  };
}
// The last digit of a number, so that the length stays; `field` as in the text.
Change Digit(const char* field, bool higher) {
  return [field, higher](std::string* bytes) {
    const size_t at = bytes->find("\"" + std::string(field) + "\": ");
    const size_t digit = bytes->find_first_of(",\n", at + std::strlen(field) + 4) - 2;
    (*bytes)[digit] = higher ? '9' : '0';
  };
}
Change Set(const char* field, const char* value) {
  return [field, value](std::string* bytes) { SetField(bytes, field, value); };
}
void SessionsGone(std::string* bytes) {
  const size_t at = bytes->find("\"session_states\": [");
  bytes->erase(at + 19, bytes->find(']', at) - at - 19);
}
void OtherSpace(std::string* bytes) { (*bytes)[2] = '\t'; }
void OverflowGone(std::string* bytes) {
  uint64_t table = 0;
  std::memcpy(&table, bytes->data() + 32, 8);
  bytes->resize(faster::kIndexHeaderBytes + table * 64);
}

const std::vector<Row>& Rows() {
  static const char* const kFull = "full/foldover";
  static const char* const kIndexOf = "index, log/foldover";
  static const std::vector<Row> rows = {
      {kFull, "log.meta", "0 bytes", &Empty, "cpr info.dat 0 bytes: IOError"},
      {kFull, "log.meta", "1 byte short", CutBy(1), "cpr info.dat 1 byte short: IOError"},
      {kFull, "log.meta", "all zero", &Zero, "cpr info.dat all zero: Corruption"},
      {kFull, "log.meta", "white space changed", &OtherSpace, "cpr info.dat unused area garbage: Ok, 0 lost"},
      {kFull, "log.meta", "final_address lower, one byte", Digit("final_address", false),
       "cpr info.dat final_address lower, one byte: **Ok, 203,801 lost**"},
      {kFull, "log.meta", "final_address higher, one byte", Digit("final_address", true),
       "cpr info.dat final_address higher: **Ok**, 0 lost, the tail is above the data"},
      {kFull, "index.meta", "checkpoint_start_address 0", Set("checkpoint_start_address", "0"),
       "index info.dat checkpoint_start_address lowered: Ok, 0 lost (longer replay)"},
      {kFull, "log.meta", "session gone", &SessionsGone, "session .dat missing or 0 bytes: IOError"},
      {kFull, "log.meta", "serial_num zeroed", Set("serial_num", "0"),
       "session .dat serial zeroed: **Ok, the session continues at 0** instead of 3,000,000"},
      {kFull, "index.meta", "missing", nullptr, "index info.dat missing: Corruption"},
      {kFull, "index.meta", "0 bytes", &Empty, "index info.dat 0 bytes: Corruption"},
      {kFull, "index.dat", "missing", nullptr, "ht.dat missing: **Ok, 3,000,000 lost**"},
      {kFull, "index.dat", "0 bytes", &Empty, "ht.dat 0 bytes: **Ok, 3,000,000 lost**"},
      {kFull, "index.dat", "half", Cut(0.5), "ht.dat half: **Ok, 1,499,977 lost**"},
      {kFull, "index.dat", "4 KiB zeroed", &ZeroPage, "ht.dat one 4 KiB page zero: **Ok, 711 lost**"},
      {kFull, "index.dat", "one bit flipped", Flip(0.3), "ht.dat one byte flipped: **Ok, 1 lost**"},
      {kFull, "index.dat", "overflow buckets gone", &OverflowGone,
       "ofb.dat missing or 0 bytes: **Ok, 1,164,992 lost**"},
      {kFull, "log.late", "missing", nullptr, "log.log0 missing: **Ok, 2,999,999 lost, 1 wrong**"},
      {kFull, "log.late", "0 bytes", &Empty, "log.log0 0 bytes: **Ok, 2,999,999 lost, 1 wrong**"},
      {kFull, "log.last", "last page gone", CutBy(2048), "log.log0 last 32 MiB lost: **Ok, 203,801 lost**"},
      {kFull, "log.last", "4 KiB zeroed", &ZeroPage,
       "log.log0 one 4 KiB block zero: **Ok, 170 lost, 1 wrong**"},
      {kFull, "log.last", "one value bit flipped", Flip(0.6),
       "log.log0 one value byte flipped: **Ok, 1 wrong**"},
      {kIndexOf, "log.early", "missing, below what is replayed", nullptr, ""},
      {kIndexOf, "log.early", "one value bit flipped, below what is replayed", Flip(0.6), ""},
      {"log/foldover", "log.0", "one value bit flipped, no index", Flip(0.6), ""},
      {"full/snapshot", "log.snapshot", "missing", nullptr, ""},
      {"full/snapshot", "log.snapshot", "half", Cut(0.5), ""},
      {"full/snapshot", "log.snapshot", "one bit flipped", Flip(0.6), ""},
      {"incremental", "delta.0.log", "one bit flipped", Flip(0.6), ""},
      {"incremental", "delta.meta", "missing", nullptr, ""},
      {"incremental", "incremental.info", "one bit flipped", Flip(0.6), ""},
      {"pair, full/foldover", "pair.meta", "missing", nullptr, ""},
      {"pair, full/foldover", "cold/log.0", "one value bit flipped", Flip(0.6), ""},
      {"pair, full/foldover", "cold-index/log.0", "one bit flipped", Flip(0.6), ""},
      {"variable, full/foldover", "log.last", "one value bit flipped", Flip(0.6), ""},
  };
  return rows;
}

std::string PathOf(const Subject& subject, const std::string& file) {
  const uint64_t eighths = file == "log.last" ? 8 : file == "log.late" ? 7 : file == "log.early" ? 5 : 0;
  if (eighths != 0) {
    uint64_t last = 0;
    while (subject.image().count("log." + std::to_string(last + 1)) != 0) ++last;
    return "log." + std::to_string(last * eighths / 8);
  }
  if (subject.image().count(file) != 0) return file;
  return subject.committed().back().token.Text() + "/" + file;
}

Damaged Damage(const Subject& subject, const std::string& path, const Change& change) {
  Damaged damaged;
  damaged.image = subject.image();
  damaged.changed.push_back(path);
  damaged.removed = change == nullptr;
  if (damaged.removed) {
    damaged.image.erase(path);
    return damaged;
  }
  std::string bytes = *damaged.image.at(path);
  change(&bytes);
  damaged.image[path] = std::make_shared<const std::string>(std::move(bytes));
  return damaged;
}

std::string Tell(const Outcome& outcome, uint64_t keys) {
  const std::string all = std::to_string(keys);
  switch (outcome.ending) {
    case Ending::kRefused:
      return std::string(faster::StatusName(outcome.status)) + " | 0 | detected: names the file, byte " +
             std::to_string(outcome.why.offset);
    case Ending::kRight:
      return "ok | 0 | harmless: all " + all + " keys and the commit point read back";
    case Ending::kReadErrors:
      return "ok | 0 | detected when read: " + std::to_string(outcome.read_errors) + " of " + all +
             " keys answer \"corruption\" or \"short I/O\", the others are right";
    default:
      return "VIOLATION | ? | " + outcome.problem;
  }
}

}  // namespace

TableResult MakeTable() {
  TableResult result;
  std::unique_ptr<Subject> subject;
  std::string name;
  result.markdown =
      "| checkpoint | file | damage | recovery | keys lost in silence | verdict | FASTER C++ |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const Row& row : Rows()) {
    if (name != row.subject) subject = MakeSubject(name = row.subject, kScale);
    const Damaged damaged = Damage(*subject, PathOf(*subject, row.file), row.change);
    const Verdict verdict = Judge(*subject, damaged, Depth::kGoOn, false);
    // The checkpoint itself is still there in every row, so an older one would be no right answer.
    const bool older =
        verdict.latest.ending == Ending::kNone || (verdict.latest.ending != Ending::kRefused &&
                                                   verdict.latest.token != subject->committed().back().token);
    const std::string problem = older ? "an older checkpoint, or none" : verdict.problem;
    result.holds = result.holds && problem.empty();
    const uint64_t keys = subject->committed().back().model.size();
    const std::string told = problem.empty() ? Tell(verdict.latest, keys) : "VIOLATION | ? | " + problem;
    result.markdown += "| " + std::string(row.subject) + " | " + row.file + " | " + row.damage + " | " +
                       told + " | " + (*row.theirs != '\0' ? row.theirs : "-") + " |\n";
  }
  return result;
}

}  // namespace damage
