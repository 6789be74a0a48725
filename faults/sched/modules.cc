#include "faults/sched/modules.h"

#include <elf.h>
#include <link.h>

#include <atomic>
#include <cstring>

extern "C" {
struct TlsIndex {
  unsigned long module, offset;
};
void* __tls_get_addr(TlsIndex*);
}

namespace faults::internal {
namespace {

struct Range {
  uintptr_t low, high;
};
Range g_libc[2];
std::atomic<int> g_libc_state{0};  // 0 = not looked up yet

Range Extent(const dl_phdr_info* info) {
  Range range = {~uintptr_t{0}, 0};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& p = info->dlpi_phdr[i];
    if (p.p_type != PT_LOAD) continue;
    const uintptr_t low = info->dlpi_addr + p.p_vaddr;
    if (low < range.low) range.low = low;
    if (low + p.p_memsz > range.high) range.high = low + p.p_memsz;
  }
  return range;
}

// Its dynamic symbols name __tsan_init. The main program does too, because it defines it: not instrumented.
bool IsInstrumented(const dl_phdr_info* info) {
  if (info->dlpi_name == nullptr || info->dlpi_name[0] == 0) return false;
  const char* strings = nullptr;
  size_t bytes = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const ElfW(Dyn)* entry = reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry) {
      if (entry->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(entry->d_un.d_ptr);
      if (entry->d_tag == DT_STRSZ) bytes = entry->d_un.d_val;
    }
  }
  static constexpr char kName[] = "\0__tsan_init";
  // The vdso's table is not relocated: its address is a small offset.
  if (reinterpret_cast<uintptr_t>(strings) < 4096 * 16) return false;
  return memmem(strings, bytes, kName, sizeof kName) != nullptr;
}

int AddModule(dl_phdr_info* info, size_t, void* context) {
  ModuleList* list = static_cast<ModuleList*>(context);
  const Range range = Extent(info);
  if (list->count == kMaxModules || !IsInstrumented(info)) return 0;
  Module& module = list->modules[list->count++];
  module = Module();
  module.low = range.low;
  module.high = range.high;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& p = info->dlpi_phdr[i];
    if (p.p_type == PT_LOAD && (p.p_flags & PF_W) != 0) {
      module.data_low = info->dlpi_addr + p.p_vaddr;
      module.data_high = module.data_low + p.p_memsz;
    } else if (p.p_type == PT_TLS) {
      module.tls_id = info->dlpi_tls_modid;
      module.tls_image = reinterpret_cast<const char*>(info->dlpi_addr + p.p_vaddr);
      module.tls_image_bytes = p.p_filesz;
      module.tls_bytes = p.p_memsz;
    }
  }
  return 0;
}

int FindLibc(dl_phdr_info* info, size_t, void*) {
  const char* name = info->dlpi_name;
  if (name == nullptr) return 0;
  if (std::strstr(name, "/libc.so") != nullptr) g_libc[0] = Extent(info);
  if (std::strstr(name, "/ld-linux") != nullptr) g_libc[1] = Extent(info);
  return 0;
}

}  // namespace

uint64_t ModuleGeneration() {
  uint64_t generation = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* result) {
        *static_cast<uint64_t*>(result) = info->dlpi_adds + info->dlpi_subs;
        return 1;
      },
      &generation);
  return generation;
}

void ReadModules(ModuleList* list) {
  list->generation = ModuleGeneration();
  list->count = 0;
  dl_iterate_phdr(AddModule, list);
}

bool IsLibcCode(const void* address) {
  if (g_libc_state.load(std::memory_order_acquire) == 0) {
    dl_iterate_phdr(FindLibc, nullptr);
    g_libc_state.store(1, std::memory_order_release);
  }
  const uintptr_t a = reinterpret_cast<uintptr_t>(address);
  return (a >= g_libc[0].low && a < g_libc[0].high) || (a >= g_libc[1].low && a < g_libc[1].high);
}

void ResetTls(const ModuleList& list, Fiber* fiber) {
  if (fiber->tls_generation != list.generation) {
    for (int i = 0; i < list.count; ++i) {
      TlsIndex index = {list.modules[i].tls_id, 0};
      fiber->tls_blocks[i] = list.modules[i].tls_id == 0 ? nullptr : __tls_get_addr(&index);
    }
    fiber->tls_generation = list.generation;
  }
  for (int i = 0; i < list.count; ++i) {
    const Module& module = list.modules[i];
    if (fiber->tls_blocks[i] == nullptr) continue;
    char* block = static_cast<char*>(fiber->tls_blocks[i]);
    std::memcpy(block, module.tls_image, module.tls_image_bytes);
    std::memset(block + module.tls_image_bytes, 0, module.tls_bytes - module.tls_image_bytes);
  }
}

}  // namespace faults::internal
