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

std::atomic<uint32_t> g_generation{0};
uintptr_t g_addresses[kMaxModules * 4];  // one address in each library that announced itself
std::atomic<int> g_address_count{0};
std::atomic_flag g_lock = ATOMIC_FLAG_INIT;

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

int AddModule(dl_phdr_info* info, size_t, void* context) {
  ModuleList* list = static_cast<ModuleList*>(context);
  const Range range = Extent(info);
  bool announced = false;
  for (int i = 0; i < g_address_count.load(); ++i) {
    announced |= g_addresses[i] >= range.low && g_addresses[i] < range.high;
  }
  if (!announced || list->count == kMaxModules) return 0;
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

void RegisterModuleOf(const void* address) {
  const uintptr_t a = reinterpret_cast<uintptr_t>(address);
  while (g_lock.test_and_set()) {
  }
  ModuleList list;
  ReadModules(&list);
  bool known = false;
  for (int i = 0; i < list.count; ++i) known |= a >= list.modules[i].low && a < list.modules[i].high;
  const int count = g_address_count.load();
  if (!known) {
    const int place = count % (kMaxModules * 4);  // a library loaded and unloaded very often overwrites stale ones
    g_addresses[place] = a;
    if (count < kMaxModules * 4) g_address_count.store(count + 1);
    g_generation.fetch_add(1);
  }
  g_lock.clear();
}

uint32_t ModuleGeneration() { return g_generation.load(std::memory_order_acquire); }

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
