// WriteTrace: every write of a piece of code to chosen memory, by address; and every allocation it makes.
//
// Memory that is allocated between Fence() and EndFence() comes from pages of its own. Start() makes those
// pages read-only: a write faults, is noted, and is repeated alone (x86's trap flag) on a page that is
// writable for just that instruction. So nothing escapes, not even a word that gets back its old value. The
// program's operator new and delete are replaced. One trace at a time, one thread; Linux on x86-64, ordinary
// builds (sanitizers have their own operator new and signal handlers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace faster::testing {

class WriteTrace {
 public:
  struct Range {
    uintptr_t from, to;
    bool Holds(uintptr_t address) const { return address >= from && address < to; }
  };

  static void Fence();
  static void EndFence();
  static void Start();
  static void Stop();
  // Since Start(): the addresses written (8-byte words, in order, repeated), and the calls of operator new.
  static std::vector<uintptr_t> Writes();
  static uint64_t allocations();
};

}  // namespace faster::testing
