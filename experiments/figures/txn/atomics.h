// Atomics: how many atomic read-modify-writes a transaction makes of words that clients share, found by
// executing transactions one machine instruction after another (CPR paper, Figures 10a and 10b: what keeps
// a scheme from scaling, without a machine that could show it).
//
// No list of "the shared counters" is assumed: clients execute transactions on keys that no other client
// has, and a word is shared if two of them changed it atomically. Everything else (a record's lock) is the
// client's own. The count is of the code that the measured figures run, the same on every machine. What is
// not counted: plain stores and loads of shared words, retries of a compare-and-swap, as clients take turns,
// and what a client's first transaction does to get its memory from the heap, whose locks are shared.
//
// x86-64 Linux: the trap flag, SIGTRAP. COST: ~30 us an instruction on a virtual machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workloads/txn/store.h"

namespace experiments::figures::txn {

struct LockedAccess {
  uint64_t address = 0;
  uint32_t client = 0;
};

// Steps through what the calling thread executes between Begin and End. One at a time in a process, as the
// signal's handler has to find it.
class Stepper {
 public:
  static constexpr bool kSupported =
#if defined(__x86_64__)
      true;
#else
      false;
#endif

  explicit Stepper(size_t most_accesses) : accesses_(most_accesses) {}
  ~Stepper();
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;

  bool Install(std::string* error);
  void Begin(uint32_t client);
  void End();
  bool overflowed() const { return seen_ > accesses_.size(); }
  uint64_t instructions() const { return instructions_; }
  std::vector<LockedAccess> Accesses() const;

 private:
  static void OnTrap(int, void* info, void* context);

  std::vector<LockedAccess> accesses_;
  size_t seen_ = 0;
  uint64_t instructions_ = 0;
  uint32_t client_ = 0;
  bool installed_ = false;
};

struct AtomicsPlan {
  uint32_t clients = 2;  // at least 2
  uint32_t keys_per_transaction = 1;
  uint32_t transactions = 64;  // of each client
  double write_share = 0.5;    // of the accesses, evenly spread

  uint64_t keys() const { return uint64_t{clients} * keys_per_transaction * (transactions + 1); }
};

struct AtomicsCount {
  uint64_t transactions = 0, writing = 0;
  uint64_t shared = 0;        // atomic changes of words that more than one client changed
  uint64_t own = 0;           // of all others
  uint64_t shared_words = 0;  // how many there are
  uint64_t instructions = 0;
};

// Sorts accesses into shared and own: a plain function.
AtomicsCount CountAccesses(const std::vector<LockedAccess>& accesses);

// `store` has started, and holds keys 0..plan.keys() - 1 of table 0. False: *error.
bool CountAtomics(const AtomicsPlan& plan, workloads::txn::TxnStore* store, AtomicsCount* count,
                  std::string* error);

}  // namespace experiments::figures::txn
