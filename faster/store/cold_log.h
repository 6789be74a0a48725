// ColdLog: the records of the cold store, a HybridLog with little memory that is written by migrations only.
//
// Its records have no version: whether one counts is a matter of the cold index, which is recovered to a
// state whose entries all lie below the final address of the pair (f2_kv.h). So nothing is replayed or undone
// here; what a crash leaves above that address no block of a later incarnation verifies with, nor any entry
// leads to. A record that lost the race for its entry stays in the log, reached by nobody.
//
// THREAD-SAFETY: as HybridLog, whose epoch is the hot store's; Load, Start* before it is shared; MakeDurable
// one at a time. Blocking where it says so.
#pragma once

#include <memory>
#include <vector>

#include "faster/core/config.h"
#include "faster/log/hybrid_log.h"

namespace faster {

class ColdLog {
 public:
  // The page that the log of a pair ends in, read and verified.
  struct Tail {
    LogAddress from = 0;  // a page start
    std::vector<uint64_t> words;
  };

  ColdLog(const StoreConfig& config, Storage* storage, LightEpoch* epoch);
  ~ColdLog();

  // Reads only, blocking. kCorruption and which block.
  static Status Load(const StoreConfig& config, Storage* storage, const PairMetadata& pair, Tail* tail,
                     Diagnosis* why);
  Status Open(Diagnosis* why) { return log_.AllocateBuffer(why); }
  void StartEmpty(uint64_t generation) { log_.StartEmpty(generation); }
  void StartRecovered(const PairMetadata& pair, const Tail& tail, uint64_t generation);

  // Everything appended before the call is durable below *final, a block boundary. Blocking. An error of the
  // device: nothing is promised.
  Status MakeDurable(LogAddress* final);

  HybridLog& log() { return log_; }

 private:
  LightEpoch* const epoch_;
  LightEpoch::Entry* const entry_;  // of MakeDurable
  HybridLog log_;
};

}  // namespace faster
