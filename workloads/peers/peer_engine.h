// PeerEngine: Engine and Client over a store with plain get, put and add. Included by the files that
// instantiate it (tbb.cc, ...).
//
// Store: `bool Open(const std::string& directory, std::string* error)`, and, from any thread,
// `Status Get(uint64_t key, V*)`, `Status Put(uint64_t key, const V&)` and `Status Add(uint64_t key, uint64_t
// operand)`, which is atomic and makes an absent key V::Of(operand). One that loads faster in groups has
// `Status PutMany(const uint64_t* keys, const V* values, size_t count)`, too.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

#include "workloads/peers/peers.h"
#include "workloads/ycsb/value.h"

namespace workloads::peers {

using faster::Status;

template <class Store, class V>
class PeerClient final : public ycsb::Client {
 public:
  explicit PeerClient(Store* store) : store_(store) {}
  faster::Guid id() const override { return {}; }
  uint64_t serial() const override { return serial_; }
  void Close() override {}

  void Load(const ycsb::LoadPlan& plan, ycsb::ThreadState* state) override {
    Begin(plan, state);
    uint64_t n = 0;
    if constexpr (requires(V value, uint64_t key) { store_->PutMany(&key, &value, 1); }) {
      if (plan.batch > 1) return LoadBatches(plan, state);
    }
    for (; n < plan.count && Turn(plan, n, state); ++n) {
      const uint64_t record = plan.first + n;
      Measure(state, ycsb::Metric::kInsert, n,
              [&] { return store_->Put(plan.KeyOf(record), V::Of(ycsb::LoadedWord(record))); });
    }
    state->End(n);
  }

  void Run(const ycsb::RunPlan& plan, ycsb::ThreadState* state) override {
    Begin(plan, state);
    writer_ = ycsb::WriterWord(plan.session, plan.incarnation, 0);
    uint64_t n = 0;
    for (; n < plan.count && Turn(plan, n, state); ++n) {
      if (plan.drawn != nullptr) {
        PerformDrawn(*plan.drawn, n, state);
      } else {
        const ycsb::StreamElement element = plan.stream->At(plan.first + n);
        Perform(element.operation, element.key, n, state);
      }
    }
    state->End(n);
  }

  void ReadRecords(uint64_t first, uint64_t count, bool hashed, const Visit& visit) override {
    for (uint64_t record = first; record < first + count; ++record) {
      V value = V::Of(0);
      const Status status = store_->Get(ycsb::KeyOfRecord(record, hashed), &value);
      visit(record, status, value.word[0], value.Whole());
    }
  }

 private:
  void LoadBatches(const ycsb::LoadPlan& plan, ycsb::ThreadState* state) {
    std::vector<uint64_t> keys(plan.batch);
    std::vector<V> values(plan.batch, V::Of(0));
    uint64_t n = 0;
    for (uint64_t count = 0; n < plan.count && Turn(plan, n, state); n += count) {
      count = std::min<uint64_t>(plan.batch, plan.count - n);
      for (uint64_t i = 0; i < count; ++i) {
        keys[i] = plan.KeyOf(plan.first + n + i);
        values[i] = V::Of(ycsb::LoadedWord(plan.first + n + i));
      }
      const Status status = store_->PutMany(keys.data(), values.data(), count);
      for (uint64_t i = 0; i < count; ++i) state->measurements.Count(ycsb::Metric::kInsert, status);
    }
    state->End(n);
  }

  void PerformDrawn(ycsb::DrawnKeys& drawn, uint64_t n, ycsb::ThreadState* state) {
    const Operation operation = drawn.mix.Choose(drawn.random.Next());
    if (operation != Operation::kInsert) {
      Perform(operation, ycsb::KeyOfRecord(drawn.chooser.Next(drawn.random), drawn.hashed), n, state);
      return;
    }
    const uint64_t record = drawn.inserted->Next();
    Measure(state, ycsb::Metric::kInsert, n, [&] {
      return store_->Put(ycsb::KeyOfRecord(record, drawn.hashed), V::Of(ycsb::LoadedWord(record)));
    });
    while (!drawn.inserted->Acknowledge(record)) std::this_thread::yield();
  }

  void Perform(Operation operation, uint64_t key, uint64_t n, ycsb::ThreadState* state) {
    const uint64_t word = writer_ | ++serial_;
    const auto read = [&] {
      V value;
      const Status status = store_->Get(key, &value);
      if (status != Status::kOk) return status;
      state->sum += value.word[0];
      state->torn += !value.Whole();
      return status;
    };
    switch (operation) {
      case Operation::kRead:
        return Measure(state, ycsb::Metric::kRead, n, read);
      case Operation::kRmw:
        return Measure(state, ycsb::Metric::kRmw, n, [&] { return store_->Add(key, ycsb::OperandOf(word)); });
      case Operation::kReadModifyWrite:
        return ReadModifyWrite(read, key, word, n, state);
      default:
        return Measure(state, ycsb::Metric::kUpdate, n, [&] { return store_->Put(key, V::Of(word)); });
    }
  }

  // As YCSB counts it: the read, the update, and both as one.
  template <class Read>
  void ReadModifyWrite(const Read& read, uint64_t key, uint64_t word, uint64_t n, ycsb::ThreadState* state) {
    const bool timed = Timed(n);
    const uint64_t start = timed ? ycsb::NanosecondsNow() : 0, late = late_;
    Measure(state, ycsb::Metric::kRead, n, read);
    if (timed) late_ += ycsb::NanosecondsNow() - start;
    Measure(state, ycsb::Metric::kUpdate, n, [&] { return store_->Put(key, V::Of(word)); });
    late_ = late;
    state->measurements.Count(ycsb::Metric::kReadModifyWrite, Status::kOk);
    if (timed) state->Time(ycsb::Metric::kReadModifyWrite, Status::kOk, start, late);
  }

  template <class Operate>
  void Measure(ycsb::ThreadState* state, ycsb::Metric metric, uint64_t n, const Operate& operate) {
    if (!Timed(n)) return state->measurements.Count(metric, operate());
    const uint64_t start = ycsb::NanosecondsNow();
    const Status status = operate();
    state->measurements.Count(metric, status);
    state->Time(metric, status, start, late_);
  }
  bool Timed(uint64_t n) const { return time_all_ || n % ycsb::kSampleEvery == 0; }

  static bool Tick(const std::atomic<bool>* stop, uint64_t n, ycsb::ThreadState* state) {
    state->done.store(n, std::memory_order_relaxed);
    state->HandOver();
    return stop == nullptr || !stop->load(std::memory_order_relaxed);
  }
  // False: stop. Waits for the time of operation n if it has one.
  bool Turn(const ycsb::Pace& pace, uint64_t n, ycsb::ThreadState* state) {
    if (pace.seconds_per_operation <= 0) return n % ycsb::kSampleEvery != 0 || Tick(pace.stop, n, state);
    const uint64_t turn =
        begin_ + static_cast<uint64_t>(static_cast<double>(n) * pace.seconds_per_operation * 1e9);
    for (;;) {
      if (!Tick(pace.stop, n, state)) return false;
      const uint64_t now = ycsb::NanosecondsNow();
      if (now >= turn) {
        late_ = now - turn;
        return true;
      }
      std::this_thread::sleep_for(std::chrono::nanoseconds(std::min<uint64_t>(turn - now, 20'000'000)));
    }
  }
  void Begin(const ycsb::Pace& pace, ycsb::ThreadState* state) {
    time_all_ = pace.time_all;
    begin_ = ycsb::NanosecondsNow();
    if (state->extra != nullptr) state->extra->origin = begin_;
  }

  Store* const store_;
  uint64_t serial_ = 0;
  uint64_t writer_ = 0;
  uint64_t begin_ = 0, late_ = 0;  // nanoseconds; the second is of the current operation
  bool time_all_ = false;
};

template <class Store, class V>
class PeerEngine final : public ycsb::Engine {
 public:
  explicit PeerEngine(std::string directory) : directory_(std::move(directory)) {}
  Status Create(const faster::StoreConfig&, faster::Storage*, faster::CheckpointObserver*,
                faster::Diagnosis* why) override {
    return Open(why);
  }
  Status Recover(const faster::StoreConfig&, faster::Storage*, faster::CheckpointObserver*,
                 faster::RecoveryResult*, faster::Diagnosis* why) override {
    return Open(why);
  }
  std::unique_ptr<ycsb::Client> Start() override { return std::make_unique<PeerClient<Store, V>>(&store_); }
  std::unique_ptr<ycsb::Client> Continue(const faster::Guid&) override { return nullptr; }
  Status Checkpoint(faster::CheckpointKind, faster::LogBackend, faster::Token*) override {
    return Status::kInvalidArgument;
  }
  Status GrowIndex() override { return Status::kUnsupported; }
  faster::GrowthProgress Growth() override { return {}; }
  bool Poll() override { return true; }
  faster::SystemState State() const override { return {}; }
  ycsb::LogState Log() const override { return {}; }
  std::string Describe() override { return "a peer\n"; }

 private:
  Status Open(faster::Diagnosis* why) {
    std::string error;
    if (store_.Open(directory_, &error)) return Status::kOk;
    *why = {directory_, 0, "a store that can be opened", error};
    return Status::kIoError;
  }
  const std::string directory_;
  Store store_;
};

template <template <class V> class Store>
std::unique_ptr<ycsb::Engine> MakePeer(uint32_t stored_bytes, const std::string& directory) {
  switch (stored_bytes) {
    case 8:
      return std::make_unique<PeerEngine<Store<ycsb::Value<8>>, ycsb::Value<8>>>(directory);
    case 104:
      return std::make_unique<PeerEngine<Store<ycsb::Value<104>>, ycsb::Value<104>>>(directory);
    case 256:
      return std::make_unique<PeerEngine<Store<ycsb::Value<256>>, ycsb::Value<256>>>(directory);
    default:
      return nullptr;
  }
}

}  // namespace workloads::peers
