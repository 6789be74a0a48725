// Locks, transactions, clients and phases, with each scheme.
#include "tests/txn/test_txn_store.h"

namespace workloads::txn {
namespace {

class TxnStoreTest : public ::testing::TestWithParam<CommitScheme> {
 protected:
  TxnStoreTest() : world_(&storage_, SmallConfig(GetParam())) { EXPECT_EQ(world_.Start(), Status::kOk); }
  MemoryStorage storage_;
  TestTxnStore world_;
};
INSTANTIATE_TEST_SUITE_P(Scheme, TxnStoreTest, ::testing::ValuesIn(kSchemes), NameOf);

TEST_P(TxnStoreTest, NoWait) {
  auto a = world_.Open(1), b = world_.Open(2);
  const uint64_t before = b->serial();
  const TxnResult outer = a->Execute([&](Transaction& transaction) {
    uint64_t* const value = transaction.Write(0, 7);
    EXPECT_NE(value, nullptr);
    *value = 1;
    uint64_t seen = 0;
    EXPECT_EQ(Get(*b, 7, &seen).outcome, TxnOutcome::kConflict);
    EXPECT_EQ(Put(*b, 7, 2).outcome, TxnOutcome::kConflict);
    EXPECT_TRUE(Put(*b, 8, 3).committed()) << "another record";
    EXPECT_EQ(world_.Value(0, 7), 0u) << "nothing is to be seen before the commit";
    return true;
  });
  EXPECT_TRUE(outer.committed());
  EXPECT_EQ(b->serial(), before + 1) << "an attempt that aborts takes no serial";
  EXPECT_EQ(world_.Value(0, 7), 1u);
  EXPECT_TRUE(Put(*b, 7, 2).committed()) << "the lock is free again";
}

TEST_P(TxnStoreTest, ReadersShareAndShutOutWriters) {
  auto a = world_.Open(1), b = world_.Open(2), c = world_.Open(3);
  EXPECT_TRUE(Put(*a, 7, 5).committed());
  const TxnResult outer = a->Execute([&](Transaction& transaction) {
    EXPECT_NE(transaction.Read(0, 7), nullptr);
    uint64_t seen = 0;
    EXPECT_TRUE(Get(*b, 7, &seen).committed());
    EXPECT_EQ(seen, 5u);
    EXPECT_EQ(Put(*c, 7, 6).outcome, TxnOutcome::kConflict);
    return true;
  });
  EXPECT_TRUE(outer.committed());
  EXPECT_TRUE(Put(*c, 7, 6).committed());
}

TEST_P(TxnStoreTest, AReadMayBecomeAWriteIfNobodyElseReads) {
  auto a = world_.Open(1), b = world_.Open(2);
  const auto increment = [](Transaction& transaction) {
    const uint64_t* const read = transaction.Read(0, 7);
    if (read == nullptr) return false;
    uint64_t* const written = transaction.Write(0, 7);
    if (written == nullptr) return false;
    EXPECT_EQ(transaction.Write(0, 7), written) << "one copy per record";
    ++*written;
    EXPECT_EQ(*read, *written);
    return true;
  };
  EXPECT_TRUE(a->Execute(increment).committed());
  b->Execute([&](Transaction& transaction) {
    EXPECT_NE(transaction.Read(0, 7), nullptr);
    EXPECT_EQ(a->Execute(increment).outcome, TxnOutcome::kConflict);
    return true;
  });
  EXPECT_TRUE(a->Execute(increment).committed());
  EXPECT_EQ(world_.Value(0, 7), 2u);
}

TEST_P(TxnStoreTest, AnAbortHasNoEffect) {
  auto a = world_.Open(1), b = world_.Open(2);
  EXPECT_TRUE(Put(*a, 7, 5).committed());
  const TxnResult given_up = a->Execute([](Transaction& transaction) {
    *transaction.Write(0, 7) = 6;
    *transaction.Write(1, 7) = 6;
    return false;
  });
  EXPECT_EQ(given_up.outcome, TxnOutcome::kBody);
  EXPECT_EQ(given_up.serial, 2u);
  EXPECT_EQ(a->serial(), 1u);
  // A body that goes on although a lock was refused does not commit either.
  b->Execute([&](Transaction& other) {
    EXPECT_NE(other.Write(0, 9), nullptr);
    const TxnResult result = a->Execute([](Transaction& transaction) {
      *transaction.Write(0, 7) = 8;
      EXPECT_EQ(transaction.Write(0, 9), nullptr);
      return true;
    });
    EXPECT_EQ(result.outcome, TxnOutcome::kConflict);
    return false;
  });
  EXPECT_EQ(world_.Value(0, 7), 5u);
  EXPECT_EQ(world_.Value(1, 7), 0u);
  EXPECT_TRUE(Put(*b, 7, 1).committed()) << "its locks are free";
}

TEST_P(TxnStoreTest, AFullTableRefusesNewKeysOnly) {
  auto a = world_.Open(1);
  for (uint64_t key = 0; key < 32; ++key) EXPECT_TRUE(Put(*a, key, key + 1, 1).committed());
  const TxnResult result = Put(*a, 32, 1, 1);
  EXPECT_EQ(result.outcome, TxnOutcome::kFailed);
  EXPECT_EQ(result.status, Status::kNoSpace);
  EXPECT_EQ(Put(*a, ~uint64_t{0}, 1).status, Status::kInvalidArgument);
  EXPECT_TRUE(Put(*a, 31, 1, 1).committed());
}

TEST_P(TxnStoreTest, CommitsPassThroughTheirPhases) {
  auto a = world_.Open(1);
  EXPECT_TRUE(Put(*a, 7, 5).committed());
  const Commit commit = world_.CommitNow();
  EXPECT_EQ(commit.status, Status::kOk) << commit.why.Text();
  EXPECT_EQ(PointOf(commit.points, 1), 1u);
  using Phases = std::vector<std::pair<TxnPhase, uint64_t>>;
  const Phases calc = {{TxnPhase::kInProgress, 2}, {TxnPhase::kWaitFlush, 2}, {TxnPhase::kRest, 2}};
  Phases cpr = calc;
  cpr.insert(cpr.begin(), {TxnPhase::kPrepare, 1});
  const Phases expected = GetParam() == CommitScheme::kCpr    ? cpr
                          : GetParam() == CommitScheme::kCalc ? calc
                                                              : Phases{};
  EXPECT_EQ(world_.notes().phases(), expected);
}

TEST_P(TxnStoreTest, OneCommitAtATime) {
  auto a = world_.Open(1);
  uint64_t number = 0, second = 0;
  a->Execute([&](Transaction&) {  // CPR and CALC wait for this client
    EXPECT_EQ(world_.store().RequestCommit(&number), Status::kOk);
    if (GetParam() != CommitScheme::kWal) {
      EXPECT_EQ(world_.store().RequestCommit(&second), Status::kBusy);
      EXPECT_FALSE(world_.store().Poll());
    }
    return false;
  });
  EXPECT_EQ(world_.Await(number).status, Status::kOk);
  EXPECT_EQ(world_.CommitNow().status, Status::kOk);
}

TEST_P(TxnStoreTest, IdleAndClosedClientsHoldNothingBack) {
  auto idle = world_.Open(1), closed = world_.Open(2), busy = world_.Open(3);
  EXPECT_TRUE(Put(*idle, 1, 1).committed());
  EXPECT_TRUE(Put(*closed, 2, 1).committed());
  closed.reset();
  for (uint64_t round = 1; round <= 3; ++round) {
    EXPECT_TRUE(Put(*busy, 3, round).committed());
    const Commit commit = world_.CommitNow();
    ASSERT_EQ(commit.status, Status::kOk);
    EXPECT_EQ(PointOf(commit.points, 1), 1u);
    EXPECT_EQ(PointOf(commit.points, 2), 1u);
    EXPECT_EQ(PointOf(commit.points, 3), round);
  }
  EXPECT_TRUE(Put(*idle, 1, 2).committed());
  EXPECT_EQ(idle->serial(), 2u);
  idle.reset();
  busy.reset();
  ASSERT_EQ(world_.Recover(), Status::kOk) << world_.why().Text();
  EXPECT_EQ(world_.recovered().points, (std::vector<ClientPoint>{{1, 1}, {2, 1}, {3, 3}}));
}

// A client's point stays what it was when it shifted, although it is closed, opened again and goes on.
TEST_P(TxnStoreTest, AClientThatComesBackDuringItsCommitKeepsItsPoint) {
  auto a = world_.Open(1), busy = world_.Open(2);
  EXPECT_TRUE(Put(*a, 1, 1).committed());
  uint64_t number = 0;
  busy->Execute([&](Transaction&) {
    EXPECT_EQ(world_.store().RequestCommit(&number), Status::kOk);
    if (GetParam() == CommitScheme::kCpr) {
      a->Refresh();  // Prepare; In-progress waits for `busy`
    } else {
      EXPECT_TRUE(Put(*a, 1, 2).committed());  // CALC: behind the point
    }
    return false;
  });
  busy->Execute([&](Transaction&) {
    if (GetParam() == CommitScheme::kCpr) {
      static_cast<void>(world_.store().Poll());
      a->Refresh();
      EXPECT_TRUE(Put(*a, 1, 2).committed());
    }
    a.reset();
    a = world_.Open(1);
    EXPECT_EQ(a->serial(), 2u);
    EXPECT_TRUE(Put(*a, 1, 3).committed());
    return false;
  });
  const Commit commit = world_.Await(number);
  if (GetParam() == CommitScheme::kCalc) {
    EXPECT_EQ(PointOf(commit.points, 1), 1u);
  } else if (GetParam() == CommitScheme::kCpr) {
    EXPECT_LE(PointOf(commit.points, 1), 2u);
  }
  const uint64_t point = PointOf(commit.points, 1);
  a.reset();
  busy.reset();
  ASSERT_EQ(world_.Recover(), Status::kOk);
  const uint64_t recovered = PointOf(world_.recovered().points, 1);
  EXPECT_GE(recovered, point);
  EXPECT_EQ(world_.Value(0, 1), recovered);
}

TEST_P(TxnStoreTest, ClientsAreOpenedOnce) {
  auto a = world_.Open(1);
  std::unique_ptr<Client> again;
  EXPECT_EQ(world_.store().StartClient(1, &again), Status::kBusy);
  EXPECT_TRUE(Put(*a, 1, 1).committed());
  a.reset();
  a = world_.Open(1);
  EXPECT_EQ(a->serial(), 1u);
}

TEST_P(TxnStoreTest, OneStoreOnADirectory) {
  TestTxnStore second(&storage_, SmallConfig(GetParam()));
  EXPECT_EQ(second.Start(), Status::kBusy);
  world_.Close();
  EXPECT_EQ(second.Recover(), Status::kOk);
}

TEST_P(TxnStoreTest, TheBreakdownCountsWhatTheSchemeDoes) {
  auto a = world_.Open(1);
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_TRUE(a->Execute<TickTiming>([&](Transaction& transaction) {
                   *transaction.Write(0, 1) = i;
                   return true;
                 }).committed());
    while (!world_.store().Poll()) {
    }
  }
  EXPECT_GT(a->times().exec, 0u);
  EXPECT_EQ(a->times().tail != 0, GetParam() != CommitScheme::kCpr);
  EXPECT_EQ(a->times().log != 0, GetParam() == CommitScheme::kWal);
  EXPECT_EQ(a->times().abort, 0u);
  a->Execute<TickTiming>([](Transaction&) { return false; });
  EXPECT_GT(a->times().abort, 0u);
  const TimeBreakdown before = a->times();
  EXPECT_TRUE(Put(*a, 1, 1).committed());
  EXPECT_EQ(a->times().exec, before.exec) << "off unless asked for";
}

// More than the ring holds, in one transaction and over many.
TEST(Wal, ARecordThatTheRingCannotHoldIsRefused) {
  MemoryStorage storage;
  TxnConfig config = SmallConfig(CommitScheme::kWal);
  config.tables = {{1, 64}, {200, 8}};
  config.log_ring_bytes = 1024;
  TestTxnStore world(&storage, config);
  ASSERT_EQ(world.Start(), Status::kOk);
  auto a = world.Open(1);
  const TxnResult result = Put(*a, 1, 1, 1);
  EXPECT_EQ(result.outcome, TxnOutcome::kFailed);
  EXPECT_EQ(result.status, Status::kTooLarge);
  EXPECT_EQ(world.Value(1, 1), 0u);
  for (uint64_t i = 1; i <= 1000; ++i) ASSERT_TRUE(Put(*a, 1, i).committed());  // waits for room by itself
  EXPECT_EQ(world.CommitNow().status, Status::kOk);
  a.reset();
  ASSERT_EQ(world.Recover(), Status::kOk) << world.why().Text();
  EXPECT_EQ(world.Value(0, 1), 1000u);
  EXPECT_GT(PointOf(world.recovered().points, 1), 999u);
}

}  // namespace
}  // namespace workloads::txn
