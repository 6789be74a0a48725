#include "tests/sched/bench_subject.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

struct BenchData {
  std::atomic<uint64_t> counters[16] = {};
  volatile uint64_t sink = 0;
  uint64_t plain[16] = {};
};

namespace {

BenchData* D(void* p) { return static_cast<BenchData*>(p); }

void Loads(void* p) {
  for (int i = 0; i < 1000; ++i) D(p)->counters[i & 15].load();
}
void Adds(void* p) {
  for (int i = 0; i < 1000; ++i) D(p)->counters[i & 15].fetch_add(1);
}
void SharedPlain(void* p) {
  uint64_t* plain = D(p)->plain;
  for (int i = 0; i < 1000; ++i) {
    asm volatile("" ::: "memory");
    plain[i & 15] = static_cast<uint64_t>(i);
  }
}
void PrivatePlain(void*) {
  std::unique_ptr<uint64_t[]> mine(new uint64_t[16]);
  for (int i = 0; i < 1000; ++i) {
    asm volatile("" ::: "memory");
    mine[static_cast<unsigned>(i) & 15] = static_cast<uint64_t>(i);
  }
}
void Allocates(void*) {
  for (int i = 0; i < 1000; ++i) {
    std::unique_ptr<uint64_t[]> mine(new uint64_t[8]);
    asm volatile("" ::"r"(mine.get()) : "memory");
  }
}

void Clears(void*) {
  std::unique_ptr<char[]> mine(new char[4096]);
  for (int i = 0; i < 1000; ++i) {
    memset(mine.get(), i, 4096);
    asm volatile("" ::"r"(mine.get()) : "memory");
  }
}

}  // namespace

extern "C" const BenchTable* sched_bench_table() {
  static const BenchTable table = {
      [] { return new BenchData; }, Loads, Adds, SharedPlain, PrivatePlain, Allocates, Clears};
  return &table;
}
