// What the tests of the transactional store share: an observer that takes notes, a store that is opened and
// recovered in one line, and files as plain strings.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "faster/device/memory_storage.h"
#include "workloads/txn/store.h"

namespace workloads::txn {

using faster::File;
using faster::MemoryStorage;
using faster::OpenMode;

class Notes : public TxnObserver {
 public:
  void OnPhase(TxnPhase phase, uint64_t version) override {
    std::lock_guard lock(mutex_);
    phases_.emplace_back(phase, version);
  }
  void OnCommit(const Commit& commit) override {
    std::lock_guard lock(mutex_);
    commits_.push_back(commit);
  }
  std::vector<Commit> commits() const {
    std::lock_guard lock(mutex_);
    return commits_;
  }
  std::vector<std::pair<TxnPhase, uint64_t>> phases() const {
    std::lock_guard lock(mutex_);
    return phases_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<TxnPhase, uint64_t>> phases_;
  std::vector<Commit> commits_;
};

constexpr CommitScheme kSchemes[] = {CommitScheme::kCpr, CommitScheme::kCalc, CommitScheme::kWal};

inline std::string NameOf(const ::testing::TestParamInfo<CommitScheme>& info) {
  return std::string(SchemeName(info.param));
}

inline TxnConfig SmallConfig(CommitScheme scheme) {
  TxnConfig config;
  config.scheme = scheme;
  config.tables = {{1, 64}, {3, 32}};
  config.directory = "store";
  config.log_ring_bytes = 4096;
  return config;
}

class TestTxnStore {
 public:
  TestTxnStore(Storage* storage, const TxnConfig& config) : storage_(storage), config_(config) { Renew(); }

  // The clients of the store must be gone.
  void Renew() {
    store_.reset();
    notes_ = std::make_unique<Notes>();
    store_ = std::make_unique<TxnStore>(config_, storage_, notes_.get());
  }
  void Close() { store_.reset(); }
  Status Start() { return store_->Start(&why_); }
  Status Recover() {
    Renew();
    recovered_ = {};
    return store_->Recover(&recovered_, &why_);
  }
  std::unique_ptr<Client> Open(uint64_t id) {
    std::unique_ptr<Client> client;
    EXPECT_EQ(store_->StartClient(id, &client), Status::kOk);
    return client;
  }
  // Asks for a commit and waits for its end.
  Commit CommitNow() {
    uint64_t number = 0;
    EXPECT_EQ(store_->RequestCommit(&number), Status::kOk);
    return Await(number);
  }
  Commit Await(uint64_t number) {
    for (;;) {
      while (!store_->Poll()) std::this_thread::yield();
      for (const Commit& commit : notes_->commits()) {
        if (commit.number >= number) return commit;
      }
      std::this_thread::yield();
    }
  }
  uint64_t Value(uint32_t table, uint64_t key) const {  // its first word
    uint64_t value[256] = {};
    static_cast<void>(store_->Peek(table, key, value));
    return value[0];
  }

  TxnStore& store() { return *store_; }
  Notes& notes() { return *notes_; }
  Diagnosis& why() { return why_; }
  const RecoveredTxns& recovered() const { return recovered_; }

 private:
  Storage* const storage_;
  const TxnConfig config_;
  std::unique_ptr<Notes> notes_;
  std::unique_ptr<TxnStore> store_;
  Diagnosis why_;
  RecoveredTxns recovered_;
};

inline TxnResult Put(Client& client, uint64_t key, uint64_t value, uint32_t table = 0) {
  return client.Execute([=](Transaction& transaction) {
    uint64_t* const word = transaction.Write(table, key);
    if (word == nullptr) return false;
    *word = value;
    return true;
  });
}
inline TxnResult Get(Client& client, uint64_t key, uint64_t* value, uint32_t table = 0) {
  return client.Execute([=](Transaction& transaction) {
    const uint64_t* const word = transaction.Read(table, key);
    if (word == nullptr) return false;
    *value = *word;
    return true;
  });
}

inline uint64_t PointOf(const std::vector<ClientPoint>& points, uint64_t client) {
  for (const ClientPoint& point : points) {
    if (point.client == client) return point.serial;
  }
  return 0;
}

// The files of the directory `store`, and back.
using Files = std::map<std::string, std::string>;

inline Files FilesOf(Storage& storage) {
  Files files;
  std::vector<std::string> names;
  EXPECT_EQ(storage.List("store", &names), Status::kOk);
  for (const std::string& name : names) {
    std::unique_ptr<File> file;
    EXPECT_EQ(storage.Open("store/" + name, OpenMode::kRead, &file), Status::kOk);
    uint64_t bytes = 0;
    EXPECT_EQ(file->Size(&bytes), Status::kOk);
    std::string& text = files["store/" + name];
    text.resize(bytes);
    EXPECT_EQ(faster::ReadFully(*file, 0, text.data(), bytes), Status::kOk);
  }
  return files;
}

inline void PutFiles(Storage& storage, const Files& files) {
  EXPECT_EQ(storage.CreateDirectory("store"), Status::kOk);
  for (const auto& [path, text] : files) {
    std::unique_ptr<File> file;
    ASSERT_EQ(storage.Open(path, OpenMode::kTruncate, &file), Status::kOk);
    ASSERT_EQ(faster::WriteFully(*file, 0, text.data(), text.size()), Status::kOk);
  }
}

}  // namespace workloads::txn
