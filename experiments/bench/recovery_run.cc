#include "experiments/bench/recovery_run.h"

#include <algorithm>
#include <bit>
#include <ctime>
#include <memory>
#include <thread>

#include "experiments/common/progress.h"
#include "faster/device/posix_storage.h"
#include "faster/store/faster_kv.h"

namespace experiments::bench {
namespace {

using faster::Status;

constexpr uint32_t kPageBits = 22;
constexpr uint64_t kRecordBytes = 25;  // with its share of the checksums and of what blocks leave over

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

struct Watcher final : faster::CheckpointObserver {
  void OnRecovery(const faster::RecoveryProgress& now) override {
    last = now;
    if (progress) progress(now);
  }
  void OnDurable(const faster::Token&, faster::CheckpointKind, Status ended, uint64_t,
                 const std::vector<faster::SessionCommit>&) override {
    status.store(ended);
  }
  faster::RecoveryProgress last;
  std::function<void(const faster::RecoveryProgress&)> progress;
  std::atomic<Status> status{Status::kPending};
};

bool Stopped(const RecoveredStore& store) {
  return store.interrupted != nullptr && store.interrupted->load();
}

faster::StoreConfig Config(const RecoveredStore& store) {
  faster::StoreConfig config;
  config.page_bits = kPageBits;
  config.buffer_pages = static_cast<uint32_t>(BufferBytes(store) >> kPageBits);
  config.mutable_pages = config.buffer_pages - 4;
  if (store.keys < store.records) {
    // A key's record has to be read-only when its turn comes again.
    const uint64_t pages = store.keys * 24 / 2 >> kPageBits;
    config.mutable_pages = static_cast<uint32_t>(std::clamp<uint64_t>(pages, 1, config.mutable_pages));
  }
  config.segment_pages = 64;
  config.index_buckets = IndexBuckets(store);
  return config;
}

bool TakeCheckpoint(const RecoveredStore& store, Kv* kv, Watcher* watcher, faster::CheckpointKind kind,
                    std::string* error) {
  faster::Token token;
  const auto backend = store.snapshot ? faster::LogBackend::kSnapshot : faster::LogBackend::kFoldOver;
  watcher->status.store(Status::kPending);
  if (kv->Checkpoint(kind, backend, &token) != Status::kOk) {
    *error = "the checkpoint was refused";
    return false;
  }
  while (!kv->Poll()) {
    if (Stopped(store)) return false;
    std::this_thread::yield();
  }
  if (watcher->status.load() == Status::kOk) return true;
  *error = "the checkpoint failed: " + std::string(StatusName(watcher->status.load()));
  return false;
}

faster::CheckpointKind LastKind(const RecoveredStore& store) {
  if (store.deltas != 0) return faster::CheckpointKind::kIncremental;
  return store.index ? faster::CheckpointKind::kFull : faster::CheckpointKind::kLogOnly;
}

// Those before the last one that are due when `records` are there.
bool TakeEarlier(const RecoveredStore& store, uint64_t records, Kv* kv, Watcher* watcher,
                 std::string* error) {
  if (records == store.index_after &&
      !TakeCheckpoint(store, kv, watcher, faster::CheckpointKind::kIndexOnly, error))
    return false;
  const uint64_t half = store.records / 2;
  if (store.deltas == 0 || records < half) return true;
  const uint64_t step = std::max<uint64_t>((store.records - half) / store.deltas, 1);
  if ((records - half) % step != 0 || records + step > store.records) return true;
  const auto kind = records == half ? faster::CheckpointKind::kLogOnly : faster::CheckpointKind::kIncremental;
  return TakeCheckpoint(store, kv, watcher, kind, error);
}

bool Open(const RecoveredStore& store, uint32_t threads, uint64_t seed, faster::Storage* storage,
          Watcher* watcher, std::unique_ptr<Kv>* kv, faster::RecoveryResult* result, std::string* error) {
  faster::StoreConfig config = Config(store);
  config.recovery_threads = threads;
  config.seed = seed;
  faster::Diagnosis why;
  const Status status = Kv::Recover(config, storage, {}, watcher, {}, {}, kv, result, &why);
  if (status != Status::kOk) *error = "the recovery failed: " + why.Text();
  return status == Status::kOk;
}

}  // namespace

uint64_t BufferBytes(const RecoveredStore& store) {
  const uint64_t wanted = std::bit_ceil((store.records * kRecordBytes >> kPageBits) + 8) << kPageBits;
  return std::max(std::min(wanted, std::bit_floor(store.memory_bytes)), uint64_t{8} << kPageBits);
}

uint64_t IndexBuckets(const RecoveredStore& store) {
  return std::bit_ceil(std::max<uint64_t>(store.keys / 2, 1));
}

bool Fill(const RecoveredStore& store, std::string* error) {
  error->clear();
  faster::PosixStorage storage(store.folder);
  std::unique_ptr<Kv> kv;
  faster::Diagnosis why;
  Watcher watcher;
  if (Kv::Create(Config(store), &storage, {}, &watcher, &kv, &why) != Status::kOk) {
    *error = "cannot make the store: " + why.Text();
    return false;
  }
  auto session = kv->StartSession();
  Status status = Status::kOk;
  uint64_t key = 0;
  for (uint64_t i = 0; i < store.records && status == Status::kOk; ++i) {
    if (i % 4096 == 0 && Stopped(store)) return session->Close(), false;
    status = session->Upsert(key * 0x9e3779b97f4a7c15ull, i);
    if (++key == store.keys) key = 0;
    if (i + 1 < store.records && !TakeEarlier(store, i + 1, kv.get(), &watcher, error))
      return session->Close(), false;
  }
  session->Close();
  if (status == Status::kOk) return TakeCheckpoint(store, kv.get(), &watcher, LastKind(store), error);
  *error = "an upsert failed: " + std::string(StatusName(status));
  return false;
}

bool Recover(const RecoveredStore& store, uint32_t threads, uint64_t seed,
             const std::function<void(const faster::RecoveryProgress&)>& progress, Recovery* recovery,
             std::string* error) {
  error->clear();
  faster::PosixStorage storage(store.folder);
  std::unique_ptr<Kv> kv;
  Watcher watcher;
  watcher.progress = progress;
  const double start = MonotonicSeconds();
  const std::clock_t used = std::clock();
  faster::RecoveryResult result;
  if (!Open(store, threads, seed, &storage, &watcher, &kv, &result, error)) return false;
  *recovery = {MonotonicSeconds() - start, static_cast<double>(std::clock() - used) / CLOCKS_PER_SEC,
               watcher.last.bytes, watcher.last.records,
               result.sessions.empty() ? 0 : result.sessions.front().serial};
  return true;
}

bool AddIndex(const RecoveredStore& store, uint64_t seed, std::string* error) {
  error->clear();
  faster::PosixStorage storage(store.folder);
  std::unique_ptr<Kv> kv;
  Watcher watcher;
  faster::RecoveryResult result;
  return Open(store, 1, seed, &storage, &watcher, &kv, &result, error) &&
         TakeCheckpoint(store, kv.get(), &watcher, faster::CheckpointKind::kFull, error);
}

}  // namespace experiments::bench
