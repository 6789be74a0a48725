// Searches on disk end although the chain that they follow becomes longer all the time: a read answers with
// what it has seen, an update that must look again looks only at what has come. A checkpoint waits for both.
#include <gtest/gtest.h>

#include <optional>

#include "faster/store/f2_kv.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

struct OneChain : AddFunctions {
  uint64_t Hash(uint64_t) const { return 0x123456789abcdef; }
};

constexpr uint64_t kFirstKey = 1, kAbsent = 2, kOthers = 100;
constexpr uint32_t kRecordsInBlock = 5;

StoreConfig TinyConfig() {
  StoreConfig config = TestStore::TinyConfig();
  config.buffer_pages = 4;
  config.mutable_pages = 1;
  config.refresh_interval = 1 << 30;  // only when asked: a refresh sees one block
  return config;
}

// A store of either kind whose chain has kFirstKey at its end.
template <class Kv>
class Search {
 public:
  template <class Config>
  explicit Search(const Config& config) {
    Diagnosis why;
    EXPECT_EQ(Kv::Create(config, &storage_, OneChain{}, nullptr, &kv_, &why), Status::kOk) << why.Text();
    session_ = kv_->StartSession();
    EXPECT_EQ(session_->Upsert(kFirstKey, 1000), Status::kOk);
    Lengthen(400);
  }
  // By records of other keys.
  void Lengthen(uint64_t records) {
    for (uint64_t i = 0; i < records; ++i) EXPECT_EQ(session_->Upsert(next_key_++, 1), Status::kOk);
  }
  // Refreshes, at most `most`, until what is pending has ended, and calls `between` after each.
  template <class Between>
  uint32_t Refreshes(uint32_t most, Between between) {
    uint32_t count = 0;
    ended_.reset();
    while (!ended_ && count < most) {
      ++count;
      session_->CompletePending(false, [&](const typename Kv::SessionType::Op& op) {
        ended_ = op.result;
        value_ = op.value.Value();
      });
      between();
    }
    return count;
  }

  MemoryStorage storage_;
  std::unique_ptr<Kv> kv_;
  decltype(std::declval<Kv>().StartSession()) session_;
  std::optional<Status> ended_;
  uint64_t value_ = 0;
  uint64_t next_key_ = kOthers;
};
using OneStore = Search<FasterKv<uint64_t, uint64_t, OneChain>>;
using TwoStores = Search<F2Kv<uint64_t, uint64_t, OneChain, 4>>;

F2Config TwoTiny() {
  F2Config config;
  config.hot = config.cold.log = config.cold.index = TinyConfig();
  config.cold.index.index_buckets = 1;
  config.cold.index_chunks = 8;
  return config;
}

// The chain grows by eight blocks for each that is read.
template <class Store>
void ReadsUnderAStream(Store* store) {
  uint64_t value = 0;
  ASSERT_EQ(store->session_->Read(kAbsent, &value), Status::kPending);
  store->Refreshes(200, [&] { store->Lengthen(8 * kRecordsInBlock); });
  EXPECT_EQ(store->ended_, Status::kNotFound);
}

TEST(Searches, AReadEndsUnderAStreamOfUpdates) {
  OneStore store(TinyConfig());
  ReadsUnderAStream(&store);
}

TEST(Searches, AReadThatGoesOnInTheColdStoreDoesNotComeBack) {
  TwoStores store(TwoTiny());
  ReadsUnderAStream(&store);
}

TEST(Searches, AnUpdateLooksAgainOnlyAtWhatHasCome) {
  for (const uint64_t key : {kAbsent, kFirstKey}) {
    OneStore store(TinyConfig());
    ASSERT_EQ(store.session_->Rmw(key, 5), Status::kPending);
    const uint32_t first = store.Refreshes(200, [] {});
    ASSERT_EQ(store.ended_, Status::kOk);
    EXPECT_EQ(store.value_, key == kFirstKey ? 1005u : 5u);

    OneStore again(TinyConfig());
    ASSERT_EQ(again.session_->Rmw(key, 5), Status::kPending);
    again.Refreshes(first - 1, [] {});
    ASSERT_EQ(again.ended_, std::nullopt);
    again.Lengthen(30 * kRecordsInBlock);
    const uint32_t rest = again.Refreshes(200, [] {});
    ASSERT_EQ(again.ended_, Status::kOk);
    EXPECT_EQ(again.value_, key == kFirstKey ? 1005u : 5u);
    EXPECT_GT(rest, 10u);
    EXPECT_LT(rest, 40u) << first;
  }
}

}  // namespace
}  // namespace faster
