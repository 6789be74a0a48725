// EngineOf: Engine and Client for one form of records (records.h). Included by the files that instantiate it
// (engine_8.cc, ...).
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>
#include <unordered_map>

#include "faster/store/faster_kv.h"
#include "workloads/ycsb/engine.h"
#include "workloads/ycsb/records.h"
#include "workloads/ycsb/value.h"

namespace workloads::ycsb {

template <class Records>
class ClientOf final : public Client {
 public:
  using Kv = typename Records::Kv;
  using Out = typename Records::Out;
  using SessionType = typename Kv::SessionType;
  using Status = faster::Status;

  ClientOf(std::unique_ptr<SessionType> session, const Records& records)
      : session_(std::move(session)), records_(records) {}
  faster::Guid id() const override { return session_->id(); }
  uint64_t serial() const override { return session_->serial(); }
  void Close() override { session_->Close(); }

  void Load(const LoadPlan& plan, ThreadState* state) override {
    state_ = state;
    Begin();
    if (plan.batch > 1) return Finish(LoadBatches(plan));
    uint64_t begun = 0;
    for (; begun < plan.count; ++begun) {
      const bool tick = begun % kSampleEvery == 0;
      if (!Turn(plan, begun)) break;
      const uint64_t record = plan.first + begun;
      const auto value = records_.Of(LoadedWord(record));
      const uint64_t start = tick || plan.time_all ? NanosecondsNow() : 0;
      Ended(Metric::kInsert,
            session_->Upsert(Records::Key(plan.KeyOf(record)), value, User(Metric::kInsert, start)), start);
    }
    Finish(begun);
  }

  void Run(const RunPlan& plan, ThreadState* state) override {
    state_ = state;
    most_pending_ = std::max(plan.most_pending, 1u);
    journal_ = plan.journal;
    writer_ = WriterWord(plan.session, plan.incarnation, 0);
    Begin();
    uint64_t begun = 0;
    if (plan.drawn != nullptr)
      begun = RunDrawn(plan);
    else if (plan.batch > 1)
      begun = RunBatches(plan);
    else if (plan.slow())
      begun = RunStream<true>(plan);
    else
      begun = RunStream<false>(plan);
    Finish(begun);
  }

  void ReadRecords(uint64_t first, uint64_t count, bool hashed, const Visit& visit) override {
    uint64_t pending = 0;
    const auto collect = [&](const auto& op) {
      --pending;
      const bool found = op.result == Status::kOk;
      const Out value(found ? op.value.Value() : decltype(op.value.Value()){});
      visit(reinterpret_cast<uint64_t>(op.user), op.result, Records::WordOf(value), records_.Whole(value));
    };
    for (uint64_t record = first; record < first + count; ++record) {
      Out value{};
      const Status status =
          session_->Read(Records::Key(KeyOfRecord(record, hashed)), &value, reinterpret_cast<void*>(record));
      if (status != Status::kPending)
        visit(record, status, Records::WordOf(value), records_.Whole(value));
      else if (++pending >= kMostPending)
        session_->CompletePending(true, collect);
    }
    session_->CompletePending(true, collect);
  }

 private:
  static constexpr uint64_t kMostPending = 1024;

  // The user pointer of an operation: its metric in the low bits, its start time above if it is timed.
  static void* User(Metric metric, uint64_t start) {
    return reinterpret_cast<void*>(start << 3 | static_cast<uint64_t>(metric));
  }

  // kSlow: throttled, or every operation is timed.
  template <bool kSlow>
  uint64_t RunStream(const RunPlan& plan) {
    const OperationStream& stream = *plan.stream;
    for (uint64_t n = 0; n < plan.count; ++n) {
      const bool tick = n % kSampleEvery == 0;
      if (kSlow ? !Turn(plan, n) : tick && !Tick(plan.stop, n)) return n;
      const StreamElement element = stream.At(plan.first + n);
      if (plan.prefetch != 0) session_->Prefetch(Records::Key(stream.KeyAt(plan.first + n + plan.prefetch)));
      Perform(element.operation, element.key, tick || (kSlow && plan.time_all) ? NanosecondsNow() : 0);
    }
    return plan.count;
  }

  // The operations of one kind in a group of `batch`, in the order of the stream.
  struct Group {
    typename Records::KeyStore keys;
    std::vector<uint64_t> operands;
    typename Records::ValueStore values;
    size_t size = 0;
  };

  uint64_t LoadBatches(const LoadPlan& plan) {
    Group group;
    group.keys.resize(plan.batch);
    group.values.resize(records_, plan.batch);
    uint64_t begun = 0;
    while (begun < plan.count && Tick(plan.stop, begun)) {
      group.size = std::min<uint64_t>(plan.batch, plan.count - begun);
      for (size_t i = 0; i < group.size; ++i) {
        group.keys.Set(i, plan.KeyOf(plan.first + begun + i));
        group.values.Set(records_, i, LoadedWord(plan.first + begun + i));
      }
      UpsertGroup(Metric::kInsert, group);
      begun += group.size;
    }
    return begun;
  }

  uint64_t RunBatches(const RunPlan& plan) {
    const OperationStream& stream = *plan.stream;
    Group reads, updates, rmws;
    for (Group* group : {&reads, &updates, &rmws}) group->keys.resize(plan.batch);
    updates.values.resize(records_, plan.batch);
    rmws.operands.resize(plan.batch);
    uint64_t n = 0;
    while (n < plan.count && Tick(plan.stop, n)) {
      const uint64_t count = std::min<uint64_t>(plan.batch, plan.count - n);
      reads.size = updates.size = rmws.size = 0;
      for (uint64_t i = 0; i < count; ++i) {
        const StreamElement element = stream.At(plan.first + n + i);
        Group& group = element.operation == Operation::kRead  ? reads
                       : element.operation == Operation::kRmw ? rmws
                                                              : updates;
        group.keys.Set(group.size++, element.key);
      }
      if (journal_ != nullptr) journal_->issued.store(session_->serial() + count, std::memory_order_release);
      ReadGroup(reads);
      for (size_t i = 0; i < updates.size; ++i)
        updates.values.Set(records_, i, writer_ | (session_->serial() + 1 + i));
      UpsertGroup(Metric::kUpdate, updates);
      RmwGroup(rmws);
      n += count;
    }
    return n;
  }

  // The first operation of a group is the one that is timed: it takes as long as all of them.
  void ReadGroup(const Group& group) {
    if (group.size == 0) return;
    const uint64_t start = NanosecondsNow();
    Measurements& measurements = state_->measurements;
    session_->ReadBatch(group.size, group.keys.data(), SameFor(group, User(Metric::kRead, 0)),
                        [&](size_t, Status status, const Out& value) {
                          if (status == Status::kOk) [[likely]]
                            Use(value);
                          CountOrPend(measurements, Metric::kRead, status);
                        });
    EndGroup(Metric::kRead, start);
  }
  void UpsertGroup(Metric metric, const Group& group) {
    if (group.size == 0) return;
    const uint64_t start = NanosecondsNow();
    const uint64_t serial = session_->serial() + 1;
    Measurements& measurements = state_->measurements;
    session_->UpsertBatch(group.size, group.keys.data(), group.values.data(), SameFor(group, User(metric, 0)),
                          [&](size_t i, Status status) {
                            if (status == Status::kPending && journal_ != nullptr)
                              journal_->AddPended(serial + i);
                            CountOrPend(measurements, metric, status);
                          });
    EndGroup(metric, start);
  }
  void RmwGroup(Group& group) {
    if (group.size == 0) return;
    const uint64_t start = NanosecondsNow();
    for (size_t i = 0; i < group.size; ++i)
      group.operands[i] = OperandOf(writer_ | (session_->serial() + 1 + i));
    Measurements& measurements = state_->measurements;
    session_->RmwBatch(
        group.size, group.keys.data(), group.operands.data(), SameFor(group, User(Metric::kRmw, 0)),
        [&](size_t, Status status, const Out&) { CountOrPend(measurements, Metric::kRmw, status); });
    EndGroup(Metric::kRmw, start);
  }
  // One user pointer for every operation of a group.
  void* const* SameFor(const Group& group, void* user) {
    if (users_.size() < group.size || users_[0] != user) users_.assign(group.keys.size(), user);
    return users_.data();
  }
  [[gnu::always_inline]] void CountOrPend(Measurements& measurements, Metric metric, Status status) {
    if (status == Status::kPending) [[unlikely]]
      ++pending_;
    else
      measurements.Count(metric, status);
  }
  void EndGroup(Metric metric, uint64_t start) {
    state_->Time(metric, Status::kOk, start);
    if (journal_ != nullptr) journal_->pending.store(pending_, std::memory_order_relaxed);
    if (pending_ >= most_pending_) Complete(false);
  }

  uint64_t RunDrawn(const RunPlan& plan) {
    DrawnKeys& drawn = *plan.drawn;
    for (uint64_t n = 0; n < plan.count; ++n) {
      if (!Turn(plan, n)) return n;
      const uint64_t start = n % kSampleEvery == 0 || plan.time_all ? NanosecondsNow() : 0;
      const Operation operation = drawn.mix.Choose(drawn.random.Next());
      if (operation != Operation::kInsert) {
        Perform(operation, KeyOfRecord(drawn.chooser.Next(drawn.random), drawn.hashed), start);
        continue;
      }
      const uint64_t record = drawn.inserted->Next();
      const Status status = session_->Upsert(Records::Key(KeyOfRecord(record, drawn.hashed)),
                                             records_.Of(LoadedWord(record)), User(Metric::kInsert, start));
      Ended(Metric::kInsert, status, start);
      if (status == Status::kPending) Complete(true);
      while (!drawn.inserted->Acknowledge(record)) std::this_thread::yield();
    }
    return plan.count;
  }

  // Inlined into the loop: calls in between would be a fifth of an operation's instructions.
  [[gnu::always_inline]] void Perform(Operation operation, uint64_t key, uint64_t start) {
    const uint64_t serial = session_->serial() + 1;
    if (journal_ != nullptr) {
      const bool two = operation == Operation::kReadModifyWrite;
      journal_->issued.store(serial + (two ? 1 : 0), std::memory_order_release);
    }
    switch (operation) {
      case Operation::kRead:
        return Read(Metric::kRead, key, start);
      case Operation::kRmw:
        return Ended(
            Metric::kRmw,
            session_->Rmw(Records::Key(key), OperandOf(writer_ | serial), nullptr, User(Metric::kRmw, start)),
            start);
      case Operation::kReadModifyWrite:
        // A client of YCSB waits for the value before it writes; so the update is always the next serial.
        Read(Metric::kRead, key, start);
        if (pending_ != 0) Complete(true);
        Upsert(Metric::kUpdate, key, serial + 1, start != 0 ? Part(start) : 0);
        state_->measurements.Count(Metric::kReadModifyWrite, Status::kOk);
        if (start == 0) return;
        late_ = whole_late_;
        return state_->Time(Metric::kReadModifyWrite, Status::kOk, start, late_);
      default:
        return Upsert(Metric::kUpdate, key, serial, start);
    }
  }

  [[gnu::always_inline]] void Read(Metric metric, uint64_t key, uint64_t start) {
    typename Records::Slot slot(&read_);
    const Status status = session_->Read(Records::Key(key), slot.out(), User(metric, start));
    if (status == Status::kOk) [[likely]]
      Use(*slot.out());
    Ended(metric, status, start);
  }
  [[gnu::always_inline]] void Upsert(Metric metric, uint64_t key, uint64_t serial, uint64_t start) {
    const Status status =
        session_->Upsert(Records::Key(key), records_.Of(writer_ | serial), User(metric, start));
    if (status == Status::kPending && journal_ != nullptr) journal_->AddPended(serial);
    Ended(metric, status, start);
  }
  template <class Read>
  void Use(const Read& value) {
    state_->sum += Records::WordOf(value);
    if (!records_.Whole(value)) [[unlikely]]
      ++state_->torn;
  }
  // When the second part of an operation begins, which is late by the first one, too.
  uint64_t Part(uint64_t start) {
    const uint64_t now = NanosecondsNow();
    whole_late_ = late_;
    late_ += now - start;
    return now;
  }
  [[gnu::always_inline]] void Ended(Metric metric, Status status, uint64_t start) {
    if (status == Status::kPending) [[unlikely]] {
      ++pending_;
      if (journal_ != nullptr) journal_->pending.store(pending_, std::memory_order_relaxed);
      if (late_ != 0 && start != 0 && state_->extra != nullptr) lates_[start] = late_;
      if (pending_ >= most_pending_) Complete(false);
      return;
    }
    state_->measurements.Count(metric, status);
    if (start != 0) [[unlikely]]
      state_->Time(metric, status, start, late_);
  }

  void Complete(bool wait) {
    for (;;) {
      const uint64_t before = pending_;
      session_->CompletePending(wait, [this](const auto& op) {
        const uint64_t user = reinterpret_cast<uint64_t>(op.user);
        const Metric metric = static_cast<Metric>(user & 7);
        --pending_;
        state_->fuzzy += op.disk_start == 0 && op.cold_stage == faster::ColdStage::kNotAsked;
        if (metric == Metric::kRead && op.result == Status::kOk) Use(op.value.Value());
        state_->measurements.Count(metric, op.result);
        if (user >> 3 != 0) state_->Time(metric, op.result, user >> 3, TakeLate(user >> 3));
      });
      if (pending_ < most_pending_) break;
      if (pending_ == before) std::this_thread::yield();  // to whoever brings what we wait for
    }
    if (journal_ != nullptr) journal_->pending.store(pending_, std::memory_order_relaxed);
  }

  // Now and then: pending work, progress, the end. False: stop.
  bool Tick(const std::atomic<bool>* stop, uint64_t begun) {
    if (pending_ != 0) Complete(false);
    state_->done.store(begun - pending_, std::memory_order_relaxed);
    if (state_->wanted.load(std::memory_order_relaxed) != nullptr) [[unlikely]]
      state_->HandOver();
    return stop == nullptr || !stop->load(std::memory_order_relaxed);
  }
  // False: stop. Waits for the time of operation n if it has one.
  bool Turn(const Pace& pace, uint64_t n) {
    if (pace.seconds_per_operation <= 0) return n % kSampleEvery != 0 || Tick(pace.stop, n);
    const uint64_t turn =
        begin_ + static_cast<uint64_t>(static_cast<double>(n) * pace.seconds_per_operation * 1e9);
    for (;;) {
      if (!Tick(pace.stop, n)) return false;
      const uint64_t now = NanosecondsNow();
      if (now >= turn) {
        late_ = now - turn;
        return true;
      }
      std::this_thread::sleep_for(std::chrono::nanoseconds(std::min<uint64_t>(turn - now, 20'000'000)));
    }
  }
  uint64_t TakeLate(uint64_t start) {
    const auto at = lates_.find(start);
    if (at == lates_.end()) return 0;
    const uint64_t late = at->second;
    lates_.erase(at);
    return late;
  }
  void Begin() {
    begin_ = NanosecondsNow();
    if (state_->extra != nullptr) state_->extra->origin = begin_;
  }
  void Finish(uint64_t begun) {
    if (pending_ != 0) Complete(true);
    state_->End(begun);
    journal_ = nullptr;
  }

  const std::unique_ptr<SessionType> session_;
  ThreadState* state_ = nullptr;
  SessionJournal* journal_ = nullptr;
  uint64_t writer_ = 0;
  uint64_t pending_ = 0;
  uint64_t begin_ = 0;
  uint64_t late_ = 0, whole_late_ = 0;  // nanoseconds that the operation began too late, its turn being known
  std::unordered_map<uint64_t, uint64_t> lates_;  // start: late, of operations that are pending
  uint64_t most_pending_ = kMostPending;
  std::vector<void*> users_;
  Records records_;
  typename Records::Kept read_;
};

template <class Records>
class EngineOf final : public Engine {
 public:
  using Kv = typename Records::Kv;

  explicit EngineOf(uint32_t bytes) : records_(bytes) {}
  explicit EngineOf(const Records& records) : records_(records) {}

  faster::Status Create(const faster::StoreConfig& config, faster::Storage* storage,
                        faster::CheckpointObserver* observer, faster::Diagnosis* why) override {
    return Kv::Create(config, storage, records_.functions(), observer, &kv_, why);
  }
  faster::Status Recover(const faster::StoreConfig& config, faster::Storage* storage,
                         faster::CheckpointObserver* observer, faster::RecoveryResult* result,
                         faster::Diagnosis* why) override {
    return Kv::Recover(config, storage, records_.functions(), observer, {}, {}, &kv_, result, why);
  }
  std::unique_ptr<Client> Start() override { return Wrapped(kv_->StartSession()); }
  std::unique_ptr<Client> Continue(const faster::Guid& id) override {
    return Wrapped(kv_->ContinueSession(id));
  }
  faster::Status Checkpoint(faster::CheckpointKind kind, faster::LogBackend backend,
                            faster::Token* token) override {
    return kv_->Checkpoint(kind, backend, token);
  }
  faster::Status GrowIndex() override { return kv_->GrowIndex(); }
  faster::GrowthProgress Growth() override { return kv_->Growth(); }
  bool Poll() override { return kv_->Poll(); }
  faster::SystemState State() const override { return kv_->State(); }
  LogState Log() const override {
    const faster::HybridLog& log = kv_->log();
    return {log.begin(), log.head(), log.flushed_until(), log.read_only(), log.tail()};
  }
  uint64_t IndexBytes() const override {
    const faster::HashTable& table = kv_->index().table();
    return (table.size() + table.overflow_count()) * sizeof(faster::HashBucket);
  }
  faster::CheckpointProgress Progress() override { return kv_->CheckpointProgress(); }
  std::string Describe() override { return kv_->Describe(); }

 private:
  std::unique_ptr<Client> Wrapped(std::unique_ptr<typename Kv::SessionType> session) {
    if (session == nullptr) return nullptr;
    return std::make_unique<ClientOf<Records>>(std::move(session), records_);
  }
  const Records records_;
  std::unique_ptr<Kv> kv_;
};

}  // namespace workloads::ycsb
