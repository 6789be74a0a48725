// Properties over random records, random damage and random bytes: what was written is read, anything else is
// refused, nothing crashes.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "faster/cpr/catalog.h"
#include "faster/cpr/index_data.h"
#include "tests/cpr/samples.h"

namespace faster {
namespace {

uint64_t Below(uint64_t limit) { return *rc::gen::inRange<uint64_t>(0, limit); }

LogMetadata RandomLog() {
  LogMetadata m = SampleLog();
  m.token = Token{*rc::gen::arbitrary<uint64_t>(), 1 + Below(1000)};
  m.use_snapshot_file = *rc::gen::arbitrary<bool>();
  m.version = Below(1ull << 63);
  m.variable_records = *rc::gen::arbitrary<bool>();
  if (m.variable_records) m.key_bytes = m.value_bytes = 0;
  m.block_bytes = 64u << Below(7);
  m.begin_address = Below(1ull << 40);
  m.start_address = m.begin_address + Below(1ull << 40);
  m.final_address = (m.start_address / m.block_bytes + 1 + Below(1ull << 30)) * m.block_bytes;
  m.flushed_until = m.use_snapshot_file ? Below(m.final_address / m.block_bytes + 1) * m.block_bytes
                                        : m.final_address + Below(1ull << 30);
  m.head_address = Below(kAddressLimit);
  m.sessions.clear();
  for (uint64_t i = Below(20); i-- > 0;) m.sessions.push_back({Guid{Below(3), 1 + Below(50)}, Below(~0ull)});
  std::sort(m.sessions.begin(), m.sessions.end(), [](auto& a, auto& b) { return a.session < b.session; });
  m.sessions.erase(std::unique(m.sessions.begin(), m.sessions.end(),
                               [](auto& a, auto& b) { return a.session == b.session; }),
                   m.sessions.end());
  m.dead_ranges.clear();
  for (uint64_t i = Below(5); i-- > 0;) {
    const LogAddress from = Below(m.final_address);
    m.dead_ranges.push_back(
        {from, from + 1 + Below(m.final_address - from), static_cast<uint32_t>(Below(8192))});
  }
  m.generations = {{0, MakeGeneration(1, Below(~0ull)), Below(m.final_address)}};
  for (uint64_t i = Below(5); i-- > 0;) {
    const Generation& last = m.generations.back();
    const LogAddress from = last.from + Below(m.final_address + 1 - last.from);
    m.generations.push_back({from, MakeGeneration(GenerationOrdinal(last.generation) + 1, Below(~0ull)), 0});
  }
  return m;
}

RC_GTEST_PROP(FormatsProperty, LogMetadataRoundTrips, ()) {
  const LogMetadata m = RandomLog();
  Diagnosis why;
  RC_ASSERT(ValidateMetadata(m, &why) == Status::kOk);
  LogMetadata read;
  RC_ASSERT(ParseMetadata(FormatMetadata(m), "f", &read, &why) == Status::kOk);
  RC_ASSERT(Same(m, read));
}

RC_GTEST_PROP(FormatsProperty, AnyChangeOfTheTextIsFound, ()) {
  const std::string good = FormatMetadata(RandomLog());
  std::string text = good;
  for (uint64_t edits = 1 + Below(3); edits-- > 0 && !text.empty();) {
    const size_t at = Below(text.size());
    const size_t length = 1 + Below(20);
    switch (Below(4)) {
      case 0:
        text[at] = static_cast<char>(Below(256));
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(Below(text.size()), length));
        break;
      default:
        std::fill_n(text.begin() + static_cast<long>(at), std::min(length, text.size() - at), '\0');
    }
  }
  RC_PRE(text != good);
  LogMetadata read;
  Diagnosis why;
  RC_ASSERT(ParseMetadata(text, "f", &read, &why) == Status::kCorruption);
}

// Bytes that pass the checksum but were not written by us: the parser proper must hold.
RC_GTEST_PROP(FormatsProperty, SealedRandomTextNeverCrashes, ()) {
  std::string text = FormatMetadata(RandomLog());
  text.resize(text.rfind(",\n  \"checksum\""));
  static const char* const kPieces[] = {"{",     "}",       "[",         "]",
                                        "\"",    ":",       ",",         "-1",
                                        "1e400", "null",    "\"token\"", "99999999999999999999",
                                        "\xff",  "\\u0000", "[[[[[[[[",  "true"};
  for (uint64_t edits = Below(5); edits-- > 0;) {
    const size_t at = Below(text.size());
    text.replace(at, Below(10), kPieces[Below(std::size(kPieces))]);
  }
  text += ",\n  \"checksum\": \"" + HexWord(Checksum(text.data(), text.size())) + "\"\n}\n";
  LogMetadata log;
  IndexMetadata index;
  Diagnosis why;
  const Status status = ParseMetadata(text, "f", &log, &why);
  RC_ASSERT(status == Status::kOk || status == Status::kCorruption || status == Status::kUnsupported);
  RC_ASSERT(ParseMetadata(text, "f", &index, &why) != Status::kOk);
}

RC_GTEST_PROP(FormatsProperty, RandomFilesNeverCrashAndAreRefused, (const std::string& bytes)) {
  MemoryStorage storage;
  const Token token = SampleToken(7);
  RC_ASSERT(CreateTokenDirectory(storage, "", token) == Status::kOk);
  for (const auto name : {kIndexMetaName, kIndexDataName, kLogMetaName, kLogSnapshotName})
    PutFile(storage, CheckpointPath("", token, name), bytes);
  const std::vector<std::string> before = Dump(storage, "");
  std::vector<CatalogEntry> entries;
  Diagnosis why;
  RC_ASSERT(ListCheckpoints(storage, "", &entries, &why) == Status::kOk);
  RC_ASSERT(entries.size() == 1u);
  RC_ASSERT(entries[0].log.status == Status::kCorruption);
  RC_ASSERT(entries[0].index.status == Status::kCorruption);
  std::unique_ptr<File> file;
  RC_ASSERT(storage.Open(CheckpointPath("", token, kLogSnapshotName), OpenMode::kRead, &file) == Status::kOk);
  SnapshotHeader header;
  RC_ASSERT(ReadSnapshotHeader(*file, "s", token, &header, &why) == Status::kCorruption);
  IndexMetadata index = SampleIndex();
  index.data_bytes = IndexDataBytes(index.table_size, index.overflow_buckets);
  IndexDataReader reader(file.get(), "i", index);
  RC_ASSERT(reader.Open(&why) == Status::kCorruption);
  RC_ASSERT(Dump(storage, "") == before);
}

}  // namespace
}  // namespace faster
