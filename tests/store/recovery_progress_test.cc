// What a recovery says of itself: its steps, the pages of the log one by one, and how it ends.
#include <gtest/gtest.h>

#include <vector>

#include "tests/core/spin_barrier.h"
#include "tests/store/test_store.h"

namespace faster {
namespace {

using Step = RecoveryProgress::Step;

constexpr testing::Kind kFullFoldOver = {CheckpointKind::kFull, LogBackend::kFoldOver};
constexpr testing::Kind kLogSnapshot = {CheckpointKind::kLogOnly, LogBackend::kSnapshot};

// Every call, with the states of the pages at that moment.
struct Calls : CheckpointObserver {
  struct Call {
    RecoveryProgress progress;
    uint64_t first = 0;
    std::vector<PageRecovery> pages;
  };
  void OnRecovery(const RecoveryProgress& now) override {
    Call& call = calls.emplace_back(Call{now, 0, {}});
    if (now.pages == nullptr) return;
    call.first = now.pages->first();
    for (uint64_t page = 0; page < now.pages->size(); ++page)
      call.pages.push_back(now.pages->Of(call.first + page));
  }
  std::vector<Step> Steps() const {
    std::vector<Step> steps;
    for (const Call& call : calls) {
      if (steps.empty() || steps.back() != call.progress.step) steps.push_back(call.progress.step);
    }
    return steps;
  }
  std::vector<Call> calls;
};

void Fill(TestStore& store, uint64_t records) {
  auto session = store.kv().StartSession();
  for (uint64_t key = 0; key < records; ++key) ASSERT_EQ(session->Upsert(key, key), Status::kOk);
}

Status RecoverWith(TestStore& store, Calls* calls, Diagnosis* why, std::optional<Token> token = {}) {
  store.Close();
  ++store.next_config().seed;
  std::unique_ptr<TestStore::Kv> kv;
  RecoveryResult result;
  return TestStore::Kv::Recover(store.config(), &store.storage(), {}, calls, token, {}, &kv, &result, why);
}

void Flip(TestStore& store, const std::string& path, uint64_t offset) {
  std::unique_ptr<File> file;
  ASSERT_EQ(store.storage().Open(path, OpenMode::kReadWrite, &file), Status::kOk);
  uint8_t byte = 0;
  ASSERT_EQ(ReadFully(*file, offset, &byte, 1), Status::kOk);
  byte ^= 4;
  ASSERT_EQ(WriteFully(*file, offset, &byte, 1), Status::kOk);
}

TEST(RecoverySteps, ComeInOrderAndEndWithDone) {
  TestStore store;
  Fill(store, 400);
  ASSERT_EQ(store.Checkpoint(kFullFoldOver), Status::kOk);
  Calls calls;
  Diagnosis why;
  ASSERT_EQ(RecoverWith(store, &calls, &why), Status::kOk) << why.Text();
  const std::vector<Step> steps = calls.Steps();
  ASSERT_GE(steps.size(), 4u);
  EXPECT_EQ(steps.front(), Step::kMetadata);
  EXPECT_EQ(steps[1], Step::kLoading);
  EXPECT_EQ(steps[2], Step::kIndex);
  EXPECT_EQ(steps.back(), Step::kDone);
  for (size_t i = 0; i < calls.calls.size(); ++i)
    EXPECT_EQ(calls.calls[i].progress.running(), i + 1 < calls.calls.size());
}

TEST(RecoverySteps, AnIndexThatIsRebuiltIsNotLoaded) {
  TestStore store;
  Fill(store, 100);
  ASSERT_EQ(store.Checkpoint(kLogSnapshot), Status::kOk);
  Calls calls;
  Diagnosis why;
  ASSERT_EQ(RecoverWith(store, &calls, &why), Status::kOk) << why.Text();
  EXPECT_EQ(calls.Steps(), (std::vector{Step::kMetadata, Step::kLoading, Step::kReplay, Step::kDone}));
}

TEST(RecoverySteps, WithoutACheckpointItFailsAtTheMetadata) {
  TestStore store;
  Calls calls;
  Diagnosis why;
  EXPECT_EQ(RecoverWith(store, &calls, &why), Status::kNotFound);
  EXPECT_EQ(calls.Steps(), (std::vector{Step::kMetadata, Step::kFailed}));
  EXPECT_FALSE(why.expected.empty());
}

TEST(RecoverySteps, AnUnknownTokenFailsAtTheMetadata) {
  TestStore store;
  Fill(store, 10);
  ASSERT_EQ(store.Checkpoint(kFullFoldOver), Status::kOk);
  Calls calls;
  Diagnosis why;
  EXPECT_EQ(RecoverWith(store, &calls, &why, Token{7, 7}), Status::kNotFound);
  EXPECT_EQ(calls.Steps(), (std::vector{Step::kMetadata, Step::kFailed}));
}

TEST(RecoverySteps, ADamagedIndexFailsAfterThePages) {
  TestStore store;
  Fill(store, 100);
  ASSERT_EQ(store.Checkpoint(kFullFoldOver), Status::kOk);
  Flip(store, CheckpointPath("", store.last_token(), kIndexDataName), 100);
  Calls calls;
  Diagnosis why;
  EXPECT_EQ(RecoverWith(store, &calls, &why), Status::kCorruption);
  EXPECT_EQ(calls.Steps(), (std::vector{Step::kMetadata, Step::kLoading, Step::kFailed}));
}

// One that failed leaves nothing behind that the next would stumble over.
TEST(RecoverySteps, AfterAFailureTheNextBeginsAnew) {
  TestStore store;
  Fill(store, 100);
  ASSERT_EQ(store.Checkpoint(kFullFoldOver), Status::kOk);
  const std::string path = CheckpointPath("", store.last_token(), kLogMetaName);
  Flip(store, path, 40);
  Calls failed, done;
  Diagnosis why;
  EXPECT_EQ(RecoverWith(store, &failed, &why), Status::kCorruption);
  EXPECT_EQ(why.file, path);
  Flip(store, path, 40);  // as it was
  EXPECT_EQ(RecoverWith(store, &done, &why), Status::kOk) << why.Text();
  EXPECT_EQ(done.Steps().back(), Step::kDone);
}

TEST(RecoverySteps, HaveNames) {
  EXPECT_EQ(RecoveryStepName(Step::kMetadata), "reading metadata");
  EXPECT_EQ(RecoveryStepName(Step::kFailed), "failed");
  EXPECT_EQ(PageRecoveryName(PageRecovery::kNotStarted), "not started");
  EXPECT_EQ(PageRecoveryName(PageRecovery::kWritten), "written");
}

TEST(RecoveredPages, AreAllReadAtTheEnd) {
  for (const uint32_t threads : {1u, 3u}) {
    TestStore store;
    Fill(store, 400);
    ASSERT_EQ(store.Checkpoint(kFullFoldOver), Status::kOk);
    store.next_config().recovery_threads = threads;
    Calls calls;
    Diagnosis why;
    ASSERT_EQ(RecoverWith(store, &calls, &why), Status::kOk) << why.Text();
    const Calls::Call& last = calls.calls.back();
    EXPECT_GE(last.pages.size(), store.config().buffer_pages);
    for (size_t i = 0; i < last.pages.size(); ++i)
      EXPECT_EQ(last.pages[i], PageRecovery::kRead) << "page " << last.first + i;
    EXPECT_TRUE(calls.calls.front().pages.empty()) << "before the checkpoint was chosen";
  }
}

// Between two calls a page only goes on.
TEST(RecoveredPages, NeverGoBack) {
  TestStore store;
  Fill(store, 900);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, LogBackend::kFoldOver}), Status::kOk);
  Calls calls;
  Diagnosis why;
  ASSERT_EQ(RecoverWith(store, &calls, &why), Status::kOk) << why.Text();
  bool some_waited = false;
  const std::vector<PageRecovery>* before = nullptr;
  for (const Calls::Call& call : calls.calls) {
    if (call.pages.empty()) continue;
    for (size_t i = 0; before != nullptr && i < before->size(); ++i) EXPECT_GE(call.pages[i], (*before)[i]);
    for (const PageRecovery page : call.pages) some_waited |= page == PageRecovery::kNotStarted;
    before = &call.pages;
  }
  EXPECT_TRUE(some_waited);
}

TEST(RecoveredPages, ThatDoNotFitAreWritten) {
  StoreConfig config = TestStore::TinyConfig();
  config.buffer_pages = 16;
  config.mutable_pages = 14;
  TestStore store(config);
  Fill(store, 200);  // 13 pages, all in memory
  ASSERT_EQ(store.Checkpoint(kLogSnapshot), Status::kOk);
  store.next_config().buffer_pages = 4;
  store.next_config().mutable_pages = 2;
  Calls calls;
  Diagnosis why;
  ASSERT_EQ(RecoverWith(store, &calls, &why), Status::kOk) << why.Text();
  const std::vector<PageRecovery>& pages = calls.calls.back().pages;
  ASSERT_GT(pages.size(), 8u);
  for (size_t i = 0; i < pages.size(); ++i)
    EXPECT_EQ(pages[i], i + 4 < pages.size() ? PageRecovery::kWritten : PageRecovery::kRead) << i;
}

TEST(RecoveredPages, ADamagedOneIsNotRead) {
  TestStore store;
  Fill(store, 200);
  ASSERT_EQ(store.Checkpoint({CheckpointKind::kLogOnly, LogBackend::kFoldOver}), Status::kOk);
  const uint64_t page = (store.kv().log().tail() >> 9) - 2;
  const LogAddress at = (page << 9) + 70;
  Flip(store, SegmentPath("", at / 2048), at % 2048);
  Calls calls;
  Diagnosis why;
  EXPECT_EQ(RecoverWith(store, &calls, &why), Status::kCorruption);
  const Calls::Call& last = calls.calls.back();
  EXPECT_EQ(last.progress.step, Step::kFailed);
  ASSERT_LT(page - last.first, last.pages.size());
  EXPECT_EQ(last.pages[page - last.first], PageRecovery::kReading);
}

constexpr uint32_t kPageBits = 9;

TEST(PageRecoveries, PartsAddUpToAPage) {
  PageRecoveries pages(512, 2048, kPageBits);
  pages.Reach(512, 1100);
  EXPECT_EQ(pages.first(), 1u);
  EXPECT_EQ(pages.size(), 3u);
  EXPECT_EQ(pages.Of(1), PageRecovery::kNotStarted);
  pages.Began(512);
  pages.Began(640);
  pages.Took(640, 1024);
  EXPECT_EQ(pages.Of(1), PageRecovery::kReading);
  pages.Took(512, 640);
  EXPECT_EQ(pages.Of(1), PageRecovery::kRead);
  EXPECT_EQ(pages.Of(2), PageRecovery::kNotStarted);
  EXPECT_EQ(pages.Count(PageRecovery::kRead), 1u);
  EXPECT_EQ(pages.Count(PageRecovery::kNotStarted), 2u);
}

// A file may say that the log is longer than any memory.
TEST(PageRecoveries, WhatWasNotReachedCostsNothing) {
  PageRecoveries pages(0, uint64_t{1} << 47, kPageBits);
  EXPECT_EQ(pages.size(), uint64_t{1} << 38);
  pages.Reach(1 << 20, (1 << 20) + 600);
  pages.Began(1 << 20);
  EXPECT_EQ(pages.Of(1 << 11), PageRecovery::kReading);
  EXPECT_EQ(pages.Count(PageRecovery::kNotStarted), (uint64_t{1} << 38) - 1);
  pages.Began(1 << 30);
  EXPECT_EQ(pages.Of(1 << 21), PageRecovery::kNotStarted);
}

TEST(PageRecoveries, TheFirstAndTheLastMayBePartOfAPage) {
  PageRecoveries pages(640, 1152, kPageBits);
  pages.Reach(512, 2048);
  EXPECT_EQ(pages.size(), 2u);
  pages.Began(640);
  pages.Took(640, 1024);
  pages.Began(1024);
  pages.Took(1024, 1152);
  EXPECT_EQ(pages.Count(PageRecovery::kRead), 2u);
}

TEST(PageRecoveries, OutsideNothingIsKnown) {
  PageRecoveries pages(512, 1024, kPageBits), none(1024, 1024, kPageBits);
  pages.Reach(0, 4608);
  pages.Began(0);
  pages.Took(4096, 4608);
  for (const uint64_t page : {0, 1, 8}) EXPECT_EQ(pages.Of(page), PageRecovery::kNotStarted);
  EXPECT_EQ(pages.Of(9), PageRecovery::kNotStarted);
  EXPECT_EQ(none.size(), 0u);
  EXPECT_EQ(none.Count(PageRecovery::kNotStarted), 0u);
}

TEST(PageRecoveries, WhatIsWrittenStaysWritten) {
  PageRecoveries pages(0, 512, kPageBits);
  pages.Writes(0);
  EXPECT_EQ(pages.Of(0), PageRecovery::kWriting);
  pages.Wrote(0);
  pages.Reach(0, 512);
  pages.Began(0);
  pages.Took(0, 512);
  EXPECT_EQ(pages.Of(0), PageRecovery::kWritten);
}

TEST(PageRecoveries, TwoThreadsLoseNoPart) {
  constexpr int kPages = 20'000;
  PageRecoveries pages(0, uint64_t{kPages} << kPageBits, kPageBits);
  pages.Reach(0, uint64_t{kPages} << kPageBits);
  const int run = testing::Together(2, kPages, [&](int t, int page) {
    const LogAddress from = (static_cast<LogAddress>(page) << kPageBits) + static_cast<LogAddress>(t) * 256;
    pages.Began(from);
    pages.Took(from, from + 256);
  });
  EXPECT_EQ(pages.Count(PageRecovery::kRead), static_cast<uint64_t>(run));
}

}  // namespace
}  // namespace faster
