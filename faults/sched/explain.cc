// Explanations: why a run stopped, what every fiber waited for, every fiber's stack; and the start-up
// self-check.
//
// Stacks are captured as raw addresses when a run ends with a verdict and put into words only when asked.
// Frame pointers cannot be relied on, so a stack is scanned for addresses that follow a call instruction:
// frames that ended long ago may appear among the true ones. Names come from the library's symbol table
// (local symbols too).
#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "faults/sched/machine.h"
#include "faults/sched/policy.h"

namespace faults::internal {
namespace {

constexpr size_t kExplanationBytes = 32 << 10;

class Text {  // appends to one buffer, cut when full
 public:
  Text() : buffer_(static_cast<char*>(std::malloc(kExplanationBytes))) { buffer_[0] = 0; }
  __attribute__((format(printf, 2, 3))) void Add(const char* format, ...) {
    va_list list;
    va_start(list, format);
    const int n = std::vsnprintf(buffer_ + used_, kExplanationBytes - used_, format, list);
    va_end(list);
    used_ += static_cast<size_t>(n);
    if (used_ >= kExplanationBytes) used_ = kExplanationBytes - 1;
  }
  char* Take() { return buffer_; }

 private:
  char* buffer_;
  size_t used_ = 0;
};

struct CodeRanges {
  static constexpr int kMax = 64;
  uintptr_t low[kMax], high[kMax];
  int count = 0;
};

int AddCode(dl_phdr_info* info, size_t, void* context) {
  CodeRanges* ranges = static_cast<CodeRanges*>(context);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& p = info->dlpi_phdr[i];
    if (p.p_type != PT_LOAD || (p.p_flags & PF_X) == 0 || ranges->count == CodeRanges::kMax) continue;
    ranges->low[ranges->count] = info->dlpi_addr + p.p_vaddr;
    ranges->high[ranges->count++] = info->dlpi_addr + p.p_vaddr + p.p_memsz;
  }
  return 0;
}

// The instruction before `address` is a call: e8 rel32, or ff /2 in its two- to seven-byte forms.
bool FollowsCall(const CodeRanges& ranges, uintptr_t address) {
  for (int i = 0; i < ranges.count; ++i) {
    if (address < ranges.low[i] + 8 || address >= ranges.high[i]) continue;
    const unsigned char* p = reinterpret_cast<const unsigned char*>(address);
    if (p[-5] == 0xe8) return true;
    for (int n : {2, 3, 4, 6, 7}) {
      if (p[-n] == 0xff && (p[1 - n] & 0x38) == 0x10) return true;
    }
    return false;
  }
  return false;
}

// The name of the function at `offset` in an ELF file's symbol table; "" if there is none.
void FunctionName(const char* path, uintptr_t offset, char* name, size_t size) {
  name[0] = 0;
  const int fd = open(path[0] == 0 ? "/proc/self/exe" : path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  struct stat info;
  void* map = MAP_FAILED;
  if (fstat(fd, &info) == 0)
    map = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (map == MAP_FAILED) return;
  const char* file = static_cast<const char*>(map);
  const Elf64_Ehdr* header = reinterpret_cast<const Elf64_Ehdr*>(file);
  const Elf64_Shdr* sections = reinterpret_cast<const Elf64_Shdr*>(file + header->e_shoff);
  for (int s = 0; s < header->e_shnum && name[0] == 0; ++s) {
    if (sections[s].sh_type != SHT_SYMTAB) continue;
    const Elf64_Sym* symbols = reinterpret_cast<const Elf64_Sym*>(file + sections[s].sh_offset);
    const char* strings = file + sections[sections[s].sh_link].sh_offset;
    for (size_t i = 0; i < sections[s].sh_size / sizeof(Elf64_Sym); ++i) {
      if (ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC) continue;
      if (offset < symbols[i].st_value || offset >= symbols[i].st_value + symbols[i].st_size) continue;
      int status = 0;
      char* plain = abi::__cxa_demangle(strings + symbols[i].st_name, nullptr, nullptr, &status);
      std::snprintf(name, size, "%s", plain != nullptr ? plain : strings + symbols[i].st_name);
      std::free(plain);
      break;
    }
  }
  munmap(map, static_cast<size_t>(info.st_size));
}

void AddFrame(Text* text, uintptr_t address) {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(address), &info) == 0 || info.dli_fname == nullptr) return;
  const char* slash = std::strrchr(info.dli_fname, '/');
  const char* base = slash != nullptr ? slash + 1 : info.dli_fname;
  const uintptr_t offset = address - reinterpret_cast<uintptr_t>(info.dli_fbase);
  char name[400];
  FunctionName(info.dli_fname, offset - 1, name, sizeof name);
  text->Add("      %s (%s+0x%zx)\n", name[0] != 0 ? name : "?", base, static_cast<size_t>(offset));
}

}  // namespace

void Machine::CaptureStack(int id, uintptr_t sp, int first) {
  const Fiber& fiber = fibers_[id];
  CodeRanges ranges;
  dl_iterate_phdr(AddCode, &ranges);
  int count = first;
  for (uintptr_t at = (sp + 7) & ~uintptr_t{7};
       at + 8 <= fiber.stack_low + fiber.stack_bytes && count < kMaxFrames; at += 8) {
    const uintptr_t value = *reinterpret_cast<const uintptr_t*>(at);
    if (FollowsCall(ranges, value)) frames_[id][count++] = value;
  }
  if (count < kMaxFrames) frames_[id][count] = 0;
}

void Machine::CaptureStacks() {
  stacks_captured_ = true;
  for (int i = 0; i < fiber_count_; ++i) {
    state_at_stop_[i] = fibers_[i].state;
    if (fibers_[i].state == State::kFree || fibers_[i].state == State::kDone) continue;
    if (faulted_ && i == stopped_fiber_) continue;
    CaptureStack(i, reinterpret_cast<uintptr_t>(fibers_[i].sp), 0);
  }
}

struct Explainer {
  static void AddFiber(const Machine& machine, int id, Text* text) {
    const Fiber& fiber = machine.fibers_[id];
    text->Add("  fiber %d '%s'%s: ", id, fiber.name, fiber.daemon ? " (daemon)" : "");
    switch (machine.state_at_stop_[id]) {
      case State::kRunnable:
        if (id == machine.stopped_fiber_) text->Add("was running\n");
        else text->Add("can run, last ran at step %llu\n", static_cast<unsigned long long>(fiber.last_step));
        break;
      case State::kParked: {
        int locations = 0;
        for (uint64_t readers : machine.readers_) locations += (readers & fiber.bit) != 0;
        text->Add("yields until one of %d locations it read is written\n", locations);
        break;
      }
      case State::kBlocked:
        AddWait(machine, fiber, text);
        break;
      default:
        break;
    }
    for (int i = 0; i < kMaxFrames && machine.frames_[id][i] != 0; ++i)
      AddFrame(text, machine.frames_[id][i]);
  }

  static void AddWait(const Machine& machine, const Fiber& fiber, Text* text) {
    const uint64_t name = machine.Name(reinterpret_cast<uintptr_t>(fiber.channel));
    text->Add("waits for a %s", fiber.waits_for);
    if (fiber.channel != nullptr) {
      text->Add(" at %s+0x%llx",
                name >> 60 == 3   ? "heap"
                : name >> 60 == 2 ? "global"
                : name >> 60 == 1 ? "stack"
                                  : "host",
                static_cast<unsigned long long>(name & 0x0fffffffffffffff));
    }
    if (fiber.waits_for != nullptr && std::strcmp(fiber.waits_for, "mutex") == 0) {
      const int owner = static_cast<const int32_t*>(fiber.channel)[2] - 1;
      if (owner >= 0 && owner < machine.fiber_count_) text->Add(" held by '%s'", machine.fibers_[owner].name);
    }
    if (fiber.deadline != ~uint64_t{0})
      text->Add(" until %llu ns", static_cast<unsigned long long>(fiber.deadline));
    text->Add("\n");
  }
};

const char* Machine::explanation() const {
  if (explanation_ != nullptr) return explanation_;
  Text text;
  text.Add("%s: %s\n", OutcomeName(outcome_), why_);
  if (stopped_fiber_ >= 0 && outcome_ != Outcome::kFinished) {
    text.Add("  stopped in fiber %d '%s' at step %llu\n", stopped_fiber_, fibers_[stopped_fiber_].name,
             static_cast<unsigned long long>(step_));
  }
  for (int i = 0; stacks_captured_ && i < fiber_count_; ++i) {
    if (state_at_stop_[i] != State::kFree && state_at_stop_[i] != State::kDone)
      Explainer::AddFiber(*this, i, &text);
  }
  explanation_ = text.Take();
  return explanation_;
}

}  // namespace faults::internal

namespace faults {

bool InstrumentationActive(Scheduler* scheduler, void (*body)(void*), void* argument, const char** why) {
  RoundRobin policy(~uint64_t{0} >> 1);
  Scheduler::Options options;
  options.policy = &policy;
  options.plain_points = false;  // steps are then atomic operations and the scheduler's own
  options.arena_bytes = 16 << 20;
  scheduler->Begin(options, 1);
  scheduler->Spawn([](void*) {}, nullptr, "empty");
  const RunResult idle = scheduler->Run();
  scheduler->Begin(options, 1);
  scheduler->Spawn(body, argument, "self-check");
  const RunResult busy = scheduler->Run();
  *why = busy.outcome != Outcome::kFinished ? "the self-check did not finish"
         : busy.steps <= idle.steps         ? "no atomic operation of the subject reached the scheduler"
         : busy.plain_accesses == 0         ? "no plain access of the subject reached the scheduler"
                                            : nullptr;
  return *why == nullptr;
}

}  // namespace faults
