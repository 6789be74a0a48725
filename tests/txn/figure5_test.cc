// The example execution of the CPR paper (sec. 4, Figure 5): two threads, two records, fifteen moments. The
// commit captures A = 5 and B = 7; the threads' CPR points are moment 8 (T1) and moment 6 (T2). These results
// and the kinds of steps are the paper's; the steps between are reconstructed from its description of the
// phases.
#include "tests/txn/test_txn_store.h"

namespace workloads::txn {
namespace {

constexpr uint64_t kA = 0, kB = 1;

struct Seen {
  uint64_t live, stable, version;
  bool operator==(const Seen&) const = default;
};

class Figure5 : public ::testing::Test {
 protected:
  Figure5() : world_(&storage_, Config()) {
    EXPECT_EQ(world_.Start(), Status::kOk);
    t1_ = world_.Open(1);
    t2_ = world_.Open(2);
  }
  static TxnConfig Config() {
    TxnConfig config = SmallConfig(CommitScheme::kCpr);
    config.refresh_interval = 1000;  // threads look at the phase when the figure says so
    return config;
  }
  TxnState state() { return world_.store().state(); }
  void Expect(TxnPhase phase, uint64_t version) {
    EXPECT_EQ(TxnPhaseName(state().phase), TxnPhaseName(phase));
    EXPECT_EQ(state().version, version);
  }
  // Somebody moves the commit on while both threads are in the middle of something.
  void PollWhileBothWork() {
    t1_->Execute([this](Transaction&) {
      t2_->Execute([this](Transaction&) {
        static_cast<void>(world_.store().Poll());
        return false;
      });
      return false;
    });
  }
  // Moments 1 to 5: until all threads are in Prepare.
  void FirstFive() {
    // 1, 2: Rest, version 1.
    EXPECT_TRUE(Put(*t1_, kA, 3).committed());
    EXPECT_TRUE(Put(*t2_, kB, 2).committed());
    Expect(TxnPhase::kRest, 1);

    // 3: the commit is requested, both threads being busy.
    t1_->Execute([&](Transaction&) {
      t2_->Execute([&](Transaction&) {
        EXPECT_EQ(world_.store().RequestCommit(&number_), Status::kOk);
        return false;
      });
      return false;
    });
    Expect(TxnPhase::kPrepare, 1);

    // 4: T1 goes to Prepare and writes A; still of version 1, no copy. T2 has not seen the phase.
    t1_->Refresh();
    EXPECT_TRUE(Put(*t1_, kA, 5).committed());
    PollWhileBothWork();
    Expect(TxnPhase::kPrepare, 1);

    // 5: T2 follows and writes B: the last write of version 1. Now all threads are in Prepare.
    t2_->Refresh();
    EXPECT_TRUE(Put(*t2_, kB, 7).committed());
    PollWhileBothWork();
    Expect(TxnPhase::kInProgress, 2);
  }

  MemoryStorage storage_;
  TestTxnStore world_;
  std::unique_ptr<Client> t1_, t2_;
  uint64_t number_ = 0;  // of the commit
};

TEST_F(Figure5, TheExampleExecution) {
  FirstFive();

  // 6: T2's CPR point.
  t2_->Refresh();
  EXPECT_EQ(t2_->commit_point(), 2u);

  // 7: T2, of version 2, writes A: the value of version 1 stays as the stable one.
  EXPECT_TRUE(Put(*t2_, kA, 8).committed());

  // 8: T1, in Prepare still, meets A of version 2: CPR abort; it refreshes, which is its CPR point.
  EXPECT_EQ(Put(*t1_, kA, 9).outcome, TxnOutcome::kShift);
  EXPECT_EQ(t1_->commit_point(), 2u);
  EXPECT_EQ(t1_->serial(), 2u);

  // 9: and tries again, in version 2: no second abort, and no second copy.
  EXPECT_TRUE(Put(*t1_, kA, 9).committed());

  // 10: all threads are in In-progress. B is still as version 1 left it.
  static_cast<void>(world_.store().Poll());
  EXPECT_NE(state().phase, TxnPhase::kPrepare);

  // 11: T1 writes B while the capture may be running.
  EXPECT_TRUE(Put(*t1_, kB, 4).committed());

  // 12, 13: the captured values become durable.
  const Commit commit = world_.Await(number_);
  EXPECT_EQ(commit.status, Status::kOk);
  EXPECT_EQ(commit.version, 1u);
  EXPECT_EQ(commit.points, (std::vector<ClientPoint>{{1, 2}, {2, 2}}));

  // 14: Rest, version 2; what the commit left out is in the live values.
  Expect(TxnPhase::kRest, 2);
  EXPECT_EQ(world_.Value(0, kA), 9u);
  EXPECT_EQ(world_.Value(0, kB), 4u);

  // 15: the next transaction, and the crash.
  EXPECT_TRUE(Put(*t2_, kA, 11).committed());
  t1_.reset();
  t2_.reset();
  ASSERT_EQ(world_.Recover(), Status::kOk) << world_.why().Text();
  EXPECT_EQ(world_.Value(0, kA), 5u);
  EXPECT_EQ(world_.Value(0, kB), 7u);
  EXPECT_EQ(world_.recovered().points, (std::vector<ClientPoint>{{1, 2}, {2, 2}}));
  Expect(TxnPhase::kRest, 2);
}

// A reader of version 2 holds a record for version 2 as well: a thread in Prepare may not write it any more.
TEST_F(Figure5, AReadOfTheNextVersionShiftsTheRecord) {
  EXPECT_TRUE(Put(*t1_, kA, 3).committed());
  uint64_t number = 0;
  t1_->Execute([&](Transaction&) {
    EXPECT_EQ(world_.store().RequestCommit(&number), Status::kOk);
    return false;
  });
  t1_->Refresh();
  t2_->Refresh();
  PollWhileBothWork();
  Expect(TxnPhase::kInProgress, 2);
  t2_->Refresh();
  uint64_t value = 0;
  EXPECT_TRUE(Get(*t2_, kA, &value).committed());
  EXPECT_EQ(value, 3u);
  EXPECT_EQ(Put(*t1_, kA, 4).outcome, TxnOutcome::kShift);
  EXPECT_TRUE(Put(*t1_, kA, 4).committed());
  EXPECT_EQ(world_.Await(number).status, Status::kOk);
  t1_.reset();
  t2_.reset();
  ASSERT_EQ(world_.Recover(), Status::kOk);
  EXPECT_EQ(world_.Value(0, kA), 3u);
}

// In Rest nothing is copied and no record gets a version: what a commit costs ends with it.
TEST(RecordVersions, OnlyACommitShifts) {
  uint64_t words[4] = {1, 0, 0, 0};
  const Record record(words, 1);
  EXPECT_EQ(record.LockExclusive({}), LockResult::kLocked);
  const uint64_t five = 5, six = 6, seven = 7;
  record.WriteLive(&five);
  record.UnlockExclusive();
  EXPECT_EQ(record.version(), 0u);
  EXPECT_EQ(*record.stable(), 0u);

  const VersionRule shift{VersionRule::Kind::kShift, 2};
  EXPECT_EQ(record.LockExclusive(shift), LockResult::kLocked);
  record.WriteLive(&six);
  record.UnlockExclusive();
  EXPECT_EQ(record.version(), 2u);
  EXPECT_EQ(*record.stable(), 5u);
  EXPECT_EQ(record.LockExclusive(shift), LockResult::kLocked);
  record.WriteLive(&seven);
  record.UnlockExclusive();
  EXPECT_EQ(*record.stable(), 5u) << "only the first transaction of a version copies";
  uint64_t captured = 0;
  record.Capture(2, &captured);
  EXPECT_EQ(captured, 5u);
  record.Capture(3, &captured);
  EXPECT_EQ(captured, 7u);
}

}  // namespace
}  // namespace workloads::txn
