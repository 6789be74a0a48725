// Modules: the instrumented libraries that are loaded, and where libc's own code lies. Internal to
// faults/sched.
//
// A library is instrumented if it refers to __tsan_init. The list gives deterministic names to globals
// (library number + offset), each library's TLS image for the reset at the start of a fiber, and the writable
// ranges whose touches are tracked. Each scheduler has its own list and renews it when libraries were loaded
// or unloaded.
#pragma once

#include <cstddef>
#include <cstdint>

#include "faults/sched/fiber.h"

namespace faults::internal {

struct Module {
  uintptr_t low = 0, high = 0;            // all of its segments
  uintptr_t data_low = 0, data_high = 0;  // writable
  size_t tls_id = 0;                      // 0 = no TLS
  const char* tls_image = nullptr;
  size_t tls_image_bytes = 0;
  size_t tls_bytes = 0;
};

struct ModuleList {
  uint64_t generation = 0;  // of the process when the list was read
  int count = 0;
  Module modules[kMaxModules];
};

uint64_t ModuleGeneration();  // libraries loaded and unloaded so far; ~100 ns
void ReadModules(ModuleList* list);
// Caller is libc's or the dynamic linker's own code, whose allocations (stdio buffers, TLS) outlive an
// execution.
bool IsLibcCode(const void* address);
// FS base must be the fiber's. Fills tls_blocks and sets the TLS of all modules to its initial image.
void ResetTls(const ModuleList& list, Fiber* fiber);

}  // namespace faults::internal
