// TestStore: a small FasterKv<uint64, uint64> with additive RMW on a MemoryStorage (or on another storage
// that can be made from nothing, or with other functions), and calls that wait.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "faster/device/memory_storage.h"
#include "faster/store/faster_kv.h"

namespace faster {
namespace testing {

struct Kind {
  CheckpointKind kind;
  LogBackend backend;
};

}  // namespace testing

struct AddFunctions {
  using Input = uint64_t;
  uint64_t Hash(uint64_t key) const {
    return key * 0x9e3779b97f4a7c15ull ^ (key * 0x9e3779b97f4a7c15ull) >> 31;
  }
  uint64_t Initial(uint64_t input) const { return input; }
  uint64_t Update(uint64_t old, uint64_t input) const { return old + input; }
};

template <class Disk, class Functions = AddFunctions>
class TestStoreOn {
 public:
  using Kv = FasterKv<uint64_t, uint64_t, Functions>;
  using SessionType = typename Kv::SessionType;

  static StoreConfig TinyConfig() {
    StoreConfig config;
    config.page_bits = 9;
    config.buffer_pages = 8;
    config.mutable_pages = 4;
    config.block_bytes = 128;
    config.segment_pages = 4;
    config.index_buckets = 8;
    config.version_bits = 3;
    return config;
  }

  explicit TestStoreOn(StoreConfig config = TinyConfig()) : config_(config) {
    Diagnosis why;
    const Status status = Kv::Create(config_, &storage_, {}, &observer_, &kv_, &why);
    EXPECT_EQ(status, Status::kOk) << why.Text();
  }
  Kv& kv() { return *kv_; }
  Disk& storage() { return storage_; }
  const StoreConfig& config() const { return config_; }
  StoreConfig& next_config() { return config_; }  // of the next recovery
  const Token& last_token() const { return observer_.token; }

  void Close() { kv_.reset(); }
  RecoveryResult Recover(std::optional<Token> token = {}) {
    kv_.reset();
    ++config_.seed;
    Diagnosis why;
    RecoveryResult result;
    const Status status = Kv::Recover(config_, &storage_, {}, &observer_, token, {}, &kv_, &result, &why);
    EXPECT_EQ(status, Status::kOk) << why.Text();
    return result;
  }
  // Starts a checkpoint, polls it to its end and returns what the observer was told.
  Status Checkpoint(testing::Kind kind) {
    Token token;
    const Status started = kv_->Checkpoint(kind.kind, kind.backend, &token);
    if (started != Status::kOk) return started;
    observer_.status = Status::kPending;
    while (!kv_->Poll()) std::this_thread::yield();
    return observer_.status;
  }
  static std::optional<uint64_t> Read(SessionType& session, uint64_t key) {
    uint64_t value = 0;
    Status status = session.Read(key, &value);
    if (status == Status::kPending) status = Wait(session, &value);
    return status == Status::kOk ? std::optional(value) : std::nullopt;
  }
  void Rmw(SessionType& session, uint64_t key, uint64_t input) {
    Status status = session.Rmw(key, input);
    if (status == Status::kPending) status = Wait(session, nullptr);
    EXPECT_EQ(status, Status::kOk);
  }
  void Delete(SessionType& session, uint64_t key) {
    Status status = session.Delete(key);
    if (status == Status::kPending) status = Wait(session, nullptr);
    EXPECT_EQ(status, Status::kOk);
  }

 private:
  struct Observer : CheckpointObserver {
    void OnDurable(const Token& ended_token, CheckpointKind, Status ended, uint64_t,
                   const std::vector<SessionCommit>&) override {
      status = ended;
      token = ended_token;
    }
    Token token;
    Status status = Status::kPending;
  };
  static Status Wait(SessionType& session, uint64_t* value) {
    Status result = Status::kPending;
    session.CompletePending(true, [&](const typename SessionType::Op& op) {
      result = op.result;
      if (value != nullptr) *value = op.value.Value();
    });
    return result;
  }

  Disk storage_;
  Observer observer_;
  StoreConfig config_;
  std::unique_ptr<Kv> kv_;
};
using TestStore = TestStoreOn<MemoryStorage>;

}  // namespace faster
