// Engine and Client: one open store and one session of it, whatever the size of the values.
//
// The loops over operations live behind these interfaces, compiled once per value size, so that nothing is
// virtual inside a loop. Engine: thread-safe as FasterKv is. Client: one thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "faster/core/config.h"
#include "faster/cpr/checkpointer.h"
#include "faster/cpr/recovery.h"
#include "workloads/generators.h"
#include "workloads/ycsb/journal.h"
#include "workloads/ycsb/measurements.h"
#include "workloads/ycsb/stream.h"
#include "workloads/ycsb/value_lengths.h"

namespace workloads::ycsb {

inline uint64_t NanosecondsNow() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

// What is kept of operations that were timed, beyond their latencies, if it is asked for.
struct ExtraMeasurements {
  bool keeps_points = false, keeps_intended = false;
  bool points_are_intended = false;  // their latencies
  uint64_t origin = 0;               // NanosecondsNow() when the phase began
  Measurements intended;             // latencies from when an operation should have begun
  std::vector<Point> points;

  // `late`: nanoseconds that it began too late.
  void Add(Metric metric, faster::Status status, uint64_t start, uint64_t now, uint64_t late) {
    if (keeps_intended) intended.Time(metric, status, now - start + late);
    if (keeps_points)
      points.push_back({now - origin, now - start + (points_are_intended ? late : 0), metric, status});
  }
};

// What a thread leaves behind; `done` is read while it runs.
struct alignas(64) ThreadState {
  std::atomic<uint64_t> done{0};  // YCSB operations completed, up to date within 64
  // Where the thread is to copy its measurements while it works; it sets this to null when it has.
  std::atomic<Measurements*> wanted{nullptr};
  std::atomic<bool> ended{false};  // the measurements will not change any more
  Measurements measurements;
  uint64_t torn = 0;                         // values read that were put together from two writes
  uint64_t sum = 0;                          // of the words read: every value is copied out and used
  uint64_t fuzzy = 0;                        // operations that waited for other sessions
  std::unique_ptr<ExtraMeasurements> extra;  // null: nothing is asked for

  void Time(Metric metric, faster::Status status, uint64_t start, uint64_t late = 0) {
    const uint64_t now = NanosecondsNow();
    measurements.Time(metric, status, now - start);
    if (extra != nullptr) [[unlikely]]
      extra->Add(metric, status, start, now, late);
  }

  // Both are the working thread's.
  [[gnu::noinline]] void HandOver() {
    Measurements* const to = wanted.load(std::memory_order_acquire);
    if (to == nullptr) return;
    *to = measurements;
    wanted.store(nullptr, std::memory_order_release);
  }
  void End(uint64_t operations) {
    done.store(operations, std::memory_order_relaxed);
    HandOver();
    ended.store(true, std::memory_order_release);
  }
};

// Key of a record number, as YCSB stores it (without its "user").
inline uint64_t KeyOfRecord(uint64_t record, bool hashed) { return hashed ? FnvHash64(record) : record; }

struct Pace {
  double seconds_per_operation = 0;  // throttled if not 0
  bool time_all = false;             // every operation, not every 64th
  const std::atomic<bool>* stop = nullptr;
  bool slow() const { return seconds_per_operation > 0 || time_all; }
};

struct LoadPlan : Pace {
  uint64_t first = 0;  // record numbers
  uint64_t count = 0;
  bool hashed = true;
  const uint64_t* keys = nullptr;  // of the records, by number; null: by KeyOfRecord
  uint32_t batch = 1;              // operations per call of the engine
  uint64_t KeyOf(uint64_t record) const {
    return keys != nullptr ? keys[record] : KeyOfRecord(record, hashed);
  }
};

// Draws for workloads with inserts, where a thread cannot draw ahead.
struct DrawnKeys {
  KeyChooser chooser;
  Random random;
  OperationMix mix;
  AcknowledgedCounter* inserted;
  bool hashed;
};

struct RunPlan : Pace {
  const OperationStream* stream = nullptr;  // or
  DrawnKeys* drawn = nullptr;
  uint64_t first = 0;  // number of the first element
  uint64_t count = 0;
  uint32_t session = 0;  // named in the words written
  uint32_t incarnation = 0;
  uint32_t prefetch = 0;
  uint32_t batch = 1;  // operations per call of the engine; those of one kind follow each other then
  uint32_t most_pending = 1024;  // operations under way; then the thread waits for one of them
  SessionJournal* journal = nullptr;
};

class Client {
 public:
  virtual ~Client() = default;
  virtual faster::Guid id() const = 0;
  virtual uint64_t serial() const = 0;
  virtual void Load(const LoadPlan& plan, ThreadState* state) = 0;
  virtual void Run(const RunPlan& plan, ThreadState* state) = 0;
  // Reads records first .. first + count - 1, many at a time; visit(record, status, word, whole).
  using Visit = std::function<void(uint64_t record, faster::Status status, uint64_t word, bool whole)>;
  virtual void ReadRecords(uint64_t first, uint64_t count, bool hashed, const Visit& visit) = 0;
  virtual void Close() = 0;
};

struct LogState {
  faster::LogAddress begin, head, flushed, read_only, tail;
};

// What a cold store gets besides the configuration of the hot one, in bytes. 0: from that, see engine_f2.cc.
struct ColdShape {
  uint64_t log_memory = 0;
  uint64_t index_memory = 0;  // for chunks of its index
  uint64_t index_chunks = 0;  // a power of two
  uint64_t migrate_at = 0;    // length of the hot log
  uint64_t compact_at = 0;    // of the cold log
};

class Engine {
 public:
  // stored_bytes: 8, 104 and 256 are compiled in; others, of 8 or more, use a store of variable length.
  // With `lengths` values are that long, stored_bytes at most.
  static std::unique_ptr<Engine> Make(uint32_t stored_bytes,
                                      std::shared_ptr<const ValueLengths> lengths = nullptr);
  // The same with a cold store below it. Null: stored_bytes is none of the three.
  static std::unique_ptr<Engine> MakeF2(uint32_t stored_bytes, const ColdShape& cold = {});

  virtual ~Engine() = default;  // closes the store; every client is gone
  virtual faster::Status Create(const faster::StoreConfig& config, faster::Storage* storage,
                                faster::CheckpointObserver* observer, faster::Diagnosis* why) = 0;
  virtual faster::Status Recover(const faster::StoreConfig& config, faster::Storage* storage,
                                 faster::CheckpointObserver* observer, faster::RecoveryResult* result,
                                 faster::Diagnosis* why) = 0;
  virtual std::unique_ptr<Client> Start() = 0;
  virtual std::unique_ptr<Client> Continue(const faster::Guid& id) = 0;
  virtual faster::Status Checkpoint(faster::CheckpointKind kind, faster::LogBackend backend,
                                    faster::Token* token) = 0;
  // A store whose index does not grow on demand says so.
  virtual faster::Status GrowIndex() { return faster::Status::kUnsupported; }
  virtual faster::GrowthProgress Growth() { return {}; }
  virtual bool Poll() = 0;
  virtual faster::SystemState State() const = 0;
  virtual LogState Log() const = 0;
  virtual uint64_t IndexBytes() const { return 0; }  // main and overflow buckets
  virtual faster::CheckpointProgress Progress() { return {}; }
  virtual std::string Describe() = 0;
};

}  // namespace workloads::ycsb
