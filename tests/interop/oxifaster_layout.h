// Checkpoints in oxifaster's layout, put together byte by byte from its description, without the exporter:
// any record at any address, any field. For tests and fuzz targets: a write that fails ends the process.
#pragma once

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "faster/cpr/formats.h"
#include "faster/device/memory_storage.h"
#include "faster/interop/oxifaster_format.h"

namespace faster::oxifaster {

using State = std::map<uint64_t, uint64_t>;

constexpr uint64_t kInvalidBit = uint64_t{1} << 61;
constexpr uint64_t kTombstoneBit = uint64_t{1} << 62;

inline void WriteBytes(Storage& storage, const std::string& path, const std::string& bytes,
                       OpenMode mode = OpenMode::kTruncate, uint64_t offset = 0) {
  std::unique_ptr<File> file;
  if (storage.Open(path, mode, &file) != Status::kOk ||
      WriteAll(*file, offset, bytes.data(), bytes.size()) != Status::kOk)
    std::abort();
}
inline std::string Word(uint64_t word) { return {reinterpret_cast<const char*>(&word), 8}; }
inline uint64_t WordAt(const std::string& bytes, size_t at) {
  uint64_t word = 0;
  std::memcpy(&word, bytes.data() + at, 8);
  return word;
}
// As slow and plain as the description: byte i is in byte i % 8 of the sum.
inline std::string SumBytes(const std::string& bytes) {
  std::string sum(8, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) sum[i % 8] = static_cast<char>(sum[i % 8] ^ bytes[i]);
  return sum;
}

class Layout {
 public:
  static constexpr uint64_t kPageBytes = 1024;  // 42 records, 16 bytes at the end
  static constexpr uint64_t kSlots = 42;

  Token token{0x1111222233334444, 0x5555666677778888};
  uint64_t version = 3;
  LogAddress begin = 0;
  LogAddress tail = 0;
  uint64_t buffer_pages = 64;
  uint64_t table_size = 4;
  std::string sessions = R"([{"guid": "01234567-0000-0000-0000-000000000001", "serial_num": 17}])";
  uint64_t threads = 1;
  std::string more_of_log;  // further fields of log.meta
  bool sums = true;
  std::map<LogAddress, uint64_t> heads;  // the index: by tag, an address; of all that was appended

  // One record at the tail, linked to the last one of its tag. Returns its address.
  LogAddress Append(uint64_t key, uint64_t value, uint64_t flags = 0) {
    const uint64_t tag = TagOf(HashOfKey(key, KeyHashKind::kXxh3));
    const auto head = heads.find(tag);
    const uint64_t link = head == heads.end() ? kNoAddress : head->second;
    const LogAddress at = Put(link | uint64_t{2} << 48 | flags, key, value);
    heads[tag] = at;
    return at;
  }
  LogAddress Put(uint64_t header, uint64_t key, uint64_t value) {
    const LogAddress at = tail;
    Set(at, header, key, value);
    tail += kRecordBytes;
    if (Grid::SlotOf(tail) == kSlots) tail = Grid::StartOf(Grid::PageOf(at) + 1);
    return at;
  }
  void Set(LogAddress at, uint64_t header, uint64_t key, uint64_t value) {
    std::string& page = pages_[Grid::PageOf(at)];
    page.resize(kPageBytes);
    page.replace(Grid::OffsetOf(at), kRecordBytes, Word(header) + Word(key) + Word(value));
  }
  uint64_t Header(LogAddress at) { return WordAt(pages_[Grid::PageOf(at)], Grid::OffsetOf(at)); }
  void SetHeader(LogAddress at, uint64_t header) {
    pages_[Grid::PageOf(at)].replace(Grid::OffsetOf(at), 8, Word(header));
  }
  std::string& Page(uint64_t page) {
    pages_[page].resize(kPageBytes);
    return pages_[page];
  }
  uint64_t EndPage() const { return Grid::EndPage(tail); }

  void WriteSnapshot(Storage& storage) {
    std::string snapshot = Word(begin) + Word(tail) + Word(kPageBytes) + Word(buffer_pages), crc;
    for (uint64_t page = Grid::PageOf(begin); page < EndPage(); ++page) {
      snapshot += Word(page) + Page(page);
      crc += Word(page) + SumBytes(Page(page));
    }
    MakeDirectory(storage);
    WriteBytes(storage, Path("log.snapshot"), snapshot + Word(~uint64_t{0}));
    if (sums) WriteBytes(storage, Path("log.snapshot.crc"), Word(EndPage() - Grid::PageOf(begin)) + crc);
    WriteIndex(storage);
    WriteLogMeta(storage, true);
  }
  void WriteFoldOver(Storage& storage, const std::string& device, uint64_t segment_bytes = 0) {
    for (uint64_t page = Grid::PageOf(begin); page < EndPage(); ++page) {
      const uint64_t at = page << kOffsetBits;
      const std::string path =
          segment_bytes == 0 ? device : device + "." + std::to_string(at / segment_bytes);
      WriteBytes(storage, path, Page(page), OpenMode::kCreate, segment_bytes == 0 ? at : at % segment_bytes);
    }
    MakeDirectory(storage);
    WriteIndex(storage);
    WriteLogMeta(storage, false);
  }
  // Pages of [from, tail) as a delta on `base`.
  void WriteDelta(Storage& storage, const Layout& base, LogAddress from) {
    MakeDirectory(storage);
    std::string log;
    uint64_t entries = 0;
    for (uint64_t page = Grid::PageOf(from); page <= Grid::PageOf(tail); ++page) {
      const uint64_t first = page == Grid::PageOf(from) ? Grid::OffsetOf(from) : 0;
      const uint64_t last = page == Grid::PageOf(tail) ? Grid::OffsetOf(tail) : kPageBytes;
      if (first >= last) continue;
      const std::string payload =
          Word(page) + Word(first | (last - first) << 32) + Page(page).substr(first, last - first);
      const std::string body = Word(payload.size()) + payload;  // length and type 0
      log += SumBytes(body) + body;
      log.resize((log.size() + 511) / 512 * 512);
      ++entries;
    }
    WriteBytes(storage, Path("delta.0.log"), log);
    WriteText(storage, "delta.meta",
              R"({"token": ")" + token.Text() + R"(", "base_snapshot_token": ")" + base.token.Text() +
                  R"(", "version": )" + std::to_string(version) + R"(, "delta_tail_address": )" +
                  std::to_string(log.size()) + R"(, "prev_snapshot_final_address": )" +
                  std::to_string(base.tail) + R"(, "current_final_address": )" + std::to_string(tail) +
                  R"(, "timestamp": 1, "num_entries": )" + std::to_string(entries) + "}");
    WriteIndex(storage);
    more_of_log = R"(, "is_incremental": true, "prev_snapshot_token": ")" + base.token.Text() +
                  R"(", "start_logical_address": )" + std::to_string(base.tail);
    WriteLogMeta(storage, true);
  }
  void WriteText(Storage& storage, const std::string& name, const std::string& text) {
    WriteBytes(storage, Path(name), text);
    if (sums) WriteBytes(storage, Path(name + ".crc"), SumBytes(text));
  }
  std::string LogMeta(bool snapshot) const {
    return "{\n  \"token\": \"" + token.Text() +
           "\",\n  \"use_snapshot_file\": " + (snapshot ? "true" : "false") +
           ",\n  \"version\": " + std::to_string(version) +
           ",\n  \"num_threads\": " + std::to_string(threads) +
           ",\n  \"begin_address\": " + std::to_string(begin) +
           ",\n  \"final_address\": " + std::to_string(tail) +
           ",\n  \"flushed_until_address\": 0,\n  \"use_object_log\": false,\n  \"session_states\": " +
           sessions + more_of_log + "\n}";
  }
  void WriteLogMeta(Storage& storage, bool snapshot) { WriteText(storage, "log.meta", LogMeta(snapshot)); }
  void WriteIndex(Storage& storage) {
    std::vector<uint64_t> words;
    uint64_t overflow = 0;
    // All of them in a chain of buckets behind the first: the tags are what is looked at.
    std::vector<uint64_t> entries;
    for (const auto& [tag, address] : heads) entries.push_back(address | tag << 48);
    entries.insert(entries.end(), more_entries.begin(), more_entries.end());
    const uint64_t buckets = std::max<uint64_t>(1, (entries.size() + 6) / 7);
    overflow = buckets - 1;
    const auto bucket = [&](uint64_t n) {
      for (uint64_t i = n * 7; i < n * 7 + 7; ++i) words.push_back(i < entries.size() ? entries[i] : 0);
      words.push_back(n < overflow ? n + 1 : 0);
    };
    bucket(0);
    for (uint64_t n = 1; n < table_size; ++n) words.resize(words.size() + 8);
    for (uint64_t n = 1; n < buckets; ++n) bucket(n);
    std::string bytes = Word(table_size) + Word(overflow);
    for (const uint64_t word : words) bytes += Word(word);
    WriteBytes(storage, Path("index.dat"), bytes);
    WriteText(storage, "index.meta",
              "{\"token\": \"" + token.Text() + "\", \"table_size\": " + std::to_string(table_size) +
                  ", \"num_buckets\": 1, \"num_entries\": " + std::to_string(entries.size()) + "}");
  }
  std::string Path(const std::string& name) const { return token.Text() + "/" + name; }
  void MakeDirectory(Storage& storage) {
    if (storage.CreateDirectory(token.Text()) != Status::kOk) std::abort();
  }

  std::vector<uint64_t> more_entries;

 private:
  std::map<uint64_t, std::string> pages_;
};

// Keys that have nothing in common, and some older versions and deletes of them; returns the state.
inline State FillLayout(Layout* layout, uint64_t from, uint64_t to) {
  State state;
  for (uint64_t i = from; i < to; ++i) {
    const uint64_t key = i % 50 * 0x9e3779b97f4a7c15;
    if (i % 7 == 3 && state.contains(key)) {
      layout->Append(key, 0, kTombstoneBit);
      state.erase(key);
    } else {
      layout->Append(key, i + 1);
      state[key] = i + 1;
    }
  }
  return state;
}

}  // namespace faster::oxifaster
