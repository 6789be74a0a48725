#include "faster/inspect/hash_choice.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "faster/cpr/formats.h"
#include "faster/cpr/index_data.h"
#include "faster/cpr/recovery.h"
#include "faster/cpr/replay_rules.h"

namespace faster {
namespace {

constexpr size_t kSamples = 64;

class Sampling {
 public:
  Sampling(const LogMetadata& log, const CheckpointLog& source, std::span<const NamedHash> known)
      : log_(log), source_(source), form_(log), block_(new uint64_t[log.block_bytes / 8]) {
    for (const NamedHash& hash : known) candidates_.push_back({&hash, 0});
  }

  // The record at `at` has this tag.
  void Tell(LogAddress at, uint64_t tag) {
    const uint8_t* const record = RecordAt(at);
    if (record == nullptr) return;
    const std::string_view key = form_.Key(record);
    for (auto& [hash, fits] : candidates_) fits += KeyHash{hash->of(key)}.tag() == tag;
    ++told_;
  }
  // The key of a record whose link leads to `at`.
  void TellLink(std::string_view key, LogAddress at) {
    const uint8_t* const record = RecordAt(at);
    if (record == nullptr) return;
    const std::string_view older = form_.Key(record);
    if (key == older) return;  // which says nothing
    for (auto& [hash, fits] : candidates_)
      fits += KeyHash{hash->of(key)}.tag() == KeyHash{hash->of(older)}.tag();
    ++told_;
  }
  bool enough() const { return told_ >= kSamples; }
  const NamedHash* Result() const {
    for (const auto& [hash, fits] : candidates_) {
      if (2 * fits > told_) return hash;
    }
    return nullptr;
  }
  const RecordForm& form() const { return form_; }

 private:
  const uint8_t* RecordAt(LogAddress at) {
    const LogAddress block = at & ~LogAddress{log_.block_bytes - 1};
    const uint64_t in_block = at - block;
    if (at < log_.begin_address || at >= log_.final_address || !CanHoldRecord(at, log_.block_bytes))
      return nullptr;
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(block_.get());
    Diagnosis why;
    if (source_.Read(block, block + log_.block_bytes, bytes, &why) != Status::kOk) return nullptr;
    const RecordHeader header{LoadWord(reinterpret_cast<const uint64_t*>(bytes + in_block))};
    if (!header.present() || header.invalid()) return nullptr;
    return form_.sizes()(bytes + in_block, log_.block_bytes - in_block) != 0 ? bytes + in_block : nullptr;
  }

  const LogMetadata& log_;
  const CheckpointLog& source_;
  const RecordForm form_;
  const std::unique_ptr<uint64_t[]> block_;
  std::vector<std::pair<const NamedHash*, size_t>> candidates_;  // and how many samples they fit
  size_t told_ = 0;
};

void AskIndex(Storage* storage, std::string_view directory, const IndexMetadata& index, Sampling* sampling) {
  const std::string path = CheckpointPath(directory, index.token, kIndexDataName);
  std::unique_ptr<File> file;
  Diagnosis why;
  if (storage->Open(path, OpenMode::kRead, &file) != Status::kOk) return;
  IndexDataReader reader(file.get(), path, index);
  if (reader.Open(&why) != Status::kOk) return;
  std::unique_ptr<uint64_t[]> words(new uint64_t[kIndexBlockWords + 1]);
  for (uint64_t block = 0; block < std::min<uint64_t>(reader.blocks(), 4); ++block) {
    if (reader.ReadBlock(block, words.get(), &why) != Status::kOk) continue;
    for (uint64_t i = 0; i < reader.WordsIn(block) && !sampling->enough(); ++i) {
      const HashEntry entry{words[i]};
      if (i % kIndexBucketWords == kIndexBucketWords - 1 || entry.free() || entry.tentative()) continue;
      sampling->Tell(entry.address(), entry.tag());
    }
  }
}

void AskLinks(const LogMetadata& log, const CheckpointLog& source, Sampling* sampling) {
  constexpr uint64_t kMostBlocks = 256;
  std::unique_ptr<uint64_t[]> block(new uint64_t[log.block_bytes / 8]);
  uint8_t* const bytes = reinterpret_cast<uint8_t*>(block.get());
  LogAddress at = log.final_address;
  for (uint64_t i = 0; i < kMostBlocks && at >= log.begin_address + log.block_bytes; ++i) {
    at -= log.block_bytes;
    Diagnosis why;
    if (source.Read(at, at + log.block_bytes, bytes, &why) != Status::kOk) continue;
    const RecordForm& form = sampling->form();
    const Status walked = ForEachRecord(
        at, bytes, log.block_bytes, form.sizes(),
        [&](LogAddress where, uint8_t* record, RecordHeader header) {
          if (header.invalid() || FateOf(log, where, header) != RecordFate::kLive || sampling->enough())
            return;
          if (header.previous() != 0) sampling->TellLink(form.Key(record), header.previous());
        });
    if (walked != Status::kOk || sampling->enough()) return;
  }
}

}  // namespace

const NamedHash* ChooseHash(Storage* storage, std::string_view directory, const LogMetadata& log,
                            const CheckpointLog& source, const IndexMetadata* index,
                            std::span<const NamedHash> known) {
  if (known.empty()) return nullptr;
  Sampling sampling(log, source, known);
  if (index != nullptr)
    AskIndex(storage, directory, *index, &sampling);
  else
    AskLinks(log, source, &sampling);
  return sampling.Result();
}

}  // namespace faster
