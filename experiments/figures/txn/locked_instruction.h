// LockedInstruction: is the machine instruction at an address an atomic read-modify-write of memory, and of
// which word? For whoever single-steps a program to count such instructions. x86-64 only.
//
// An instruction is one if it has the LOCK prefix or is XCHG with memory (which locks by itself). Plain
// stores, loads and fences are none. Plain functions; reads at most 15 bytes at `code`.
#pragma once

#include <cstdint>
#include <optional>

namespace experiments::figures::txn {

struct Registers {
  uint64_t general[16] = {};  // in the order of the encoding: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8..r15
  uint64_t fs_base = 0, gs_base = 0;
};

// The address that the instruction at `code` changes atomically, or nothing. `at` is where it lies when it
// runs (`code` itself, but for tests).
std::optional<uint64_t> LockedAddress(const uint8_t* code, uint64_t at, const Registers& registers);

}  // namespace experiments::figures::txn
