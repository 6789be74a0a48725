#include "tests/fuzz/seal.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "faster/core/checksum.h"
#include "faster/cpr/catalog.h"
#include "faster/cpr/delta_log.h"
#include "faster/cpr/formats.h"
#include "faster/cpr/index_data.h"
#include "faster/cpr/metadata_json.h"

namespace damage {

using faster::Checksum;

namespace {

constexpr size_t kSealBytes = 37;  // the checksum field that ends a metadata text

uint64_t WordAt(const std::string& bytes, size_t at) {
  uint64_t word;
  std::memcpy(&word, bytes.data() + at, 8);
  return word;
}
void SetWord(std::string* bytes, size_t at, uint64_t word) { std::memcpy(bytes->data() + at, &word, 8); }

uint64_t PlaceSum(const std::string& bytes, uint64_t high, uint64_t low, size_t at, size_t length) {
  const uint64_t place[3] = {high, low, at};
  return Checksum(bytes.data() + at, length, Checksum(place, sizeof place));
}

void SealBlock(std::string* bytes, size_t at, size_t length, faster::LogAddress address,
               uint64_t generation) {
  SetWord(bytes, at, faster::BlockChecksum(bytes->data() + at, length, address, generation));
}

std::string NameOf(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }
std::string FolderOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

// Changes a text beside `path` that says something of it.
void Quote(Image* image, const std::string& path, std::string_view field, uint64_t word) {
  const auto found = image->find(path);
  if (found == image->end() || found->second == nullptr) return;
  std::string text = *found->second;
  if (!SetField(&text, field, "\"" + faster::HexWord(word) + "\"")) return;
  SealText(&text);
  found->second = std::make_shared<const std::string>(std::move(text));
}

// Block size, bytes of a segment and generations of the log in `folder`, as its newest checkpoint has them.
struct LogShape {
  uint32_t block_bytes = 0;
  uint64_t segment_bytes = 0;
  std::vector<faster::Generation> generations;
};

LogShape ShapeOf(const Image& image, const std::string& folder) {
  LogShape shape;
  ImageStorage storage(image);
  faster::Diagnosis why;
  if (folder == "cold") {
    uint64_t newest = 0;
    for (const auto& [path, bytes] : image) {
      faster::PairMetadata pair;
      if (bytes == nullptr || NameOf(path) != faster::kPairMetaName ||
          faster::ParseMetadata(*bytes, path, &pair, &why) != faster::Status::kOk ||
          pair.final_address < newest)
        continue;
      newest = pair.final_address;
      shape = {pair.block_bytes, uint64_t{pair.segment_pages} << pair.page_bits, pair.generations};
    }
    return shape;
  }
  std::vector<faster::CatalogEntry> entries;
  if (faster::ListCheckpoints(storage, folder, &entries, &why) != faster::Status::kOk || entries.empty() ||
      !entries.front().log.valid())
    return shape;
  const faster::LogMetadata& log = entries.front().log.metadata;
  return {log.block_bytes, uint64_t{log.segment_pages} << log.page_bits, log.generations};
}

}  // namespace

void SealText(std::string* text) {
  if (text->size() < kSealBytes) return;
  text->resize(text->size() - kSealBytes);
  const uint64_t sum = Checksum(text->data(), text->size());
  *text += ",\n  \"checksum\": \"" + faster::HexWord(sum) + "\"\n}\n";
}

bool SetField(std::string* text, std::string_view field, std::string_view value) {
  const std::string name = "\"" + std::string(field) + "\": ";
  const size_t at = text->find(name);
  if (at == std::string::npos) return false;
  const size_t from = at + name.size();
  text->replace(from, text->find_first_of(",\n", from) - from, value);
  return true;
}

void SealAbandoned(std::string* bytes) {
  if (bytes->size() >= 8) SetWord(bytes, bytes->size() - 8, Checksum(bytes->data(), bytes->size() - 8));
}

void SealIndexData(std::string* bytes, uint64_t* metadata_sum) {
  constexpr size_t kBlock = (faster::kIndexBlockWords + 1) * 8;
  if (bytes->size() < faster::kIndexHeaderBytes + faster::kIndexTrailerBytes) return;
  const uint64_t high = WordAt(*bytes, 16), low = WordAt(*bytes, 24);
  const size_t end = (bytes->size() - faster::kIndexTrailerBytes) & ~size_t{7};
  faster::ChecksumStream sums;
  const auto seal = [&](size_t from, size_t length) {
    const uint64_t sum = PlaceSum(*bytes, high, low, from, length - 8);
    SetWord(bytes, from + length - 8, sum);
    sums.Update(&sum, 8);
  };
  seal(0, faster::kIndexHeaderBytes);
  for (size_t at = faster::kIndexHeaderBytes; at + 16 <= end; at += kBlock)
    seal(at, std::min(kBlock, end - at));
  seal(end, faster::kIndexTrailerBytes);
  *metadata_sum = sums.Digest();
}

void SealSnapshot(std::string* bytes) {
  if (bytes->size() < faster::kSnapshotHeaderBytes) return;
  SetWord(bytes, 56, Checksum(bytes->data(), 56));
  const size_t block = WordAt(*bytes, 8) >> 32;
  if (block < 8) return;
  for (size_t at = faster::kSnapshotHeaderBytes; at + block <= bytes->size(); at += block)
    SealBlock(bytes, at, block, WordAt(*bytes, 32) + (at - faster::kSnapshotHeaderBytes), WordAt(*bytes, 48));
}

void SealDelta(std::string* bytes, uint64_t* header_sum) {
  if (bytes->size() < faster::kDeltaHeaderBytes) return;
  SetWord(bytes, 120, Checksum(bytes->data(), 120));
  *header_sum = WordAt(*bytes, 120);
  const uint64_t block = WordAt(*bytes, 8) >> 32, entries = WordAt(*bytes, 104);
  const size_t room = bytes->size() - faster::kDeltaHeaderBytes;
  if (block < 8 || room < 8 || entries > (room - 8) / (block + 16)) return;
  const size_t table = faster::kDeltaHeaderBytes + entries * block;
  for (uint64_t i = 0; i < entries; ++i) {
    const size_t at = faster::kDeltaHeaderBytes + i * block;
    SealBlock(bytes, at, block, WordAt(*bytes, table + i * 16), WordAt(*bytes, 88));
    SetWord(bytes, table + i * 16 + 8, WordAt(*bytes, at));
  }
  const uint64_t token[2] = {WordAt(*bytes, 16), WordAt(*bytes, 24)};
  SetWord(bytes, table + entries * 16,
          Checksum(bytes->data() + table, entries * 16, Checksum(token, sizeof token)));
}

void SealLog(std::string* bytes, faster::LogAddress from, uint32_t block_bytes,
             const std::vector<faster::Generation>& generations) {
  for (size_t at = 0; at + block_bytes <= bytes->size(); at += block_bytes) {
    uint64_t generation = 0;
    for (const faster::Generation& g : generations) {
      if (g.from <= from + at) generation = g.generation;
    }
    SealBlock(bytes, at, block_bytes, from + at, generation);
  }
}

void Reseal(Image* image, const std::string& path) {
  const auto found = image->find(path);
  if (found == image->end() || found->second == nullptr) return;
  std::string bytes = *found->second;
  const std::string name = NameOf(path), folder = FolderOf(path);
  uint64_t sum = 0, segment = 0;
  if (name.ends_with(".meta") || name.ends_with(".info")) SealText(&bytes);
  if (name == "abandoned") SealAbandoned(&bytes);
  if (name == faster::kLogSnapshotName) SealSnapshot(&bytes);
  if (name == faster::kIndexDataName) {
    SealIndexData(&bytes, &sum);
    Quote(image, faster::JoinPath(folder, faster::kIndexMetaName), "data_checksum", sum);
  }
  if (name == faster::kDeltaLogName) {
    SealDelta(&bytes, &sum);
    Quote(image, faster::JoinPath(folder, faster::kDeltaMetaName), "header_checksum", sum);
  }
  if (faster::ParseSegmentName(name, &segment)) {
    const LogShape shape = ShapeOf(*image, folder);
    if (shape.block_bytes != 0)
      SealLog(&bytes, segment * shape.segment_bytes, shape.block_bytes, shape.generations);
  }
  image->find(path)->second = std::make_shared<const std::string>(std::move(bytes));
}

}  // namespace damage
