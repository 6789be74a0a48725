// Arena: the heap of one scheduler's fibers. Internal to faults/sched.
//
// Bump allocation; a freed block is quarantined and used again only when the arena has run to its end (first
// in, first out per size class), so an access to freed memory is caught by the shadow. Contents are filled
// with a fixed pattern: a read of uninitialised memory is wrong, but the same in every replay. Every arena of
// the process lies in one window of the address space at a fixed place, so any thread knows an arena pointer
// by its address, and addresses are the same in every process. One OS thread uses an arena at a time.
//
// SHADOW: a 32-bit word per 8-byte granule: generation (16 bits; Begin() starts a new one, which forgets all
// others), fiber + 1 (8 bits), state (8 bits).
#pragma once

#include <cstddef>
#include <cstdint>

namespace faults::internal {

class Machine;

constexpr uintptr_t kWindow = 0x100000000000;         // 16 TiB: far from what the kernel hands out by itself
constexpr uintptr_t kSlotBytes = uintptr_t{4} << 30;  // per scheduler: 2 GiB arena, 2 GiB stacks
constexpr uintptr_t kArenaLimit = uintptr_t{2} << 30;
constexpr int kSlots = 64;
constexpr uintptr_t kShadowWindow = 0x180000000000;
constexpr uintptr_t kShadowBytes = kArenaLimit / 2;

enum ShadowState : uint32_t { kPrivate = 0, kShared = 1, kFreed = 2, kRedZone = 3 };
constexpr uint32_t kAnyFiber = 0xff;

inline uint32_t ShadowWord(uint32_t generation, uint32_t fiber_plus_1, ShadowState state) {
  return generation << 16 | fiber_plus_1 << 8 | state;
}
inline bool InWindow(uintptr_t address) { return address - kWindow < kSlotBytes * kSlots; }

class Arena {
 public:
  // False with a line on stderr if the address space at the slot is taken.
  bool Map(int slot, Machine* machine);
  void Unmap();
  void Reset(size_t bytes);  // forgets everything; false memory is not given back to the system

  // size at most kArenaLimit. Never null; the execution fails when the arena is used up.
  void* Allocate(size_t size, size_t alignment);
  void Free(void* block);
  size_t SizeOf(const void* block) const;

  uintptr_t base() const { return base_; }
  size_t bytes() const { return bytes_; }
  size_t used() const { return top_ - base_; }
  uint32_t generation() const { return generation_; }
  uint32_t* shadow() const { return shadow_; }
  // For reports: the block that `address` lies in or just after. False if none.
  bool Describe(uintptr_t address, size_t* ordinal, size_t* size, size_t* offset) const;

 private:
  struct Header {
    uint64_t size;
    uint32_t ordinal;  // allocation number within the execution
    uint16_t generation;
    uint16_t state;  // kLive or kQuarantined, xor'ed with a pattern so that stray data does not look valid
  };
  struct Freed {  // in the block itself
    Freed* next;
  };
  static constexpr int kClasses = 256;
  static constexpr uint16_t kLive = 0x6c1f, kQuarantined = 0x6c20;
  static size_t Round(size_t size, int* size_class);
  static Header* HeaderOf(const void* block);
  void* Recycle(size_t rounded, int size_class, size_t alignment);
  void MarkBlock(void* block, size_t bytes, uint32_t word);
  [[noreturn]] void Bad(const char* what, const void* block) const;

  Machine* machine_ = nullptr;
  uintptr_t base_ = 0, top_ = 0, end_ = 0;
  size_t bytes_ = 0, mapped_ = 0;
  uint32_t generation_ = 0;
  uint32_t ordinal_ = 0;
  uint32_t* shadow_ = nullptr;
  Freed* oldest_[kClasses] = {};
  Freed* newest_[kClasses] = {};
};

Arena* ArenaOf(const void* address);  // the arena an address in the window belongs to

}  // namespace faults::internal
