#include "faults/sched/arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "faults/sched/fiber.h"
#include "faults/sched/machine.h"

namespace faults::internal {
namespace {

Arena* g_arenas[kSlots];

bool MapAt(uintptr_t address, size_t bytes, int protection) {
  void* map = mmap(reinterpret_cast<void*>(address), bytes, protection,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (map == reinterpret_cast<void*>(address)) return true;
  std::fprintf(stderr, "scheduler: cannot map %zu bytes at 0x%zx: %s\n", bytes, static_cast<size_t>(address),
               std::strerror(errno));
  if (map != MAP_FAILED) munmap(map, bytes);
  return false;
}

}  // namespace

Arena* ArenaOf(const void* address) {
  return g_arenas[(reinterpret_cast<uintptr_t>(address) - kWindow) / kSlotBytes];
}

bool Arena::Map(int slot, Machine* machine) {
  base_ = kWindow + static_cast<uintptr_t>(slot) * kSlotBytes;
  const uintptr_t shadow = kShadowWindow + static_cast<uintptr_t>(slot) * kShadowBytes;
  if (!MapAt(base_, kSlotBytes, PROT_NONE)) return false;
  if (!MapAt(shadow, kShadowBytes, PROT_READ | PROT_WRITE)) {
    munmap(reinterpret_cast<void*>(base_), kSlotBytes);
    return false;
  }
  shadow_ = reinterpret_cast<uint32_t*>(shadow);
  machine_ = machine;
  g_arenas[slot] = this;
  return true;
}

void Arena::Unmap() {
  g_arenas[(base_ - kWindow) / kSlotBytes] = nullptr;
  munmap(reinterpret_cast<void*>(base_), kSlotBytes);
  munmap(shadow_, kShadowBytes);
}

void Arena::Reset(size_t bytes) {
  bytes = (bytes + 4095) & ~size_t{4095};
  if (bytes > kArenaLimit) bytes = kArenaLimit;
  if (bytes > mapped_) {
    if (mprotect(reinterpret_cast<void*>(base_), bytes, PROT_READ | PROT_WRITE) != 0) {
      std::fprintf(stderr, "scheduler: no memory for an arena of %zu bytes: %s\n", bytes,
                   std::strerror(errno));
      std::abort();
    }
    mapped_ = bytes;
  }
  if (++generation_ == 0x10000) {
    generation_ = 1;
    madvise(shadow_, kShadowBytes, MADV_DONTNEED);
  }
  bytes_ = bytes;
  top_ = base_;
  end_ = base_ + bytes;
  ordinal_ = 0;
  std::memset(oldest_, 0, sizeof oldest_);
  std::memset(newest_, 0, sizeof newest_);
}

Arena::Header* Arena::HeaderOf(const void* block) {
  return reinterpret_cast<Header*>(reinterpret_cast<uintptr_t>(block) - sizeof(Header));
}

// Up to 1 KiB in steps of 16; above, eight classes to each power of two.
size_t Arena::Round(size_t size, int* size_class) {
  if (size <= 1024) {
    const size_t rounded = size == 0 ? 16 : (size + 15) & ~size_t{15};
    *size_class = static_cast<int>(rounded / 16);
    return rounded;
  }
  const int power = 63 - std::countl_zero(size - 1);  // 2^power <= size - 1
  const size_t unit = (size_t{1} << power) / 8;
  const size_t eighths = (size + unit - 1) / unit;  // 9..16
  *size_class = 65 + (power - 10) * 8 + static_cast<int>(eighths - 9);
  return eighths * unit;
}

void Arena::MarkBlock(void* block, size_t bytes, uint32_t word) {
  uint32_t* shadow = shadow_ + (reinterpret_cast<uintptr_t>(block) - base_) / 8;
  for (size_t i = 0; i < bytes / 8; ++i) shadow[i] = word;
}

void Arena::Bad(const char* what, const void* block) const {
  char text[160];
  size_t ordinal, size, offset;
  if (Describe(reinterpret_cast<uintptr_t>(block), &ordinal, &size, &offset)) {
    std::snprintf(text, sizeof text, "%s: allocation %zu of %zu bytes", what, ordinal, size);
  } else {
    std::snprintf(text, sizeof text, "%s", what);
  }
  if (t_fiber != nullptr) machine_->Fail(text);
  std::fprintf(stderr, "scheduler: outside fibers: %s\n", text);
  std::abort();
}

void* Arena::Recycle(size_t rounded, int size_class, size_t alignment) {
  Freed* block = oldest_[size_class];
  if (block == nullptr || (reinterpret_cast<uintptr_t>(block) & (alignment - 1)) != 0) {
    char text[160];
    std::snprintf(text, sizeof text, "the arena of %zu bytes is used up (%u allocations); raise arena_bytes",
                  bytes_, ordinal_);
    if (t_fiber != nullptr) machine_->Fail(text);
    std::fprintf(stderr, "scheduler: %s\n", text);
    std::abort();
  }
  oldest_[size_class] = block->next;
  if (block->next == nullptr) newest_[size_class] = nullptr;
  MarkBlock(block, rounded, 0);
  return block;
}

void* Arena::Allocate(size_t size, size_t alignment) {
  int size_class = 0;
  if (alignment < 16) alignment = 16;
  void* block;
  const size_t rounded = Round(size, &size_class);
  const uintptr_t start = (top_ + sizeof(Header) + alignment - 1) & ~(alignment - 1);
  if (start + rounded <= end_) {
    top_ = start + rounded;
    block = reinterpret_cast<void*>(start);
  } else {
    block = Recycle(rounded, size_class, alignment);
  }
  Header* header = HeaderOf(block);
  *header = {size, ++ordinal_, static_cast<uint16_t>(generation_), kLive};
  MarkBlock(header, sizeof(Header), ShadowWord(generation_, 0, kRedZone));
  std::memset(block, 0xa5, size);
  return block;
}

void Arena::Free(void* block) {
  Header* header = HeaderOf(block);
  const uintptr_t address = reinterpret_cast<uintptr_t>(block);
  if (address - base_ < sizeof(Header) || address >= top_ || (address & 15) != 0 ||
      header->generation != static_cast<uint16_t>(generation_)) {
    Bad("free of a pointer that no allocation of this execution returned", block);
  }
  if (header->state == kQuarantined) Bad("double free", block);
  if (header->state != kLive) Bad("free of a pointer that no allocation of this execution returned", block);
  header->state = kQuarantined;
  int size_class;
  const size_t rounded = Round(header->size, &size_class);
  const uint32_t fiber = t_fiber == nullptr ? 0 : t_fiber->owner;
  MarkBlock(block, rounded, ShadowWord(generation_, fiber, kFreed));
  Freed* freed = static_cast<Freed*>(block);
  freed->next = nullptr;
  if (newest_[size_class] == nullptr)
    oldest_[size_class] = freed;
  else
    newest_[size_class]->next = freed;
  newest_[size_class] = freed;
}

size_t Arena::SizeOf(const void* block) const { return HeaderOf(block)->size; }

// Headers are 16-byte aligned and marked as red zones, so the block is found by walking the shadow backwards.
bool Arena::Describe(uintptr_t address, size_t* ordinal, size_t* size, size_t* offset) const {
  if (address - base_ >= top_ - base_) return false;
  const uint32_t red_zone = ShadowWord(generation_, 0, kRedZone);
  for (uintptr_t at = address & ~uintptr_t{15}; at >= base_; at -= 16) {
    if (shadow_[(at - base_) / 8] != red_zone) continue;
    const Header* header = reinterpret_cast<const Header*>(at);
    *ordinal = header->ordinal;
    *size = header->size;
    *offset = address - at - sizeof(Header);
    return true;
  }
  return false;
}

}  // namespace faults::internal
