#include "tests/store/write_trace.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

// Plain arrays: the handlers and operator new must not allocate.
constexpr size_t kPage = 4096;
constexpr size_t kMostBlocks = 4096;
constexpr size_t kMostWrites = 1 << 20;
constexpr long kTrapFlag = 0x100;
constexpr long kWriteFault = 2;

struct Block {
  uintptr_t from, length;
};
Block g_blocks[kMostBlocks];
size_t g_block_count = 0;
uintptr_t g_writes[kMostWrites];
size_t g_write_count = 0;
uintptr_t g_open[8];  // pages that the instruction at hand may write
size_t g_open_count = 0;
bool g_fencing = false;
bool g_tracing = false;
std::atomic<uint64_t> g_allocations{0};

[[noreturn]] void Give(const char* what) {
  std::fputs(what, stderr);
  std::abort();
}

bool Fenced(uintptr_t address) {
  for (size_t i = 0; i < g_block_count; ++i) {
    if (address - g_blocks[i].from < g_blocks[i].length) return true;
  }
  return false;
}

void OnWrite(int, siginfo_t* info, void* context) {
  auto* const machine = &static_cast<ucontext_t*>(context)->uc_mcontext;
  const uintptr_t address = reinterpret_cast<uintptr_t>(info->si_addr);
  if (!g_tracing || (machine->gregs[REG_ERR] & kWriteFault) == 0 || !Fenced(address)) {
    signal(SIGSEGV, SIG_DFL);  // a fault like any other
    return;
  }
  if (g_write_count < kMostWrites) g_writes[g_write_count++] = address & ~uintptr_t{7};
  const uintptr_t page = address & ~(kPage - 1);
  if (g_open_count == 8) Give("WriteTrace: an instruction that writes more than 8 pages\n");
  g_open[g_open_count++] = page;
  mprotect(reinterpret_cast<void*>(page), kPage, PROT_READ | PROT_WRITE);
  machine->gregs[REG_EFL] |= kTrapFlag;
}

void OnTrap(int, siginfo_t*, void* context) {
  while (g_open_count > 0) mprotect(reinterpret_cast<void*>(g_open[--g_open_count]), kPage, PROT_READ);
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
}

void* Allocate(size_t bytes) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  if (!g_fencing) return std::aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
  const size_t length = (bytes + kPage) / kPage * kPage;
  void* const memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || g_block_count == kMostBlocks) return nullptr;
  g_blocks[g_block_count++] = {reinterpret_cast<uintptr_t>(memory), length};
  return memory;
}

void Release(void* memory) {
  if (memory != nullptr && Fenced(reinterpret_cast<uintptr_t>(memory))) return;  // small, and the test ends
  std::free(memory);
}

void* OrThrow(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void Protect(int protection) {
  for (size_t i = 0; i < g_block_count; ++i)
    mprotect(reinterpret_cast<void*>(g_blocks[i].from), g_blocks[i].length, protection);
}

}  // namespace

void* operator new(size_t bytes) { return OrThrow(Allocate(bytes)); }
void* operator new[](size_t bytes) { return OrThrow(Allocate(bytes)); }
void* operator new(size_t bytes, std::align_val_t) { return OrThrow(Allocate(bytes)); }
void* operator new[](size_t bytes, std::align_val_t) { return OrThrow(Allocate(bytes)); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return Allocate(bytes); }
void* operator new(size_t bytes, std::align_val_t, const std::nothrow_t&) noexcept { return Allocate(bytes); }
void operator delete(void* memory) noexcept { Release(memory); }
void operator delete[](void* memory) noexcept { Release(memory); }
void operator delete(void* memory, size_t) noexcept { Release(memory); }
void operator delete[](void* memory, size_t) noexcept { Release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { Release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { Release(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { Release(memory); }

namespace faster::testing {

void WriteTrace::Fence() { g_fencing = true; }
void WriteTrace::EndFence() { g_fencing = false; }

void WriteTrace::Start() {
  struct sigaction action = {};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = &OnWrite;
  sigaction(SIGSEGV, &action, nullptr);
  action.sa_sigaction = &OnTrap;
  sigaction(SIGTRAP, &action, nullptr);
  g_write_count = 0;
  g_allocations = 0;
  g_tracing = true;
  Protect(PROT_READ);
}

void WriteTrace::Stop() {
  Protect(PROT_READ | PROT_WRITE);
  g_tracing = false;
  signal(SIGSEGV, SIG_DFL);
  signal(SIGTRAP, SIG_DFL);
}

std::vector<uintptr_t> WriteTrace::Writes() { return {g_writes, g_writes + g_write_count}; }
uint64_t WriteTrace::allocations() { return g_allocations; }

}  // namespace faster::testing
