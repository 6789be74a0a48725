// LinearChecker: judges a whole history (R0-R6, scan agreement) in O(n log n) through traceable values.
//
// Steps: well-formedness (kHistory), checkpoints and recoveries (linear_cuts.h: R0, R1, where serials
// restart), then every key of every incarnation on its own (linear_key.h: R2-R5), agreement of lookup and
// scan, and R6. On a violation of a key the same key is judged again under weaker rules to name the rule:
//   illegal without cuts and levels  R2, or R5 if some other starting word would have made it legal
//   illegal without cuts             R3
//   otherwise                        R4; for the final state R5 (R2 if there was no recovery)
//
// R6 is checked on updates: no update outside a cut may have ended before an update inside it began. Reads
// do not count: with a read that is lost a correct CPR breaks even that (see DESIGN 7, cases).
//
// Traceable means: within a key no two updates leave the same word. Otherwise, and when more than a few RMWs
// of one key have no known result, the verdict is `undecided` (never a wrong verdict).
//
// Thread-safety: one checker per thread; it keeps its memory between calls.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "faults/oracle/history.h"
#include "faults/oracle/history_check.h"
#include "faults/oracle/linear_cuts.h"
#include "faults/oracle/linear_key.h"
#include "faults/oracle/word_table.h"

namespace faults {

class LinearChecker {
 public:
  Verdict Check(const History& history);

 private:
  struct Violation {
    Rule rule = Rule::kNone;
    uint32_t key = 0;  // dense
    KeyFailure failure;
  };

  void GroupByKey();
  bool LoadWords(uint32_t incarnation, Verdict* verdict);
  bool LoadState(const std::vector<std::pair<uint64_t, uint64_t>>& state, uint64_t* words, size_t stride,
                 const char* where, Rule rule, Verdict* verdict);
  bool CheckIncarnation(uint32_t incarnation, Verdict* verdict);
  bool CheckKey(uint32_t incarnation, uint32_t key, Verdict* verdict);
  Violation Classify(uint32_t incarnation, KeyInput input, const KeyFailure& failure);
  bool LegalFromElsewhere(KeyInput input);
  void Report(uint32_t incarnation, const Violation& violation, Verdict* verdict);
  bool CheckScans(Verdict* verdict);
  void CheckBuffered(Verdict* verdict);
  uint32_t KeyId(uint64_t key);

  const History* history_ = nullptr;
  HistoryCheck form_;
  LinearCuts cuts_;
  LinearKey key_checker_;
  WordTable key_ids_;
  std::vector<uint64_t> keys_;  // by dense id
  static constexpr uint32_t kNoKey = ~0u;
  std::vector<uint32_t> truncates_;  // operations of no key
  std::vector<uint32_t> incarnation_truncates_;
  std::vector<uint32_t> truncate_levels_;
  std::vector<uint32_t> op_key_;       // dense id of every operation's key
  std::vector<uint32_t> op_level_;     // of every operation
  std::vector<uint32_t> group_start_;  // by incarnation * keys + key
  std::vector<uint32_t> grouped_;      // operations by group
  std::vector<uint32_t> grouped_level_;
  std::vector<uint64_t> base_words_;
  std::vector<uint64_t> cut_words_;  // key-major
  std::vector<Violation> violations_;
  std::vector<std::pair<uint64_t, uint64_t>> sorted_state_;
  std::vector<std::pair<uint64_t, uint64_t>> sorted_scan_;
};

}  // namespace faults
