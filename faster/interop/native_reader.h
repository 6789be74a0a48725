// NativeReader: the records of one checkpoint of a store, in the order of the log. It changes nothing, and
// does not take the directory's lock: a store may run meanwhile as long as the checkpoint is not removed.
//
// Only records of version v and below that no recovery undid, so the last one of a key is its state. For
// 8-byte keys and values. Blocks are verified against their checksums. A deleted record is in the stream as a
// tombstone.
//
// One thread; blocking. ERRORS: as a recovery of the checkpoint. kUnsupported: other records, or a hot store
// whose other half would be missing.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "faster/core/checkpoint_types.h"
#include "faster/core/record.h"
#include "faster/cpr/checkpoint_log.h"
#include "faster/cpr/recovery.h"
#include "faster/cpr/replay_rules.h"
#include "faster/device/storage.h"
#include "faster/interop/transfer.h"
#include "faster/log/segmented_file.h"

namespace faster {

class NativeReader {
 public:
  // Absent `token`: the newest.
  Status Open(Storage* storage, std::string_view directory, const std::optional<Token>& token,
              Diagnosis* why);
  const LogMetadata& log() const { return log_; }
  // kUnsupported unless formats without excluded serials, for at most `most` sessions, can hold its sessions.
  Status RequirePlainSessions(size_t most, Diagnosis* why) const;

  // visit(key, value, tombstone) for each, until it returns another status than kOk.
  template <class Visit>
  Status ForEach(const TransferObserver& observer, Visit&& visit, Diagnosis* why) {
    using Rec = Record<uint64_t, uint64_t>;
    const uint64_t part_bytes = PartBytes();
    const std::unique_ptr<uint64_t[]> part(new uint64_t[part_bytes / 8]);
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(part.get());
    const LogAddress first = log_.begin_address & ~LogAddress{log_.block_bytes - 1};
    for (LogAddress from = first, to = 0; from < log_.final_address; from = to) {
      to = std::min((from & ~(part_bytes - 1)) + part_bytes, log_.final_address);
      Status status = source_->Read(from, to, bytes, why);
      const auto look = [&](LogAddress at, uint8_t* memory, RecordHeader header) {
        if (status != Status::kOk || header.invalid() || at < log_.begin_address) return;
        if (FateOf(log_, at, header) != RecordFate::kLive) return;
        const Rec* const record = Rec::At(memory);
        status = visit(record->key().word[0], record->Load().word[0], header.tombstone());
      };
      for (LogAddress block = from; status == Status::kOk && block < to; block += log_.block_bytes)
        static_cast<void>(  // records of one size end in their block
            ForEachRecord(block, bytes + (block - from), log_.block_bytes, RecordSizes{Rec::kBytes}, look));
      if (status != Status::kOk) return status;
      Report(observer, "reading records", to - first, log_.final_address - first);
    }
    return Status::kOk;
  }

 private:
  uint64_t PartBytes() const;  // that are read at a time; a power of two

  std::string directory_;
  LogMetadata log_;
  std::unique_ptr<SegmentedFile> file_;
  std::optional<CheckpointLog> source_;  // of log_ and file_
};

}  // namespace faster
