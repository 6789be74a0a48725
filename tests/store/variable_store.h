// VariableStore: a small store of byte strings on a MemoryStorage, and calls that wait. Its RMW puts a text
// behind the value, or, of an input that begins with '=', sets it to what follows.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "faster/device/memory_storage.h"
#include "faster/store/faster_kv.h"
#include "tests/store/test_store.h"

namespace faster {

struct TextFunctions {
  using Input = std::string;
  uint64_t Hash(std::string_view key) const { return HashBytes(key); }
  size_t InitialBytes(const Input& input) const { return input.size(); }
  void Initial(const Input& input, char* to) const { input.copy(to, input.size()); }
  static bool Sets(const Input& input) { return !input.empty() && input[0] == '='; }
  size_t UpdatedBytes(std::string_view old, const Input& input) const {
    return Sets(input) ? input.size() - 1 : old.size() + input.size();
  }
  void Update(std::string_view old, const Input& input, char* to) const {
    if (Sets(input)) {
      input.copy(to, input.size() - 1, 1);
      return;
    }
    old.copy(to, old.size());
    input.copy(to + old.size(), input.size());
  }
};

template <class Functions = TextFunctions>
class VariableStoreOf {
 public:
  using Kv = FasterKv<VarKey, VarValue, Functions>;
  using SessionType = typename Kv::SessionType;
  using Op = typename SessionType::Op;

  static StoreConfig TinyConfig() {
    StoreConfig config = TestStore::TinyConfig();
    config.block_bytes = 256;
    return config;
  }
  // The longest value of a key of `key` bytes.
  static size_t MostBytes(const StoreConfig& config, size_t key) {
    return config.block_bytes - 8 - VariableRecord::BytesFor(key, 0);
  }

  explicit VariableStoreOf(StoreConfig config = TinyConfig()) : config_(config) {
    Diagnosis why;
    const Status status = Kv::Create(config_, &storage_, {}, &observer_, &kv_, &why);
    EXPECT_EQ(status, Status::kOk) << why.Text();
  }
  Kv& kv() { return *kv_; }
  MemoryStorage& storage() { return storage_; }
  StoreConfig& next_config() { return config_; }
  const Token& last_token() const { return observer_.token; }

  void Close() { kv_.reset(); }
  Status TryRecover(Diagnosis* why, std::optional<Token> token = {}) {
    kv_.reset();
    ++config_.seed;
    RecoveryResult result;
    return Kv::Recover(config_, &storage_, {}, &observer_, token, {}, &kv_, &result, why);
  }
  void Recover(std::optional<Token> token = {}) {
    Diagnosis why;
    ASSERT_EQ(TryRecover(&why, token), Status::kOk) << why.Text();
  }
  Status Checkpoint(testing::Kind kind) {
    Token token;
    const Status started = kv_->Checkpoint(kind.kind, kind.backend, &token);
    if (started != Status::kOk) return started;
    observer_.status = Status::kPending;
    while (!kv_->Poll()) std::this_thread::yield();
    return observer_.status;
  }

  // Calls that wait for their answer.
  static std::optional<std::string> Read(SessionType& session, std::string_view key) {
    ByteBuffer value;
    const Status status = Wait(session, session.Read(key, &value), &value);
    if (status == Status::kOk) return std::string(value.Value());
    EXPECT_EQ(status, Status::kNotFound);
    return std::nullopt;
  }
  static Status Upsert(SessionType& session, std::string_view key, std::string_view value) {
    return Wait(session, session.Upsert(key, value));
  }
  static Status Rmw(SessionType& session, std::string_view key, const std::string& input) {
    return Wait(session, session.Rmw(key, input));
  }
  static Status Delete(SessionType& session, std::string_view key) {
    return Wait(session, session.Delete(key));
  }
  static Status Wait(SessionType& session, Status status, ByteBuffer* value = nullptr) {
    if (status != Status::kPending) return status;
    session.CompletePending(true, [&](const Op& op) {
      status = op.result;
      if (value != nullptr) value->Assign(op.value);
    });
    return status;
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

  MemoryStorage storage_;
  Observer observer_;
  StoreConfig config_;
  std::unique_ptr<Kv> kv_;
};
using VariableStore = VariableStoreOf<>;

}  // namespace faster
