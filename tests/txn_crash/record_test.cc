// What the crash campaign found in the transactional store, each by itself on one record.
#include <gtest/gtest.h>

#include "workloads/txn/table.h"

namespace {

using workloads::txn::LockResult;
using workloads::txn::Record;
using workloads::txn::Table;
using workloads::txn::VersionRule;

constexpr VersionRule kPrepare{VersionRule::Kind::kRefuseNewer, 1};
constexpr VersionRule kNext{VersionRule::Kind::kShift, 2};

// A transaction of version 1 has read, one of version 2 reads beside it and so keeps the old value: the first
// must not write any more, since that value is what the commit takes.
TEST(Record, AReaderOfTheOldVersionDoesNotWriteAfterTheShift) {
  Table table;
  ASSERT_EQ(table.Allocate({1, 4}, 0, true), faster::Status::kOk);
  const Record record = table.Find(7);
  ASSERT_EQ(record.LockShared(kPrepare), LockResult::kLocked);
  ASSERT_EQ(record.LockShared(kNext), LockResult::kLocked);
  record.UnlockShared();
  EXPECT_EQ(record.Upgrade(kPrepare), LockResult::kNewer);
}

TEST(Record, TheLastReaderUpgrades) {
  Table table;
  ASSERT_EQ(table.Allocate({1, 4}, 0, true), faster::Status::kOk);
  const Record record = table.Find(7);
  ASSERT_EQ(record.LockShared(kNext), LockResult::kLocked);
  ASSERT_EQ(record.LockShared(kNext), LockResult::kLocked);
  EXPECT_EQ(record.Upgrade(kNext), LockResult::kConflict);
  record.UnlockShared();
  EXPECT_EQ(record.Upgrade(kNext), LockResult::kLocked);
  EXPECT_EQ(record.LockShared(kNext), LockResult::kConflict);
}

}  // namespace
