// What the sessions of a hot store see of the cold store below it (f2_kv.h): a log of records and an index of
// where the chain of a key begins in it, part of which is on disk.
//
// An index session belongs to one session of the hot store (or to one migration) and is used by whoever owns
// that. The index is an array of chunks of entries; a hash names a chunk and an entry in it. An entry is the
// newest record of its chain, 0 if there never was one; below the begin of the cold log it means nothing.
#pragma once

#include <memory>

#include "faster/cpr/checkpoint_partner.h"
#include "faster/index/hash_table.h"
#include "faster/log/hybrid_log.h"

namespace faster {

class ColdIndexSession {
 public:
  explicit ColdIndexSession(uint32_t entries) : mask_(entries - 1) {}  // a chunk's, a power of two
  virtual ~ColdIndexSession() = default;

  // kOk: *first is the entry of `hash`. kPending: Collect() hands `waiter` over. Or an error of the device.
  virtual Status First(KeyHash hash, void* waiter, LogAddress* first) = 0;
  // Makes the entry `desired` if it is `expected`: *won tells. kPending: won if the chunk that Collect()
  // hands over has `desired`, which nobody else writes.
  virtual Status Replace(KeyHash hash, LogAddress expected, LogAddress desired, void* waiter, bool* won) = 0;
  // Bounded work on what is pending; answers what has ended. `chunk`: for kOk, null if it does not exist.
  using Answer = void (*)(void* client, void* waiter, Status status, const LogAddress* chunk);
  virtual void Collect(Answer answer, void* client) = 0;

  uint32_t SlotOf(KeyHash hash) const { return static_cast<uint32_t>(hash.tag()) & mask_; }
  LogAddress Entry(const LogAddress* chunk, KeyHash hash) const {
    return chunk == nullptr ? 0 : chunk[SlotOf(hash)];
  }

 private:
  const uint32_t mask_;
};

// Its checkpoints are part of those of the hot store: the partner of that one's Checkpointer.
class ColdTier : public CheckpointPartner {
 public:
  virtual HybridLog& log() = 0;                                     // of the hot store's epoch
  virtual std::unique_ptr<ColdIndexSession> NewIndexSession() = 0;  // nullptr: no room for another
};

}  // namespace faster
