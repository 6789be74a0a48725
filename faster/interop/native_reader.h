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

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/record.h"
#include "faster/cpr/catalog.h"
#include "faster/cpr/log_image.h"
#include "faster/device/storage.h"
#include "faster/interop/transfer.h"

namespace faster {

class NativeReader {
 public:
  // Absent `token`: the newest.
  Status Open(Storage* storage, std::string_view directory, const std::optional<Token>& token,
              Diagnosis* why);
  const LogMetadata& log() const { return log_; }

  // visit(key, value, tombstone) for each, until it returns another status than kOk.
  template <class Visit>
  Status ForEach(const TransferObserver& observer, Visit&& visit, Diagnosis* why) {
    using Rec = Record<uint64_t, uint64_t>;
    const LogAddress first = log_.begin_address & ~LogAddress{log_.block_bytes - 1};
    for (LogAddress from = first; from < log_.final_address;) {
      LogAddress to = 0;
      Status status = ReadPart(from, &to, why);
      for (LogAddress block = from; status == Status::kOk && block < to; block += log_.block_bytes) {
        for (uint64_t at = 8; status == Status::kOk && at + Rec::kBytes <= log_.block_bytes;) {
          const Rec* const record = Rec::At(part_.get() + (block - from + at) / 8);
          const RecordHeader header = record->header();
          at += header.present() ? Rec::kBytes : 8;
          if (!header.present() || !Counts(header, block + at - Rec::kBytes)) continue;
          status = visit(record->key().word[0], record->Load().word[0], header.tombstone());
        }
      }
      if (status != Status::kOk) return status;
      Report(observer, "reading records", to - first, log_.final_address - first);
      from = to;
    }
    return Status::kOk;
  }

 private:
  bool Counts(RecordHeader header, LogAddress at) const;
  Status ReadPart(LogAddress from, LogAddress* to, Diagnosis* why);  // into part_; *to: its end

  LogMetadata log_;
  LogImage image_;
  Storage* storage_ = nullptr;
  std::string directory_;
  std::unique_ptr<File> file_;  // the segment at hand
  std::string path_;
  std::unique_ptr<uint64_t[]> part_;
  uint64_t part_bytes_ = 0;
};

}  // namespace faster
