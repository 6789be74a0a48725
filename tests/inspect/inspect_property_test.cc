// Whatever a store has been through, its checkpoints are sound; and whatever byte is changed, a recovery that
// fails of it was foretold by the validation.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <vector>

#include "tests/inspect/inspected.h"

namespace faster {
namespace {

constexpr testing::Kind kKinds[] = {kFullFold,    kFullSnapshot, kLogFold,
                                    kLogSnapshot, kIncremental,  kIndexOnly};

struct Step {
  int what;
  uint64_t number;
};
using Steps = std::vector<Step>;

void showValue(const Step& step, std::ostream& out) { out << step.what << ":" << step.number; }

rc::Gen<Steps> SomeSteps() {
  return rc::gen::container<Steps>(
      rc::gen::build<Step>(rc::gen::set(&Step::what, rc::gen::inRange(0, 12)),
                           rc::gen::set(&Step::number, rc::gen::inRange<uint64_t>(0, 1000))));
}

StoreConfig SomeConfig() {
  StoreConfig config = TestStore::TinyConfig();
  config.index_buckets = *rc::gen::element<uint64_t>(1, 2, 8);
  config.version_bits = *rc::gen::element(3u, 13u);
  config.block_bytes = *rc::gen::element(64u, 128u, 512u);
  if (*rc::gen::arbitrary<bool>()) config.buffer_pages = 64, config.mutable_pages = 50;
  config.shift = *rc::gen::element(ShiftScheme::kFine, ShiftScheme::kCoarse);
  config.overlap_index = *rc::gen::arbitrary<bool>();
  config.copy_reads_to_tail = *rc::gen::arbitrary<bool>();
  return config;
}

class Life {
 public:
  explicit Life(const StoreConfig& config) : store_(config) {}

  void Do(const Step& step) {
    const uint64_t n = step.number;
    switch (step.what) {
      case 0:
      case 1:
      case 2:
        return Work(n);
      case 3:
        return Recover(n);
      case 4:
        if (store_.kv().index().size() < 64 && store_.kv().GrowIndex() == Status::kOk) Finish();
        return;
      case 5:
        RC_ASSERT(store_.kv().Compact(store_.kv().log().head() * (n % 4) / 4, CompactionKind::kLookup) ==
                  Status::kOk);
        return;
      default:
        Work(n % 50);
        RC_ASSERT(store_.Checkpoint(kKinds[n % std::size(kKinds)]) == Status::kOk);
        if (n % std::size(kKinds) != 5) logs_.push_back(store_.last_token());
    }
  }
  TestStore& store() { return store_; }
  bool has_log() const { return !logs_.empty(); }

 private:
  void Finish() {
    while (!store_.kv().Poll()) std::this_thread::yield();
  }
  void Work(uint64_t n) {
    auto session = store_.kv().StartSession();
    for (uint64_t i = 0; i < n % 200; ++i) {
      const uint64_t key = (n * 31 + i * 7) % 90;
      store_.Rmw(*session, key, i);
      if (i % 9 == 0 && session->Delete(key / 2) == Status::kPending)
        session->CompletePending(true, [](const auto&) {});
      if (i % 5 == 0) store_.Read(*session, key * 3 % 90);
    }
  }
  // The latest, or an older one: then those after it are abandoned.
  void Recover(uint64_t n) {
    if (logs_.empty()) return;
    const size_t which = n % 3 == 0 ? n % logs_.size() : logs_.size() - 1;
    logs_.resize(which + 1);
    store_.Recover(logs_.back());
  }

  TestStore store_;
  std::vector<Token> logs_;
};

TEST(InspectProperty, WhatTheEngineWritesIsSound) {
  EXPECT_TRUE(rc::check([] {
    Life life(SomeConfig());
    for (const Step& step : *SomeSteps()) life.Do(step);
    life.store().Close();
    StoreView view;
    Diagnosis why;
    RC_ASSERT(ReadStoreView(life.store().storage(), "", &view, &why) == Status::kOk);
    for (const CatalogEntry& entry : view.entries) {
      if (entry.empty()) continue;
      for (const char* const hash : {"auto", "none"}) {
        CheckpointReport report;
        const Status status =
            ValidateEntry(&life.store().storage(), "", view, entry, TestOptions(1, hash), &report);
        RC_LOG() << TextOf(report);
        RC_ASSERT(status == Status::kOk);
      }
    }
  }));
}

TEST(InspectProperty, ARecoveryThatFailsWasForetold) {
  int failed = 0;
  EXPECT_TRUE(rc::check([&] {
    Life life(SomeConfig());
    for (const Step& step : *SomeSteps()) life.Do(step);
    life.Do({6, 0});  // a full one
    TestStore& store = life.store();
    store.Close();
    const std::vector<std::string> files = PathsBelow(store.storage(), "");
    for (int flip = 0; flip < 8; ++flip) {
      const std::string file = *rc::gen::elementOf(files);
      const uint64_t bytes = SizeOf(store.storage(), file);
      if (bytes == 0) continue;
      const uint64_t offset = *rc::gen::inRange<uint64_t>(0, bytes);
      FlipByte(store.storage(), file, offset);
      CheckpointReport report;
      Diagnosis why;
      const Status validated = ValidateCheckpoint(&store.storage(), "", {}, TestOptions(1), &report, &why);
      std::unique_ptr<TestStore::Kv> kv;
      RecoveryResult result;
      ++store.next_config().seed;
      const Status recovered =
          TestStore::Kv::Recover(store.config(), &store.storage(), {}, nullptr, {}, {}, &kv, &result, &why);
      RC_LOG() << file << " at " << offset << ": " << why.Text() << "\n" << TextOf(report);
      RC_ASSERT(recovered == Status::kOk || validated != Status::kOk);
      if (recovered == Status::kOk) RC_ASSERT(kv->CheckInvariants() == "");
      failed += recovered != Status::kOk;
      kv.reset();
      FlipByte(store.storage(), file, offset);
    }
  }));
  EXPECT_GT(failed, 20) << "nothing to foretell";
}

}  // namespace
}  // namespace faster
