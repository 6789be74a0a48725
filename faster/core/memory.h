// ZeroedMemory: one zeroed, cache-line aligned block, from the kernel when it is large.
//
// Large blocks are mapped: zero pages cost nothing until they are touched, and may be huge pages. Small ones
// come from the heap, where a mapping of their own would waste a page and two system calls. Moves, does not
// copy.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

namespace faster {

class ZeroedMemory {
 public:
  ZeroedMemory() = default;
  ~ZeroedMemory() { Free(); }
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;

  // False if there is no memory.
  bool Allocate(uint64_t bytes, bool huge_pages) {
    Free();
    if (bytes >= kMapFrom) {
      void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (memory == MAP_FAILED) return false;
      if (huge_pages) madvise(memory, bytes, MADV_HUGEPAGE);
      data_ = memory;
    } else {
      data_ = operator new (bytes, std::align_val_t{64}, std::nothrow);
      if (data_ == nullptr) return false;
      std::memset(data_, 0, bytes);
    }
    bytes_ = bytes;
    return true;
  }
  // Has the kernel provide a mapped block's pages now, in one go, and not one by one when they are first
  // touched. Best effort: without it (an old kernel) they come when they are touched.
  void Populate() { Populate(0, bytes_); }
  // The same of a part; `from` and `bytes` are multiples of a page's size. Several threads may populate
  // several parts.
  void Populate(uint64_t from, uint64_t bytes) {
    if (bytes_ >= kMapFrom)
      static_cast<void>(madvise(static_cast<char*>(data_) + from, bytes, MADV_POPULATE_WRITE));
  }
  void* data() const { return data_; }
  // Gives up ownership; the block is released by ZeroedMemory::Release(data, bytes).
  void* Detach() { return std::exchange(data_, nullptr); }
  static void Release(void* data, uint64_t bytes) {
    if (data == nullptr) return;
    if (bytes >= kMapFrom) {
      munmap(data, bytes);
    } else {
      operator delete (data, std::align_val_t{64});
    }
  }

 private:
  static constexpr uint64_t kMapFrom = 1 << 20;
  void Free() { Release(std::exchange(data_, nullptr), bytes_); }
  void* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace faster
