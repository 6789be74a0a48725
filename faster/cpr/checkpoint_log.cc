#include "faster/cpr/checkpoint_log.h"

#include <algorithm>

#include "faster/core/checksum.h"
#include "faster/core/words.h"

namespace faster {

uint64_t GenerationAt(const std::vector<Generation>& generations, LogAddress address) {
  for (size_t i = generations.size(); i-- > 0;) {
    if (generations[i].from <= address) return generations[i].generation;
  }
  return 0;
}

Status CheckpointLog::Open(Storage* storage, std::string_view directory, Diagnosis* why) {
  return log_.use_snapshot_file ? image_.Open(storage, directory, &log_, why) : Status::kOk;
}

Status CheckpointLog::BadBlock(LogAddress block, Status status, Diagnosis* why) const {
  *why = {file_.PathOf(block), file_.OffsetOf(block), "a readable log block", "a read error of the device"};
  if (status == Status::kIoError) return status;
  why->expected = "a log block with a good checksum";
  why->found = status == Status::kShortIo ? "no such bytes" : "a wrong checksum";
  return Status::kCorruption;
}

// A part of one segment.
Status CheckpointLog::ReadMain(LogAddress from, LogAddress to, uint8_t* bytes, Diagnosis* why) const {
  const Status status = file_.Read(from, bytes, to - from);
  if (status != Status::kOk) return BadBlock(from, status, why);
  for (LogAddress block = from; block < to; block += log_.block_bytes) {
    const uint8_t* const at = bytes + (block - from);
    const uint64_t sum = BlockChecksum(at, log_.block_bytes, block, GenerationAt(log_.generations, block));
    if (LoadWord(reinterpret_cast<const uint64_t*>(at)) != sum)
      return BadBlock(block, Status::kCorruption, why);
  }
  return Status::kOk;
}

Status CheckpointLog::Read(LogAddress from, LogAddress to, uint8_t* bytes, Diagnosis* why) const {
  const LogAddress split = std::clamp(log_.flushed_until, from, to);
  for (LogAddress at = from; at < split;) {
    const LogAddress end = std::min(split, at - file_.OffsetOf(at) + file_.segment_bytes());
    const Status status = ReadMain(at, end, bytes + (at - from), why);
    if (status != Status::kOk) return status;
    at = end;
  }
  return split < to ? image_.Read(split, to, bytes + (split - from), why) : Status::kOk;
}

Diagnosis CheckpointLog::PlaceOf(LogAddress at) const {
  if (at < log_.flushed_until || !log_.use_snapshot_file)
    return {file_.PathOf(at), file_.OffsetOf(at), "", ""};
  const uint64_t in_block = at & (log_.block_bytes - 1);
  Diagnosis place = image_.PlaceOf(at - in_block);
  place.offset += in_block;
  return place;
}

}  // namespace faster
