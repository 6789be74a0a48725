// SnapshotWriter: saves the log above flushed_until beside the main log, whole (log.snapshot, CPR paper App.
// D) or as what changed since the last time (a delta).
//
// HOW A CHANGE IS FOUND. In Rest, records of any version are updated in place and keep their version, and an
// operation shall not pay for checkpoints that may never come: so no record and no page says that it changed.
// The writer remembers the seal (block checksum) of each block as it saved it, and seals a copy of each block
// again: a block whose seal is the same is not written. This sees every change, whoever made it and whatever
// its version; that two contents of one block share a 64-bit checksum is what recovery relies on not to
// happen, too.
//
// WHAT MAY BE IN A BLOCK. Records of v are at rest in WaitFlush, so a copy has them as committed. Records of
// v+1 below the final address may change while they are copied; recovery undoes them, by address and version,
// in a delta as in a snapshot. The next delta finds them changed and writes their block again.
//
// CHAIN. A delta builds on the last snapshot or delta that became durable, in this incarnation or as the one
// that was recovered: Keep() after the commit mark is durable, so a checkpoint that failed is never built on.
// There is nothing to build on if all of that has been flushed to the main log since; then, and when the
// chain is config.delta_chain deltas long, a snapshot starts a new one.
//
// One call at a time (the checkpoint job). COST: 8 bytes of memory a block of the range; a checksum of each
// block (18 GB/s measured for 4 KiB), writes of what changed.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/config.h"
#include "faster/device/storage.h"
#include "faster/log/hybrid_log.h"

namespace faster {

// What a delta can be taken against.
struct SnapshotState {
  DeltaChain chain;  // base null: nothing
  LogAddress first = 0;
  LogAddress end = 0;
  std::vector<uint64_t> seals;  // of each block of [first, end), with the running incarnation's generation

  const Token& last() const { return chain.deltas.empty() ? chain.base : chain.deltas.back(); }
};

class SnapshotWriter {
 public:
  SnapshotWriter(const StoreConfig& config, Storage* storage, HybridLog* log)
      : config_(config), storage_(storage), log_(log) {}

  void Begin(SnapshotState recovered) { kept_ = std::move(recovered); }
  // Writes and syncs the files that hold the log from *flushed_until* on, and says in *metadata which part
  // that is and how it is kept.
  Status Write(bool incremental, LogMetadata* metadata, LightEpoch::Entry* entry);
  // What was written last is durable: the next delta builds on it.
  void Keep() { kept_ = std::move(written_); }

  // Bytes of the range gone through, and in all. Any thread.
  uint64_t done() const { return done_.load(std::memory_order_acquire); }
  uint64_t total() const { return total_.load(std::memory_order_acquire); }

 private:
  Status WriteWhole(const LogMetadata& metadata, LightEpoch::Entry* entry);
  Status WriteDelta(LogMetadata* metadata, LightEpoch::Entry* entry);
  // Calls save(address, sealed blocks, bytes) for each part of the range, in order; fills written_.
  template <class Save>
  Status ForEachPart(const LogMetadata& metadata, LightEpoch::Entry* entry, Save&& save);
  bool Changed(LogAddress block, uint64_t seal) const;

  const StoreConfig& config_;
  Storage* const storage_;
  HybridLog* const log_;
  SnapshotState kept_;
  SnapshotState written_;
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> total_{0};
};

}  // namespace faster
