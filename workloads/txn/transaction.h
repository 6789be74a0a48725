// Transaction: what the body of a transaction works with. Strict two-phase locking with NO-WAIT.
//
// Read and Write lock a record and give a private copy of its value; what the body puts into a copy that it
// got from Write is the record's value once the transaction commits. All locks are held until then (or until
// the abort, which has nothing to undo). A lock that is not to be had at once aborts: Read and Write return
// null, and the body returns false. Records may be asked for as the transaction goes; the set of a
// transaction need not be known before.
//
// Used by one thread at a time; memory is kept from one transaction to the next.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "workloads/txn/table.h"

namespace workloads::txn {

using faster::Status;

enum class TxnOutcome : uint8_t {
  kCommitted,
  kConflict,  // a lock was not to be had: no effect, try again
  kShift,  // CPR abort: met a record of the next version; no effect, try again (it will be of that version)
  kBody,   // the body gave up; no effect
  kFailed  // could not be executed; no effect, the status says why
};

class Transaction {
 public:
  struct Access {
    Record record;
    const Table* table;
    uint64_t* value;
    bool exclusive;
  };

  explicit Transaction(std::vector<std::unique_ptr<Table>>* tables) : tables_(tables) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // Null: give up. A pointer stays valid until the transaction ends. `table` is one of the store's.
  const uint64_t* Read(uint32_t table, uint64_t key) { return Take(table, key, false); }
  uint64_t* Write(uint32_t table, uint64_t key) { return Take(table, key, true); }

 private:
  friend class Client;

  void Begin(VersionRule rule) {
    rule_ = rule;
    outcome_ = TxnOutcome::kBody;
    status_ = Status::kAborted;
  }
  uint64_t* Take(uint32_t table, uint64_t key, bool exclusive) {
    Table* const in = (*tables_)[table].get();
    const Record record = in->Find(key);
    if (record.IsNull()) {
      Refuse(TxnOutcome::kFailed, key > Table::kMaxKey ? Status::kInvalidArgument : Status::kNoSpace);
      return nullptr;
    }
    for (Access& access : accesses_) {
      if (access.record == record) return Again(&access, exclusive);
    }
    const LockResult locked = exclusive ? record.LockExclusive(rule_) : record.LockShared(rule_);
    if (locked != LockResult::kLocked) [[unlikely]] {
      Refuse(locked == LockResult::kNewer ? TxnOutcome::kShift : TxnOutcome::kConflict, Status::kAborted);
      return nullptr;
    }
    uint64_t* const value = Allot(in->value_words());
    record.ReadLive(value);
    accesses_.push_back({record, in, value, exclusive});
    writes_ += exclusive ? 1 : 0;
    return value;
  }
  uint64_t* Again(Access* access, bool exclusive) {
    if (exclusive && !access->exclusive) {
      if (!access->record.Upgrade()) {
        Refuse(TxnOutcome::kConflict, Status::kAborted);
        return nullptr;
      }
      access->exclusive = true;
      ++writes_;
    }
    return access->value;
  }
  void Refuse(TxnOutcome outcome, Status status) {
    outcome_ = outcome;
    status_ = status;
  }
  // CALC: keeps what the versions before `version` left of all that is about to be written.
  void ShiftWrites(uint64_t version) {
    for (const Access& access : accesses_) {
      if (access.exclusive) access.record.ShiftExclusive(version);
    }
  }
  void Apply() {
    std::atomic_thread_fence(std::memory_order_release);  // record.h, CAPTURE
    for (const Access& access : accesses_) {
      if (access.exclusive) access.record.WriteLive(access.value);
    }
  }
  void End() {
    for (const Access& access : accesses_)
      access.exclusive ? access.record.UnlockExclusive() : access.record.UnlockShared();
    accesses_.clear();
    writes_ = 0;
    chunk_ = 0;
    used_ = 0;
  }
  uint64_t* Allot(uint32_t words) {
    if (chunks_.empty() || used_ + words > kChunkWords) {
      if (!chunks_.empty()) ++chunk_;
      if (chunk_ == chunks_.size()) chunks_.emplace_back(new uint64_t[kChunkWords]);
      used_ = 0;
    }
    uint64_t* const memory = chunks_[chunk_].get() + used_;
    used_ += words;
    return memory;
  }

  static constexpr uint32_t kChunkWords = 8192;  // at least the longest value

  std::vector<std::unique_ptr<Table>>* const tables_;
  VersionRule rule_;
  TxnOutcome outcome_ = TxnOutcome::kBody;
  Status status_ = Status::kOk;
  std::vector<Access> accesses_;
  uint32_t writes_ = 0;
  std::vector<std::unique_ptr<uint64_t[]>> chunks_;
  size_t chunk_ = 0;
  uint32_t used_ = 0;
};

}  // namespace workloads::txn
