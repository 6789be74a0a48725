// The cuts of a history, for the linear checker: which checkpoint every recovery returned, what was in it,
// and whether it may be so (R0 progress, R1 bounds of DESIGN).
//
// A *cut* belongs to the incarnation that took the checkpoint, and has a commit point for every session and a
// state. An incarnation has as many cuts as different checkpoints of it were ever recovered; they are nested.
// A quiesced last incarnation ends with one more cut that holds every operation: the final state.
//
// R1 is judged against *lineages*: the parent of a checkpoint is the one before it in its incarnation, or the
// one that the incarnation was recovered from. "Latest" must return the newest durable checkpoint of the
// lineage that just crashed, or a newer one of it. A recovery to a named older checkpoint cuts the lineage
// there: what was newer is abandoned and is not the latest any more.
//
// Durable means: the callback said kOk, a session was told its commit point, or a recovery returned it.
// Thread-safety: none (scratch memory). Cost: O(operations log checkpoints + recoveries x sessions).
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "faults/oracle/history.h"

namespace faults {

class LinearCuts {
 public:
  struct Cut {
    uint32_t recovery = 0;  // index into History::recoveries, or kFinal
    uint32_t checkpoint = 0;
    uint64_t requested = 0;
    const std::vector<std::pair<uint64_t, uint64_t>>* state = nullptr;
    uint32_t serials = 0;   // start of the commit points in the pool
    uint32_t excluded = 0;  // start of the excluded serials in their pool
  };
  static constexpr uint32_t kFinal = ~0u;
  static constexpr uint32_t kNone = ~0u;

  // False with *verdict set if R0 or R1 is violated. `history` is well formed and outlives the use.
  bool Build(const History& history, Verdict* verdict);

  uint32_t incarnations() const { return static_cast<uint32_t>(bases_.size()); }
  // What the incarnation started from: a recovery's index or kNone for the empty store.
  uint32_t base_recovery(uint32_t incarnation) const { return bases_[incarnation].recovery; }
  std::span<const Cut> cuts(uint32_t incarnation) const {
    return {cuts_.data() + first_cut_[incarnation], cuts_.data() + first_cut_[incarnation + 1]};
  }
  uint64_t serial(const Cut& cut, uint32_t session) const { return pool_[cut.serials + session]; }
  // The level of an operation: the first cut of its incarnation that holds it, or the number of cuts.
  uint32_t Level(const Operation& op) const {
    const uint32_t first = first_cut_[op.incarnation];
    const uint32_t count = first_cut_[op.incarnation + 1] - first;
    uint32_t level = 0;
    while (level < count && !Holds(cuts_[first + level], op)) ++level;
    return level;
  }

 private:
  using Serials = std::vector<uint64_t>;
  static bool IsIn(const Serials* serials, uint64_t serial) {
    return serials != nullptr && std::binary_search(serials->begin(), serials->end(), serial);
  }
  bool Holds(const Cut& cut, const Operation& op) const {
    return op.serial <= pool_[cut.serials + op.session] && !IsIn(sets_[cut.excluded + op.session], op.serial);
  }

  struct Base {
    uint32_t recovery = kNone;      // that started the incarnation
    uint32_t checkpoint = kNone;    // that it returned
    uint32_t serials = 0;           // its commit points, in the pool
    uint32_t excluded = 0;          // and what they exclude
    uint32_t first_checkpoint = 0;  // in order_
    uint32_t checkpoints = 0;
  };
  struct Log {  // one checkpoint that captures the log
    uint32_t event = 0;
    uint32_t parent = kNone;
    bool durable = false;
    bool known = false;    // its commit points are
    uint32_t serials = 0;  // known commit points, pool
    uint32_t excluded = 0;
    uint32_t told = 0;  // what sessions were told, kNever if nothing, pool
    uint32_t told_excluded = 0;
    uint32_t lower = 0;  // bounds, pool
    uint32_t upper = 0;
    uint32_t state_recovery = kNone;  // the first recovery that returned it
  };

  bool Fail(Rule rule, std::string what, std::vector<uint32_t> witness = {});
  void Prepare();
  void SortCheckpoints();
  void MeasureBounds();
  uint32_t Allocate(uint64_t value);
  uint32_t AllocateSets();
  uint32_t FindSession(const faster::Guid& guid) const;
  uint32_t FindLog(const faster::Token& token) const;
  bool StartIncarnation(uint32_t incarnation);
  bool CheckSerialStart();
  bool CheckCallbacks(uint32_t incarnation);
  bool CheckReports(uint32_t incarnation);
  bool CheckReport(const SessionReport& report);
  bool CheckBounds(uint32_t log, uint32_t serials, const std::vector<bool>& present, const std::string& who);
  bool CheckKnown(uint32_t log, const std::string& who);
  bool CheckNeighbour(uint32_t log, uint32_t other, uint32_t session, const std::string& who);
  bool Spread(const std::vector<faster::SessionCommit>& commits, uint32_t serials, uint32_t excluded,
              const std::string& who);
  // linear_excluded.cc
  bool CheckContinued(const SessionReport& report, const std::string& who);
  bool EndedWithError(uint32_t incarnation, uint32_t session, uint64_t serial) const;
  bool CheckExcluded(uint32_t log, uint32_t session, uint64_t serial, const Serials* excluded,
                     const std::string& who);
  bool CheckCarried(uint32_t log, uint32_t session, const Serials* excluded, const std::string& who);
  bool CheckStillOpen(const CheckpointEvent& event, uint32_t session, const Serials& excluded,
                      const std::string& who);
  uint64_t FirstClaim(uint32_t incarnation, uint32_t session, bool answered) const;
  bool CheckRecovery(uint32_t index);
  bool CheckRefusal(const Recovery& recovery);
  bool CheckEmpty(uint32_t index);
  bool CheckLatest(uint32_t log, const Recovery& recovery);
  bool DurableInLineage(uint32_t incarnation) const;
  uint32_t Head(uint32_t incarnation) const;
  void CollectCuts();
  std::string LogName(uint32_t log) const;

  const History* history_ = nullptr;
  Verdict* verdict_ = nullptr;
  std::vector<uint64_t> pool_;
  std::vector<const Serials*> sets_;  // excluded serials by session; null: none. Of the history
  std::vector<Base> bases_;
  std::vector<Log> logs_;         // by (incarnation, requested)
  std::vector<uint32_t> by_end_;  // the same by the end of each, within its incarnation
  std::vector<uint32_t> by_guid_;
  std::vector<Cut> cuts_;
  std::vector<uint32_t> first_cut_;
  std::vector<bool> present_;
  std::vector<uint64_t> first_serial_;
};

}  // namespace faults
