// Micro-benchmarks of the engine's operations: one session, 8-byte keys and values, everything in memory.
//
// Keys are drawn before the loop, so that the generator is not measured. Arguments: number of keys (fits a
// cache or not). `Rest` figures are with no checkpoint running; `Idle` shows what a second, idle session
// costs.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "faster/device/null_storage.h"
#include "faster/store/faster_kv.h"

namespace {

using faster::Status;

struct Add {
  using Input = uint64_t;
  uint64_t Hash(uint64_t key) const {
    const uint64_t h = key * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 32;
  }
  uint64_t Initial(uint64_t input) const { return input; }
  uint64_t Update(uint64_t old, uint64_t input) const { return old + input; }
};
using Kv = faster::FasterKv<uint64_t, uint64_t, Add>;

struct Loaded {
  explicit Loaded(uint64_t keys) {
    faster::StoreConfig config;
    config.page_bits = 22;
    config.buffer_pages = 128;
    config.mutable_pages = 120;
    config.index_buckets = std::bit_ceil(keys / 2);
    faster::Diagnosis why;
    if (Kv::Create(config, &storage, {}, nullptr, &kv, &why) != Status::kOk) std::abort();
    session = kv->StartSession();
    for (uint64_t key = 0; key < keys; ++key) {
      if (session->Upsert(key, key) != Status::kOk) std::abort();
    }
    faster::IdSource random(7);
    drawn.resize(1 << 16);
    for (uint64_t& key : drawn) key = random.Next() % keys;
  }
  faster::NullStorage storage;
  std::unique_ptr<Kv> kv;
  std::unique_ptr<Kv::SessionType> session;
  std::vector<uint64_t> drawn;
};

template <class Operate>
void Run(benchmark::State& state, Operate&& operate) {
  Loaded loaded(static_cast<uint64_t>(state.range(0)));
  size_t i = 0;
  for (auto _ : state) operate(*loaded.session, loaded.drawn[i++ & 0xffff]);
  state.SetItemsProcessed(state.iterations());
}

void BM_Read(benchmark::State& state) {
  Run(state, [](auto& session, uint64_t key) {
    uint64_t value = 0;
    benchmark::DoNotOptimize(session.Read(key, &value));
    benchmark::DoNotOptimize(value);
  });
}
void BM_Upsert(benchmark::State& state) {
  Run(state, [](auto& session, uint64_t key) { benchmark::DoNotOptimize(session.Upsert(key, key)); });
}
void BM_Rmw(benchmark::State& state) {
  Run(state, [](auto& session, uint64_t key) { benchmark::DoNotOptimize(session.Rmw(key, 1)); });
}
void BM_DeleteAndInsert(benchmark::State& state) {
  Run(state, [](auto& session, uint64_t key) {
    benchmark::DoNotOptimize(session.Delete(key));
    benchmark::DoNotOptimize(session.Upsert(key, key));
  });
}
void BM_RefreshInRest(benchmark::State& state) {
  Loaded loaded(1024);
  for (auto _ : state) loaded.session->Refresh();
}
void BM_EpochProtect(benchmark::State& state) {
  faster::LightEpoch epoch(4);
  auto* entry = epoch.Acquire();
  for (auto _ : state) {
    epoch.Protect(entry);
    benchmark::ClobberMemory();
    epoch.Unprotect(entry);
  }
}

BENCHMARK(BM_Read)->Arg(1 << 10)->Arg(1 << 22);
BENCHMARK(BM_Upsert)->Arg(1 << 10)->Arg(1 << 22);
BENCHMARK(BM_Rmw)->Arg(1 << 10)->Arg(1 << 22);
BENCHMARK(BM_DeleteAndInsert)->Arg(1 << 10);
BENCHMARK(BM_RefreshInRest);
BENCHMARK(BM_EpochProtect);

}  // namespace
