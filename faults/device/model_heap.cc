#include "faults/device/model_heap.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>

namespace faults {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

void* ModelAllocate(size_t bytes) {
  void* block = std::malloc(bytes == 0 ? 1 : bytes);
  if (block == nullptr) std::abort();
  return block;
}
void ModelFree(void* block, size_t) { std::free(block); }

#else

namespace {

constexpr size_t kSmallest = 5;           // 32 bytes
constexpr size_t kChunkBytes = 1u << 20;  // taken from the kernel at a time; larger blocks come singly

struct FreeBlock {
  FreeBlock* next;
};

std::atomic_flag g_lock = ATOMIC_FLAG_INIT;
FreeBlock* g_free[64];
char* g_chunk = nullptr;
size_t g_chunk_left = 0;

void* FromKernel(size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    static constexpr char kMessage[] = "storage model: out of memory\n";
    [[maybe_unused]] const auto written = ::write(2, kMessage, sizeof kMessage - 1);
    std::abort();
  }
  return memory;
}

size_t ClassOf(size_t bytes) {
  const size_t bits = std::bit_width(bytes <= 1 ? size_t{1} : bytes - 1);
  return bits < kSmallest ? kSmallest : bits;
}

}  // namespace

void* ModelAllocate(size_t bytes) {
  const size_t size_class = ClassOf(bytes);
  const size_t size = size_t{1} << size_class;
  while (g_lock.test_and_set(std::memory_order_acquire)) {
  }
  void* block = g_free[size_class];
  if (block != nullptr) {
    g_free[size_class] = static_cast<FreeBlock*>(block)->next;
  } else if (size >= kChunkBytes) {
    block = FromKernel(size);
  } else {
    if (g_chunk_left < size) {  // what is left of the last chunk, less than one block, is given up
      g_chunk = static_cast<char*>(FromKernel(kChunkBytes));
      g_chunk_left = kChunkBytes;
    }
    block = g_chunk;
    g_chunk += size;
    g_chunk_left -= size;
  }
  g_lock.clear(std::memory_order_release);
  return block;
}

void ModelFree(void* block, size_t bytes) {
  if (block == nullptr) return;
  const size_t size_class = ClassOf(bytes);
  while (g_lock.test_and_set(std::memory_order_acquire)) {
  }
  static_cast<FreeBlock*>(block)->next = g_free[size_class];
  g_free[size_class] = static_cast<FreeBlock*>(block);
  g_lock.clear(std::memory_order_release);
}

#endif

}  // namespace faults
