// Operation: one read, upsert, RMW, delete, insert or copy while it cannot be answered at once.
//
// It lives on the stack while it is tried for the first time, and in its session's pool while it is pending.
// Owned by the session; an I/O thread writes only io_status and io_bytes, then hands it over through the
// session's completion stack.
#pragma once

#include <cstdint>
#include <memory>

#include "faster/core/layout.h"
#include "faster/core/status.h"
#include "faster/index/hash_table.h"

namespace faster {

enum class OperationType : uint8_t {
  kRead,
  kUpsert,
  kRmw,
  kDelete,
  kInsert,  // an upsert that is refused (kExists, `value` what is there) if the key is there
  kCopy,    // compaction: appends `value` if no record of the key lies at or above `search_from`
  kLocate,  // iteration: where the newest record of the key below `below` lies (disk_found_at); of no version
};

// What becomes of a record that a read found on disk.
enum class ReadCopy : uint8_t {
  kDefault,  // as the store is configured
  kNone,     // it stays where it is
  kToCache,  // the read cache gets a copy, if the store has one
  kToTail,   // it is appended to the log again, now in memory and mutable; if that is not possible: kToCache
};

// How one attempt to execute an operation ended.
enum class Step : uint8_t {
  kDone,          // `result` holds the answer
  kRetryNow,      // lost a race for the index entry: look again
  kRetryLater,    // must wait until other sessions moved on (fuzzy region, locks of the version shift)
  kWaitForPage,   // the log has no room until a page is written and closed
  kDisk,          // the record, if there is one, is on disk at or below disk_start
  kCold,          // this store has no record of the key: the cold store must be asked (session_cold.h)
  kShift,         // CPR_SHIFT: a session at v met version v+1; it must move on before it can go on
  kWaitForSplit,  // the part of the index is being split, or was about to be, by another session
};

// How far the search in the cold store is.
enum class ColdStage : uint8_t {
  kNotAsked,
  kIndex,  // waits for the chunk of the index
  kBlock,  // waits for a block of the cold log
  kDone,
};

// An operation that waits for a page ends with the device's error after so many failed page writes.
constexpr uint64_t kMaxFailedWrites = 16;

template <class K, class V, class Input>
struct Operation {
  OperationType type;
  typename LayoutOf<K, V>::Key key;
  KeyHash hash;
  typename LayoutOf<K, V>::Value value;  // upsert: what is written; read, rmw: the result
  Input input{};                         // rmw
  LogAddress copy_from = 0;              // copy: the record that is copied
  LogAddress search_from = 0;            // copy: what lies below in the chain does not matter
  LogAddress below = 0;                  // locate
  uint64_t serial = 0;
  uint64_t version = 0;
  bool holds_old = false;  // holds the old lock of its bucket
  Status result = Status::kOk;
  void* user = nullptr;
  ReadCopy copy = ReadCopy::kDefault;  // read

  // The search for the key below head. Its outcome holds as long as the chain in memory still ends at
  // disk_start; when it no longer does, the next search ends where the one before began.
  LogAddress disk_start = 0;
  LogAddress disk_begin = 0;         // begin of the log before the search began
  uint64_t disk_version = 0;         // of the session then
  LogAddress searched_from = 0;      // where a search before this one began, 0 if there was none
  LogAddress searched_found_at = 0;  // and what it found, as disk_found_at
  LogAddress disk_at = 0;
  bool disk_done = false;
  bool disk_found = false;  // a record that is no tombstone
  // The search in the cold store; what it finds is in disk_value.
  ColdStage cold_stage = ColdStage::kNotAsked;
  bool cold_found = false;  // a record that is no tombstone
  // Begin of the hot log before its index was read for a read, before the index that an update's CAS expects.
  LogAddress cold_hot_begin = 0;
  LogAddress cold_begin = 0;     // begin of the cold log before its index was read
  LogAddress disk_found_at = 0;  // address of the key's record, a tombstone too; 0 if there is none
  typename LayoutOf<K, V>::Value disk_value;  // of variable length it lies in `block`

  uint64_t failures_before = ~uint64_t{0};  // page writes that had failed when it began to wait for a page

  Status io_status = Status::kOk;
  uint64_t io_bytes = 0;
  void* session = nullptr;
  Operation* next = nullptr;       // in the completion, retry, finished or free list
  Operation* list_next = nullptr;  // in the list of all pending operations
  Operation* list_previous = nullptr;
  std::unique_ptr<uint8_t[]> block;  // one log block, kept with the pooled operation

  bool is_update() const { return type != OperationType::kRead && type != OperationType::kLocate; }
  bool failed_update() const { return is_update() && IsFailure(result); }
};

// First-in first-out list through Operation::next.
template <class Op>
class OperationQueue {
 public:
  bool empty() const { return first_ == nullptr; }
  uint32_t size() const { return size_; }
  void Push(Op* op) {
    op->next = nullptr;
    (last_ != nullptr ? last_->next : first_) = op;
    last_ = op;
    ++size_;
  }
  Op* Pop() {
    Op* op = first_;
    first_ = op->next;
    if (first_ == nullptr) last_ = nullptr;
    --size_;
    return op;
  }

 private:
  Op* first_ = nullptr;
  Op* last_ = nullptr;
  uint32_t size_ = 0;
};

}  // namespace faster
