// Session, part 3: operations that wait for a block from disk or for the version shift.
//
// All of it runs inside Enter()/Leave() of the owner, or on the checkpoint driver while it has taken the idle
// session over; never on an I/O thread, which only pushes the operation onto `arrived_`. Work per call is
// bounded: what has arrived, and each retry once, so that the epoch can move on in between.
#pragma once

#include <algorithm>

#include "faster/store/session.h"

namespace faster {

template <class K, class V, class F>
template <class Finished>
bool Session<K, V, F>::Collect(bool wait, bool heard, Finished&& finished) {
  for (;;) {
    Refresh();
    log_.PollDevice();
    log_.Poll();
    Enter();
    while (!finished_.empty()) {
      Op* op = finished_.Pop();
      Leave();
      finished(static_cast<const Op&>(*op));
      Enter();
      if (heard && op->failed_update()) std::erase(failed_, op->serial);
      op->next = free_;
      free_ = op;
    }
    const bool none = pending_now_ + pending_old_ == 0;
    Leave();
    if (none || !wait) return none;
    std::this_thread::yield();
  }
}

template <class K, class V, class F>
typename Session<K, V, F>::Op* Session<K, V, F>::TakeOperation() {
  if (free_ == nullptr) return new Op;
  Op* op = free_;
  free_ = op->next;
  return op;
}

// Duty of Prepare: from now on no v+1 record gets before a pending update of v.
template <class K, class V, class F>
bool Session<K, V, F>::LockPending() {
  if (relaxed_) return true;  // at its session's CPR point it becomes an operation of v+1
  for (Op* op = pending_list_; op != nullptr; op = op->list_next) {
    if (!op->is_update() || op->holds_old) continue;
    if (!locks_.Of(op->hash.tag()).TryLockOld()) return false;
    op->holds_old = true;
  }
  return true;
}

template <class K, class V, class F>
void Session<K, V, F>::ShiftPending(uint64_t version) {
  excluded_ = failed_;
  if (relaxed_) {
    for (Op* op = pending_list_; op != nullptr; op = op->list_next) {
      op->version = version;
      excluded_.push_back(op->serial);
    }
  } else {
    pending_old_ += pending_now_;
    pending_now_ = 0;
  }
  std::sort(excluded_.begin(), excluded_.end());
}

template <class K, class V, class F>
void Session<K, V, F>::ProcessPending() {
  Op* stack = arrived_.exchange(nullptr, std::memory_order_acquire);
  Op* ordered = nullptr;
  while (stack != nullptr) {  // oldest first
    Op* next = stack->next;
    stack->next = ordered;
    ordered = stack;
    stack = next;
  }
  while (ordered != nullptr) {
    Op* op = ordered;
    ordered = op->next;
    if (op->cold_stage == ColdStage::kBlock)
      ContinueCold(op, OnColdBlock(op));
    else
      OnBlock(op);
  }
  if (cold_index_ != nullptr) cold_index_->Collect(&Session::OnColdChunk, this);
  for (uint32_t left = retry_.size(); left > 0; --left) RunPending(retry_.Pop());
}

template <class K, class V, class F>
void Session<K, V, F>::RunPending(Op* op) {
  for (int tries = 0; tries < 8; ++tries) {
    switch (Execute(*op)) {
      case Step::kDone:
        return Finish(op, op->result);
      case Step::kDisk:
        return IssueRead(op, op->disk_start);
      case Step::kRetryNow:
        continue;
      case Step::kCold:
        if (SearchCold(op)) AfterCold(op);
        return;
      case Step::kWaitForPage:
        op->failures_before = std::min(op->failures_before, log_.write_failures());
        if (log_.write_failures() - op->failures_before > kMaxFailedWrites) {
          return Finish(op, log_.last_write_failure());
        }
        return retry_.Push(op);
      default:
        return retry_.Push(op);
    }
  }
  retry_.Push(op);
}

template <class K, class V, class F>
void Session<K, V, F>::IssueRead(Op* op, LogAddress address) {
  if (!op->block) op->block.reset(new uint8_t[log_.block_bytes()]);
  op->disk_at = address;
  log_.ReadBlockAsync(address, op->block.get(), &Session::OnRead, op);
}

template <class K, class V, class F>
void Session<K, V, F>::OnRead(void* context, Status status, uint64_t bytes) {
  Op* op = static_cast<Op*>(context);
  op->io_status = status;
  op->io_bytes = bytes;
  std::atomic<Op*>& arrived = static_cast<Session*>(op->session)->arrived_;
  Op* first = arrived.load(std::memory_order_relaxed);
  do {
    op->next = first;
  } while (!arrived.compare_exchange_weak(first, op, std::memory_order_release, std::memory_order_relaxed));
}

// The block that arrived is whole, and what the log wrote there.
template <class K, class V, class F>
Status Session<K, V, F>::CheckBlock(const Op& op) const {
  if (op.io_status != Status::kOk) return op.io_status;
  if (op.io_bytes != log_.block_bytes()) return Status::kShortIo;
  const LogAddress block_start = op.disk_at & ~LogAddress{log_.block_bytes() - 1};
  return log_.BlockIsGood(op.block.get(), block_start) ? Status::kOk : Status::kCorruption;
}

// Looks at the record at disk_at. kOk and *next == 0: the search is over; *next != 0: go on there, unless it
// lies below begin.
template <class K, class V, class F>
Status Session<K, V, F>::ParseRecord(Op* op, LogAddress* next) {
  *next = 0;
  const uint64_t at = op->disk_at & (log_.block_bytes() - 1);
  if (L::kSizes(op->block.get() + at, log_.block_bytes() - at) == 0) return Status::kCorruption;
  const Rec* record = Rec::At(op->block.get() + at);
  const RecordHeader header = record->header();
  if (!header.present() || !header.Descends(op->disk_at)) return Status::kCorruption;
  const bool too_new = op->type == OperationType::kLocate
                           ? op->disk_at >= op->below
                           : op->version != version_ && IsNew(op->disk_at, header, version_);
  if (record->KeyIs(op->key) && !header.invalid() && !too_new &&
      !log_.IsDead(op->disk_at, header.version())) {
    op->disk_found = !header.tombstone();
    op->disk_found_at = op->disk_at;
    if (op->disk_found) L::LoadStill(*record, &op->disk_value);
    return Status::kOk;
  }
  op->disk_found = false;
  op->disk_found_at = 0;
  *next = header.previous();
  return Status::kOk;
}

// Follows the chain through the block: records that were written together often lie in one chain together,
// and what is in hand need not be read again.
//
// An update is tried again afterwards: its CAS needs the entry as it is now. A read is not: that the chain
// held no record of its key when it looked at the entry is an answer. Were it to look again, it would have to
// follow what has come since, and under a stream of updates of its key it might never end, nor the checkpoint
// that waits for it. It does so only if begin has moved over a part of the chain before that was seen: the
// key's record may have been there, and was copied to the tail or the cold store, or had become an old one.
template <class K, class V, class F>
void Session<K, V, F>::OnBlock(Op* op) {
  const LogAddress begin = log_.begin();
  const LogAddress block_start = op->disk_at & ~LogAddress{log_.block_bytes() - 1};
  LogAddress next = op->disk_at;
  Status status = CheckBlock(*op);
  bool goes_on = true;
  while (status == Status::kOk && goes_on && next > block_start) {
    op->disk_at = next;
    status = ParseRecord(op, &next);
    if (next != 0 && next == op->searched_from) next = op->searched_found_at;
    goes_on = next != 0 && next >= begin && next >= op->search_from;
  }
  if (status != Status::kOk) {
    if (op->disk_at >= begin) return Finish(op, status);
    op->disk_done = false;  // begin moved over it meanwhile: look again where the key is now
    return RunPending(op);
  }
  if (goes_on) return IssueRead(op, next);
  op->disk_done = true;
  if (op->is_update()) return RunPending(op);
  if (next != 0 && next >= op->disk_begin) return RunPending(op);
  if (op->disk_found_at == 0 && cold_log_ != nullptr && op->type == OperationType::kRead) {
    op->cold_hot_begin = op->disk_begin;
    if (SearchCold(op)) AfterCold(op);
    return;
  }
  if (op->disk_found && op->type == OperationType::kRead) KeepCopy(*op);
  op->value = op->disk_value;
  Finish(op, op->disk_found ? Status::kOk : Status::kNotFound);
}

template <class K, class V, class F>
void Session<K, V, F>::Finish(Op* op, Status result) {
  op->result = result;
  if (op->holds_old) {  // an operation that ends with an error has no effect, but must not keep its lock
    locks_.Of(op->hash.tag()).UnlockOld();
    op->holds_old = false;
  }
  (op->list_previous != nullptr ? op->list_previous->list_next : pending_list_) = op->list_next;
  if (op->list_next != nullptr) op->list_next->list_previous = op->list_previous;
  const bool of_old_version = op->version != version_;
  --(of_old_version ? pending_old_ : pending_now_);
  if (op->failed_update()) {
    failed_.push_back(op->serial);
    if (of_old_version) {  // its version ends without it
      excluded_.insert(std::upper_bound(excluded_.begin(), excluded_.end(), op->serial), op->serial);
    }
  }
  finished_.Push(op);
}

}  // namespace faster
