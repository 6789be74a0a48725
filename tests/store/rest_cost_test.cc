// What an operation costs in Rest: no allocation, and no write to anything that sessions share but its record
// and, for a new record, the tail and its bucket entry. CPR adds nothing while no checkpoint runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "faster/device/null_storage.h"
#include "tests/store/test_store.h"
#include "tests/store/write_trace.h"

namespace faster {
namespace {

using testing::WriteTrace;
using Kv = TestStore::Kv;
using Rec = Record<uint64_t, uint64_t>;

constexpr uint64_t kKeys = 200;

class RestCost : public ::testing::Test {
 protected:
  void SetUp() override {
    StoreConfig config;
    config.page_bits = 16;
    config.buffer_pages = 8;
    config.mutable_pages = 6;
    config.index_buckets = 64;
    config.refresh_interval = 4;
    Diagnosis why;
    WriteTrace::Fence();
    const Status status = Kv::Create(config, &storage_, {}, nullptr, &kv_, &why);
    idle_ = kv_->StartSession();
    session_ = kv_->StartSession();
    WriteTrace::EndFence();
    ASSERT_EQ(status, Status::kOk) << why.Text();
    for (uint64_t key = 0; key < kKeys; ++key) ASSERT_EQ(session_->Upsert(key, key), Status::kOk);
  }

  // Words that operations wrote and that sessions share.
  struct Shared {
    std::set<uintptr_t> index, log, others;
    size_t log_writes = 0;
    uint64_t allocations = 0;
  };
  Shared Trace(const std::function<void()>& operations) {
    WriteTrace::Start();
    operations();
    WriteTrace::Stop();
    Shared shared;
    shared.allocations = WriteTrace::allocations();
    const auto range = [](const void* from, uint64_t bytes) {
      const uintptr_t start = reinterpret_cast<uintptr_t>(from);
      return WriteTrace::Range{start, start + bytes};
    };
    const WriteTrace::Range own = range(session_.get(), sizeof *session_);
    const WriteTrace::Range index =
        range(kv_->index().table().main_bucket(0), kv_->index().table().size() * 64);
    const WriteTrace::Range log = range(kv_->log().At(0), kv_->log().buffer_bytes());
    size_t announcements = 0;
    for (const uintptr_t word : WriteTrace::Writes()) {
      if (own.Holds(word)) continue;
      if (index.Holds(word)) {
        shared.index.insert(word);
      } else if (log.Holds(word)) {
        shared.log.insert(word);
        ++shared.log_writes;
      } else {
        shared.others.insert(word);
      }
      ++announcements;
    }
    EXPECT_GT(announcements, 0u) << "the trace saw nothing, not even an epoch announced";
    return shared;
  }
  // The word of the session's epoch entry is its own; it is the one that reads write, too.
  uintptr_t EpochWord() {
    const Shared reads = Trace([&] { Read(1); });
    EXPECT_EQ(reads.others.size(), 1u);
    return reads.others.empty() ? 0 : *reads.others.begin();
  }
  void Read(uint64_t key) {
    uint64_t value = 0;
    const Status status = session_->Read(key, &value);
    if (status != Status::kOk || value != key) std::abort();
  }
  std::set<uintptr_t> Without(std::set<uintptr_t> words, uintptr_t word) {
    words.erase(word);
    return words;
  }

  NullStorage storage_;
  std::unique_ptr<Kv> kv_;
  std::unique_ptr<Kv::SessionType> idle_, session_;
};

TEST_F(RestCost, AReadWritesItsEpochEntryOnly) {
  const uintptr_t epoch = EpochWord();
  const Shared shared = Trace([&] {
    for (int round = 0; round < 3; ++round) {
      for (uint64_t key = 0; key < kKeys; ++key) Read(key);
    }
    uint64_t value = 0;
    if (session_->Read(kKeys + 5, &value) != Status::kNotFound) std::abort();
  });
  EXPECT_EQ(shared.allocations, 0u);
  EXPECT_EQ(shared.index.size() + shared.log.size(), 0u);
  EXPECT_EQ(shared.others, std::set<uintptr_t>{epoch});
}

TEST_F(RestCost, ABatchOfReadsWritesItsEpochEntryOnly) {
  const uintptr_t epoch = EpochWord();
  uint64_t keys[kKeys], values[kKeys];
  Status statuses[kKeys];
  for (uint64_t key = 0; key < kKeys; ++key) keys[key] = key;
  const Shared shared = Trace([&] { session_->ReadBatch(kKeys, keys, values, statuses); });
  EXPECT_EQ(std::count(statuses, statuses + kKeys, Status::kOk), static_cast<ptrdiff_t>(kKeys));
  EXPECT_EQ(shared.allocations, 0u);
  EXPECT_EQ(shared.index.size() + shared.log.size(), 0u);
  EXPECT_EQ(shared.others, std::set<uintptr_t>{epoch});
}

// Each writes one word, the value, once.
TEST_F(RestCost, AnUpdateInPlaceWritesItsRecordOnly) {
  const uintptr_t epoch = EpochWord();
  uint64_t keys[kKeys], inputs[kKeys], values[kKeys];
  Status statuses[kKeys];
  for (uint64_t key = 0; key < kKeys; ++key) keys[key] = key, inputs[key] = 1;
  const std::function<void()> updates[] = {
      [&] {
        for (const uint64_t key : keys) statuses[key] = session_->Upsert(key, key + 1);
      },
      [&] {
        for (const uint64_t key : keys) statuses[key] = session_->Rmw(key, 1);
      },
      [&] { session_->UpsertBatch(kKeys, keys, inputs, statuses); },
      [&] { session_->RmwBatch(kKeys, keys, inputs, values, statuses); }};
  for (const auto& update : updates) {
    const Shared shared = Trace(update);
    EXPECT_EQ(std::count(statuses, statuses + kKeys, Status::kOk), static_cast<ptrdiff_t>(kKeys));
    EXPECT_EQ(shared.allocations, 0u);
    EXPECT_EQ(shared.index.size(), 0u);
    EXPECT_EQ(shared.log.size(), kKeys);
    EXPECT_EQ(shared.log_writes, kKeys);
    EXPECT_EQ(shared.others, std::set<uintptr_t>{epoch});
  }
}

TEST_F(RestCost, AnInsertWritesItsRecordTheTailAndItsBucketEntry) {
  const uintptr_t epoch = EpochWord();
  uint64_t keys[8], values[8] = {};
  Status statuses[8];
  for (uint64_t i = 0; i < 8; ++i) keys[i] = 100000 + i;
  for (uint64_t i = 0; i < 8; ++i) {
    const Shared shared = Trace([&] {
      if (i < 7)
        statuses[0] = session_->Upsert(keys[i], 1);
      else
        session_->UpsertBatch(1, &keys[i], values, statuses);
    });
    EXPECT_EQ(statuses[0], Status::kOk);
    EXPECT_EQ(shared.allocations, 0u);
    EXPECT_EQ(shared.log.size(), Rec::kWords);
    EXPECT_LE(shared.index.size(),
              1u + (kv_->index().table().overflow_count() != 0));  // an overflow bucket: and its link
    const std::set<uintptr_t> rest = Without(shared.others, epoch);
    ASSERT_FALSE(rest.empty());
    const uintptr_t log = reinterpret_cast<uintptr_t>(&kv_->log());
    EXPECT_TRUE(std::any_of(rest.begin(), rest.end(), [&](uintptr_t word) {
      return word >= log && word < log + sizeof(HybridLog);
    })) << "the tail did not move";
    EXPECT_LE(rest.size(), 1u + (shared.index.empty() ? 2 : 0));  // the tail; an entry in an overflow bucket
  }
}

}  // namespace
}  // namespace faster
