#include "faster/store/cold_log.h"

#include <algorithm>
#include <thread>

#include "faster/core/checksum.h"
#include "faster/core/words.h"
#include "faster/cpr/checkpoint_log.h"

namespace faster {

ColdLog::ColdLog(const StoreConfig& config, Storage* storage, LightEpoch* epoch)
    : epoch_(epoch), entry_(epoch->Acquire()), log_(config, storage, epoch) {}

ColdLog::~ColdLog() { epoch_->Release(entry_); }

Status ColdLog::Load(const StoreConfig& config, Storage* storage, const PairMetadata& pair, Tail* tail,
                     Diagnosis* why) {
  const LogAddress final = pair.final_address;
  tail->from = (std::max<LogAddress>(final, 1) - 1) & ~(config.page_bytes() - 1);
  tail->words.assign((final - tail->from) / 8, 0);
  if (final == tail->from) return Status::kOk;
  SegmentedFile file(storage, config.directory, config.page_bytes() * config.segment_pages,
                     config.open_segments);
  uint8_t* const bytes = reinterpret_cast<uint8_t*>(tail->words.data());
  Status status = file.Read(tail->from, bytes, final - tail->from);
  const bool missing = status == Status::kShortIo;
  if (status != Status::kOk) {
    *why = {file.PathOf(tail->from), file.OffsetOf(tail->from), "the last page of the cold log",
            missing ? "no such bytes" : "a read error of the device"};
    return missing ? Status::kCorruption : status;
  }
  for (LogAddress block = tail->from; block < final; block += config.block_bytes) {
    const uint8_t* const at = bytes + (block - tail->from);
    const uint64_t sum = BlockChecksum(at, config.block_bytes, block, GenerationAt(pair.generations, block));
    if (LoadWord(reinterpret_cast<const uint64_t*>(at)) == sum) continue;
    *why = {file.PathOf(block), file.OffsetOf(block), "a log block with a good checksum", "a wrong checksum"};
    return Status::kCorruption;
  }
  return Status::kOk;
}

void ColdLog::StartRecovered(const PairMetadata& pair, const Tail& tail, uint64_t generation) {
  LogMetadata log;
  log.version_bits = 1;
  log.begin_address = pair.begin_address;
  log.start_address = log.final_address = log.flushed_until = pair.final_address;
  log.generations = pair.generations;
  if (!tail.words.empty()) {
    CopyToShared(reinterpret_cast<uint64_t*>(log_.At(tail.from)), tail.words.data(), tail.words.size());
  }
  log_.StartRecovered(log, std::max<LogAddress>(tail.from, 8), pair.final_address, generation);
}

Status ColdLog::MakeDurable(LogAddress* final) {
  const uint64_t failures = log_.write_failures();
  *final = log_.CloseBlock();
  log_.RetryFailedWrites();
  log_.ShiftReadOnly(*final);
  while (log_.flushed_until() < *final) {
    if (log_.write_failures() != failures) return log_.last_write_failure();
    log_.Poll();
    std::this_thread::yield();
  }
  return log_.SyncUntil(*final, entry_);
}

}  // namespace faster
