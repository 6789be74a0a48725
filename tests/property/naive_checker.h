// NaiveChecker: the third opinion, for tiny histories: goes through every order of the operations of a key.
//
// Judges what is judged per key (R2-R5), as DESIGN 7 writes it, and nothing else: callers make sure that R0
// and R1 hold. Exponential; says nullopt if a key has more than kMostOperations operations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

#include "faults/oracle/history.h"
#include "faults/oracle/words.h"

namespace faults_test {

class NaiveChecker {
 public:
  static constexpr size_t kMostOperations = 6;

  explicit NaiveChecker(const faults::History& history) : history_(history) {}

  std::optional<bool> Legal() const {
    std::set<uint64_t> keys;
    for (const auto& op : history_.operations) keys.insert(op.key);
    for (const auto& recovery : history_.recoveries)
      for (const auto& entry : recovery.state) keys.insert(entry.first);
    for (const auto& entry : history_.final_state) keys.insert(entry.first);
    uint32_t incarnation = 0;
    const faults::Recovery* base = nullptr;
    for (size_t next = 0;; ++next) {
      for (uint64_t key : keys) {
        const std::optional<bool> legal = KeyLegal(incarnation, base, key);
        if (!legal.has_value() || !*legal) return legal;
      }
      while (next < history_.recoveries.size() && !Returned(history_.recoveries[next])) ++next;
      if (next == history_.recoveries.size()) return true;
      base = &history_.recoveries[next];
      ++incarnation;
    }
  }

 private:
  using State = std::vector<std::pair<uint64_t, uint64_t>>;
  static bool Returned(const faults::Recovery& recovery) {
    return recovery.status == faster::Status::kOk || recovery.status == faster::Status::kNotFound;
  }
  static uint64_t WordIn(const State& state, uint64_t key) {
    for (const auto& entry : state)
      if (entry.first == key) return entry.second;
    return 0;
  }
  struct Cut {
    uint64_t requested;
    const faults::Recovery* recovery;  // null: the end
    uint64_t word;
  };

  bool Within(const faults::Operation& op, const Cut& cut) const {
    if (cut.recovery == nullptr) return true;
    for (const auto& commit : cut.recovery->commits)
      if (commit.session == history_.sessions[op.session])
        return op.serial <= commit.serial &&
               std::find(commit.excluded.begin(), commit.excluded.end(), op.serial) == commit.excluded.end();
    return false;
  }

  std::vector<Cut> Cuts(uint32_t incarnation, uint64_t key) const {
    std::vector<Cut> cuts;
    for (const auto& event : history_.checkpoints)
      for (const auto& recovery : history_.recoveries)
        if (event.incarnation == incarnation && recovery.status == faster::Status::kOk &&
            recovery.log_token == event.token)
          cuts.push_back(Cut{event.requested, &recovery, WordIn(recovery.state, key)});
    std::stable_sort(cuts.begin(), cuts.end(), [](auto& a, auto& b) { return a.requested < b.requested; });
    uint32_t last = 0;
    for (const auto& recovery : history_.recoveries) last += Returned(recovery);
    if (history_.quiesced && incarnation == last)
      cuts.push_back(Cut{faults::kNever, nullptr, WordIn(history_.final_state, key)});
    return cuts;
  }

  std::optional<bool> KeyLegal(uint32_t incarnation, const faults::Recovery* base, uint64_t key) const {
    std::vector<const faults::Operation*> ops;
    for (const auto& op : history_.operations)
      if (op.incarnation == incarnation && op.key == key) ops.push_back(&op);
    if (ops.size() > kMostOperations) return std::nullopt;
    const std::vector<Cut> cuts = Cuts(incarnation, key);
    const uint64_t start = base == nullptr ? 0 : WordIn(base->state, key);
    for (uint32_t subset = 0; subset < 1u << ops.size(); ++subset) {
      std::vector<const faults::Operation*> chosen;
      bool allowed = true;
      for (size_t i = 0; i < ops.size(); ++i) {
        bool committed = false;
        for (const Cut& cut : cuts) committed |= Within(*ops[i], cut);
        if (subset >> i & 1)
          chosen.push_back(ops[i]);
        else
          allowed &= ops[i]->outcome == faults::OpOutcome::kUnknown && !committed;
      }
      if (!allowed) continue;
      std::sort(chosen.begin(), chosen.end());
      do {
        if (OrderLegal(chosen, cuts, start)) return true;
      } while (std::next_permutation(chosen.begin(), chosen.end()));
    }
    return false;
  }

  static bool IsUpdate(const faults::Operation& op) {
    return op.type != faults::OpType::kRead && op.outcome != faults::OpOutcome::kFail;
  }

  bool OrderLegal(const std::vector<const faults::Operation*>& order, const std::vector<Cut>& cuts,
                  uint64_t start) const {
    for (size_t i = 0; i < order.size(); ++i)  // real time
      for (size_t j = i + 1; j < order.size(); ++j)
        if (order[j]->responded < order[i]->invoked) return false;
    for (const Cut& cut : cuts) {  // closure: nothing of C after an update outside C
      bool outside = false;
      for (const faults::Operation* op : order) {
        // An upsert or RMW that was refused did nothing and is nowhere in the order.
        if (op->outcome == faults::OpOutcome::kFail && op->type != faults::OpType::kRead &&
            op->type != faults::OpType::kDelete)
          continue;
        if (op->outcome == faults::OpOutcome::kUnknown && op->type == faults::OpType::kRead) continue;
        if (Within(*op, cut) && outside) return false;
        outside |= !Within(*op, cut) && IsUpdate(*op);
      }
    }
    uint64_t word = start;
    for (const faults::Operation* op : order)
      if (!Step(*op, &word)) return false;
    for (const Cut& cut : cuts) {  // C's updates alone, in this order, make the state
      word = start;
      for (const faults::Operation* op : order)
        if (IsUpdate(*op) && Within(*op, cut)) (void)Step(*op, &word);
      if (word != cut.word) return false;
    }
    return true;
  }

  static bool Step(const faults::Operation& op, uint64_t* word) {
    const bool fail = op.outcome == faults::OpOutcome::kFail;
    const bool unknown = op.outcome == faults::OpOutcome::kUnknown;
    switch (op.type) {
      case faults::OpType::kRead:
        return unknown || (fail ? *word == 0 : *word == op.result && op.result != 0);
      case faults::OpType::kUpsert:
        *word = fail ? *word : op.operand;
        return true;
      case faults::OpType::kDelete:
        if (fail) return *word == 0;
        *word = 0;
        return true;
      case faults::OpType::kRmw:
        if (fail) return true;
        *word = faults::RmwWord(*word, op.operand);
        return unknown || op.result == 0 || op.result == *word;
      case faults::OpType::kInsert:
      case faults::OpType::kTruncate:
        break;  // not in its histories
    }
    return false;
  }

  const faults::History& history_;
};

}  // namespace faults_test
