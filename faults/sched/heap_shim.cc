// malloc and operator new of the whole process: inside a fiber from the execution's arena, elsewhere from
// libc.
//
// Deallocation goes by address, so memory may be freed on either side. Allocations made by libc's own code
// (stdio buffers, thread-local storage) come from libc even inside a fiber: they outlive the execution.
// Compiled with -fno-builtin so that the compiler does not turn these functions into calls of themselves.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "faults/sched/machine.h"

extern "C" {
void* __libc_malloc(size_t);
void __libc_free(void*);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

using faults::internal::Arena;
using faults::internal::ArenaOf;
using faults::internal::InWindow;
using faults::internal::IsLibcCode;
using faults::internal::kArenaLimit;
using faults::internal::t_arena;

constexpr size_t kPage = 4096;

inline bool IsArena(const void* p) { return InWindow(reinterpret_cast<uintptr_t>(p)); }

inline Arena* ArenaFor(const void* caller) {
  Arena* arena = t_arena;
  return arena != nullptr && !IsLibcCode(caller) ? arena : nullptr;
}

inline void* Allocate(Arena* arena, size_t size, size_t alignment) {
  if (size > kArenaLimit / 2) {
    errno = ENOMEM;
    return nullptr;
  }
  return arena->Allocate(size, alignment);
}

inline void* Aligned(Arena* arena, size_t alignment, size_t size) {
  return arena != nullptr ? Allocate(arena, size, alignment) : __libc_memalign(alignment, size);
}

inline void Release(void* p) {
  if (IsArena(p))
    ArenaOf(p)->Free(p);
  else
    __libc_free(p);
}

void* New(size_t size) {
  Arena* arena = t_arena;
  void* p = arena != nullptr ? Allocate(arena, size, 16) : __libc_malloc(size == 0 ? 1 : size);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

void* NewAligned(size_t size, std::align_val_t alignment) {
  void* p = Aligned(t_arena, static_cast<size_t>(alignment), size);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  Arena* arena = ArenaFor(__builtin_return_address(0));
  return arena != nullptr ? Allocate(arena, size, 16) : __libc_malloc(size);
}

void free(void* p) { Release(p); }

void* calloc(size_t count, size_t size) {
  Arena* arena = ArenaFor(__builtin_return_address(0));
  if (arena == nullptr) return __libc_calloc(count, size);
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* p = Allocate(arena, bytes, 16);
  if (p != nullptr) std::memset(p, 0, bytes);
  return p;
}

void* realloc(void* p, size_t size) {
  Arena* arena = ArenaFor(__builtin_return_address(0));
  if (p != nullptr && !IsArena(p)) return __libc_realloc(p, size);
  if (p == nullptr) return arena != nullptr ? Allocate(arena, size, 16) : __libc_malloc(size);
  if (size == 0) {
    Release(p);
    return nullptr;
  }
  void* fresh = arena != nullptr ? Allocate(arena, size, 16) : __libc_malloc(size);
  if (fresh == nullptr) return nullptr;
  const size_t old = ArenaOf(p)->SizeOf(p);
  std::memcpy(fresh, p, old < size ? old : size);
  Release(p);
  return fresh;
}

void* memalign(size_t alignment, size_t size) {
  return Aligned(ArenaFor(__builtin_return_address(0)), alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  return Aligned(ArenaFor(__builtin_return_address(0)), alignment, size);
}

void* valloc(size_t size) { return Aligned(ArenaFor(__builtin_return_address(0)), kPage, size); }

int posix_memalign(void** p, size_t alignment, size_t size) {
  if (alignment < sizeof(void*) || (alignment & (alignment - 1)) != 0) return EINVAL;
  void* fresh = Aligned(ArenaFor(__builtin_return_address(0)), alignment, size);
  if (fresh == nullptr) return ENOMEM;
  *p = fresh;
  return 0;
}

// libc keeps a block's size, and its flags in the low three bits, in the word before the block.
size_t malloc_usable_size(void* p) {
  if (p == nullptr) return 0;
  if (IsArena(p)) return ArenaOf(p)->SizeOf(p);
  const size_t word = static_cast<size_t*>(p)[-1];
  const bool mapped = (word & 2) != 0;
  return (word & ~size_t{7}) - (mapped ? 2 : 1) * sizeof(size_t);
}

}  // extern "C"

void* operator new(size_t size) { return New(size); }
void* operator new[](size_t size) { return New(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  Arena* arena = t_arena;
  return arena != nullptr ? Allocate(arena, size, 16) : __libc_malloc(size == 0 ? 1 : size);
}
void* operator new[](size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void* operator new(size_t size, std::align_val_t a) { return NewAligned(size, a); }
void* operator new[](size_t size, std::align_val_t a) { return NewAligned(size, a); }
void* operator new(size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return Aligned(t_arena, static_cast<size_t>(a), size);
}
void* operator new[](size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return Aligned(t_arena, static_cast<size_t>(a), size);
}
void operator delete(void* p) noexcept { Release(p); }
void operator delete[](void* p) noexcept { Release(p); }
void operator delete(void* p, size_t) noexcept { Release(p); }
void operator delete[](void* p, size_t) noexcept { Release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { Release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { Release(p); }
void operator delete(void* p, std::align_val_t) noexcept { Release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { Release(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { Release(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { Release(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { Release(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { Release(p); }
