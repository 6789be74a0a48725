// Expectation: what every key of a killed run must hold, computed from the sessions' commit points alone.
//
// A session's operations are a function of its seed and their serials, so the operations up to a commit point
// can be done again, on an array. Two kinds of workloads can be checked:
//   additive     (rmwproportion, reads): a key's word is the loaded word plus the operands of its committed
//   RMWs;
//                exact, as additions commute
//   last writer  (updates, reads, YCSB's read-modify-writes): a key's word was written by the last committed
//   update
//                of one of the sessions, in the newest incarnation that has one for the key. Upserts that
//                went pending (listed by the run) may have been overtaken by later ones of their session.
// Operations after the commit point, values never written, torn values and missing keys are mismatches.
// Incremental over incarnations: Commit() adds the serials that an incarnation got committed. Not
// thread-safe. COST: a few ns per committed operation; 8 bytes per key (and session, for last writers).
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "faster/core/status.h"
#include "workloads/ycsb/spec.h"

namespace workloads::ycsb {

struct Mismatch {
  uint64_t record = 0;
  std::string expected, found;
};

class Expectation {
 public:
  // `loaded`: every record was loaded (and is in every checkpoint) before the sessions began.
  Expectation(const WorkloadSpec& spec, uint32_t sessions, bool loaded);

  // The operations of `session` with serials in (from, to] are committed and ran in `incarnation`; `pended`
  // are the serials of upserts that went pending; those in `excluded` (relaxed guarantee, ascending) are not
  // committed. A workload with YCSB's read-modify-write starts from 0.
  void Commit(uint32_t session, uint32_t incarnation, uint64_t from, uint64_t to,
              const std::vector<uint64_t>& pended, const std::vector<uint64_t>& excluded = {});

  // False: *mismatch says what is wrong. Call once per record, in any order.
  bool Check(uint64_t record, faster::Status status, uint64_t word, bool whole, Mismatch* mismatch) const;

  // "2 RMW 17 of session 1": what the word says about its writer.
  static std::string WordText(uint64_t word);

 private:
  void Apply(uint32_t session, Operation operation, uint64_t record, uint64_t writer);
  uint64_t Initial(uint64_t record) const { return loaded_ ? LoadedWord(record) : 0; }
  bool CheckAdditive(uint64_t record, uint64_t found, std::string* expected) const;
  bool CheckLastWriter(uint64_t record, uint64_t found, std::string* expected) const;

  const WorkloadSpec spec_;
  const uint32_t sessions_;
  const bool loaded_;
  const bool additive_;
  uint64_t first_;                              // record number of index 0
  std::vector<std::vector<uint64_t>> records_;  // per session: record numbers drawn ahead
  std::vector<uint64_t> sums_;                  // additive: what was added, per key
  std::vector<uint32_t> added_;                 // additive: how many RMWs, per key
  std::vector<std::vector<uint64_t>> last_;     // per session: writer word of the last update, per key
  std::unordered_multimap<uint64_t, uint64_t> pended_;  // record -> writer words of upserts that went pending
};

}  // namespace workloads::ycsb
