// Session, part 2: execution of one operation in any phase (FASTER paper Alg. 1-3, CPR paper Alg. 4 and 5).
//
// What an operation of version v may do depends on the phase of its session:
//   Rest, PrepIndex, Index   in place if mutable, wait in the fuzzy region (RMW), else append
//   Prepare                  the same under the old lock of its bucket; CPR_SHIFT if the chain is v+1 already
//   InProgress, WaitPending  a record of v+1: as in Rest. Else: append a v+1 record under the new lock
//   WaitFlush                a record of v+1: as in Rest. Else: append a v+1 record (no v operation is left)
//   PersistenceCallback      as WaitFlush, but an RMW does not copy a record that a session in Rest may be
//                            changing in place: it waits for Rest
//   GrowPrepare, GrowInProgress  as in Rest, in the table that HashIndex::Enter names
// A pending operation of v whose session is at v+1 already keeps its old lock and executes as in Rest
// (strict); with the relaxed guarantee there is none: it has become an operation of v+1, and holds no lock
// while it waits.
//
// This is the fine-grained shift. In the coarse-grained one (paper App. C) an update in Prepare takes no
// lock; its CAS fails if a v+1 record came first. What it may still do is change a record in place that it
// found before, and only an RMW of v+1 reads such a record: in InProgress that waits until the record is
// below the safe read-only offset, or until WaitPending, when no session is at v. With the strict guarantee a
// v operation that goes pending takes the old lock, and what v+1 puts over an old record is put there under
// the new one.
#pragma once

#include "faster/store/session.h"

namespace faster {

template <class K, class V, class F>
void Session<K, V, F>::Help() {
  epoch_->Drain();
  log_.Poll();
  if (checkpointer_.State().phase == Phase::kGrowInProgress) HelpToSplit();
  checkpointer_.Advance();
}

// An operation's share of a growth: about a bucket.
template <class K, class V, class F>
void Session<K, V, F>::HelpToSplit() {
  Enter();
  if (phase_ == Phase::kGrowInProgress) static_cast<void>(index_.Sweep(kSplitsAtOnce));
  Leave();
}

template <class K, class V, class F>
[[gnu::noinline]] Status Session<K, V, F>::RunRead(KeyHash hash, KeyArg key, Out* value, void* user,
                                                   ReadCopy copy) {
  auto&& op = Make(OperationType::kRead, key, hash, user);
  op.copy = copy;
  const Status status = Run(op);
  if (status == Status::kOk) L::Deliver(op.value, value);
  return status;
}

template <class K, class V, class F>
[[gnu::noinline]] Status Session<K, V, F>::RunUpsert(KeyHash hash, KeyArg key, ValueArg value, void* user) {
  auto&& op = Make(OperationType::kUpsert, key, hash, user);
  L::TakeValue(value, &op.value);
  return Run(op);
}

// The common case of an upsert that finds no record to change in place. False: nothing has happened, or
// nothing that counts; RunUpsert does it. The entry of a new tag is stored when the record is there: that
// needs no second compare-and-swap, which would wait until the record's cache line has come.
template <class K, class V, class F>
[[gnu::noinline]] bool Session<K, V, F>::TryAppend(KeyHash hash, KeyArg key, ValueArg value) {
  if constexpr (L::kVariable) {
    return false;  // it may not fit
  } else {
    const bool appends = phase_ == Phase::kWaitFlush || phase_ == Phase::kPersistenceCallback;
    if (phase_ > Phase::kIndex && !appends) return false;  // for others it may have to hold a lock
    HashEntry entry;
    HashTable::Slot* slot = table_->Find(hash, &entry);
    if (slot != nullptr) {
      const Located at = Locate(cache_.RealAddress(entry), L::KeyOf(key));
      if (IsMutable(at)) return false;
      const LogAddress address = log_.Allocate(Rec::kBytes);
      return address != 0 && Publish(L::KeyOf(key), hash, slot, entry, L::ValueOf(value),
                                     NewHeader(entry, version_, false), address);
    }
    slot = table_->TryClaim(hash);
    if (slot == nullptr) return false;
    const LogAddress address = log_.Allocate(Rec::kBytes);
    if (address != 0) {
      const RecordHeader header = NewHeader({}, version_, false);
      Rec::At(log_.At(address))->Fill(header, L::KeyOf(key), L::ValueOf(value));
    }
    slot->store(address != 0 ? HashEntry::Make(address, hash.tag()).control : 0, std::memory_order_release);
    return address != 0;
  }
}

template <class K, class V, class F>
[[gnu::noinline]] Status Session<K, V, F>::RunRmw(KeyHash hash, KeyArg key, const Input& input, Out* result,
                                                  void* user) {
  auto&& op = Make(OperationType::kRmw, key, hash, user);
  op.input = input;
  const Status status = Run(op);
  if (status == Status::kOk && result != nullptr) L::Deliver(op.value, result);
  return status;
}

// First attempts, until the operation is done or pending. Called inside Enter(), returns outside.
template <class K, class V, class F>
Status Session<K, V, F>::Run(Op& op) {
  if (!MayFit(op)) return Answer(op.result);
  uint64_t failures = ~uint64_t{0};  // page writes that had failed when the operation began to wait
  for (;;) {
    op.version = version_;
    const Step step = Execute(op);
    switch (step) {
      case Step::kDone:
        return Answer(op.result);
      case Step::kRetryNow:
        break;
      case Step::kShift:
        Adopt();
        if (op.version == version_) {
          Leave();
          std::this_thread::yield();
          Enter();
        }
        break;
      case Step::kRetryLater:
      case Step::kDisk:
      case Step::kCold:
        return Pend(op, step);
      case Step::kWaitForPage:
        // Nothing has happened yet: let go of everything, so that the page can close, and start over.
        if (op.holds_old) locks_.Of(op.hash.tag()).UnlockOld();
        op.holds_old = false;
        Leave();
        log_.Poll();
        failures = std::min(failures, log_.write_failures());
        if (log_.write_failures() - failures > kMaxFailedWrites) {
          Enter();
          return Answer(log_.last_write_failure());
        }
        checkpointer_.Advance();
        std::this_thread::yield();
        Enter();
        break;
      case Step::kWaitForSplit:
        Leave();
        std::this_thread::yield();
        Enter();
        break;
    }
  }
}

template <class K, class V, class F>
Status Session<K, V, F>::Pend(Op& op, Step step) {
  Op* pending = TakeOperation();
  std::unique_ptr<uint8_t[]> block = std::move(pending->block);
  *pending = std::move(op);
  pending->block = std::move(block);
  pending->session = this;
  pending->serial = ++serial_;
  pending->list_previous = nullptr;
  pending->list_next = pending_list_;
  if (pending_list_ != nullptr) pending_list_->list_previous = pending;
  pending_list_ = pending;
  ++pending_now_;
  if (step == Step::kDisk) {
    IssueRead(pending, pending->disk_start);
  } else if (step == Step::kCold) {
    if (SearchCold(pending)) AfterCold(pending);
  } else {
    retry_.Push(pending);
  }
  Leave();
  return Status::kPending;
}

template <class K, class V, class F>
Step Session<K, V, F>::ExecuteGrowing(Op& op) {
  const HashIndex::Turn turn = index_.Enter(op.hash, phase_ == Phase::kGrowInProgress);
  if (turn.out_of_memory) {
    op.result = Status::kOutOfMemory;
    return Step::kDone;
  }
  if (turn.table == nullptr) return Step::kWaitForSplit;
  table_ = turn.table;
  const Step step = ExecuteIn(op);
  HashIndex::Leave(turn);
  return step;
}

template <class K, class V, class F>
Step Session<K, V, F>::ExecuteIn(Op& op) {
  const bool current = op.version == version_;
  const bool prepare = current && phase_ == Phase::kPrepare;
  const bool shifted = current && IsShifted(phase_);
  if (op.type == OperationType::kLocate) [[unlikely]]
    return ExecuteLocate(op);
  if (!op.is_update()) return ExecuteRead(op, prepare);
  AtomicCheckpointLock& lock = locks_.Of(op.hash.tag());
  if (prepare && !coarse_ && !op.holds_old) {
    if (!lock.TryLockOld()) return Step::kShift;  // held new: version v+1 has begun
    op.holds_old = true;
  }
  const Step step = ExecuteUpdate(op, prepare, shifted, lock);
  if (op.holds_old && (relaxed_ || step == Step::kDone || step == Step::kShift)) {
    lock.UnlockOld();
    op.holds_old = false;
  }
  if (prepare && coarse_ && !relaxed_ && !op.holds_old &&
      (step == Step::kDisk || step == Step::kCold || step == Step::kRetryLater)) {
    // It goes pending, and needs the lock for that; a v+1 record may have come before we had it: look again.
    if (!lock.TryLockOld()) return Step::kShift;
    op.holds_old = true;
    return Step::kRetryNow;
  }
  return step;
}

// True if the chain that starts at `address` begins with a record of v+1; asked by sessions in Prepare.
// Looking at the first record is enough and necessary: v+1 records precede all others of their chain, and a v
// record may not be put before one.
template <class K, class V, class F>
bool Session<K, V, F>::ChainIsNew(LogAddress address) const {
  if (address < checkpointer_.shift_start()) return false;
  if (address >= log_.head()) return IsNew(address, Rec::At(log_.At(address))->header(), version_ + 1);
  // Evicted: once some session may be at v+1 it counts as new. Shifting early is always allowed by then.
  return checkpointer_.State().phase != Phase::kPrepare;
}

template <class K, class V, class F>
typename Session<K, V, F>::Located Session<K, V, F>::LocateOld(LogAddress address, KeyRef key) const {
  const LogAddress head = log_.head();
  while (address >= head) {
    Rec* const record = Rec::At(log_.At(address));
    const RecordHeader header = record->header();
    if (record->KeyIs(key) && !IsNew(address, header, version_)) return {address, record, header, 0};
    address = header.previous();
  }
  return {0, nullptr, {}, address};
}

template <class K, class V, class F>
Step Session<K, V, F>::ExecuteRead(Op& op, bool prepare) {
  const LogAddress begin = log_.begin();  // before the entry
  HashEntry entry;
  op.result = Status::kNotFound;
  if (table_->Find(op.hash, &entry) == nullptr) return Absent(op, begin);
  const LogAddress first = cache_.RealAddress(entry);
  if (prepare && ChainIsNew(first)) return Step::kShift;
  // An operation of the version before may not see what the copy was made of.
  const bool current = op.version == version_;
  if (entry.cached() && current && CopyOf(entry.address(), begin, op.key, &op.value)) {
    op.result = Status::kOk;
    return Step::kDone;
  }
  const Located at = current ? Locate(first, op.key) : LocateOld(first, op.key);
  if (at.record != nullptr) {
    if (at.header.tombstone()) return Step::kDone;
    L::Load(*at.record, &op.value);
    op.result = Status::kOk;
    return Step::kDone;
  }
  if (at.disk < begin || at.disk == 0) return Absent(op, begin);
  if (op.disk_done && op.disk_start == at.disk)
    return Absent(op, begin);  // it was not on disk, and nothing came
  return SearchDisk(op, at.disk, begin);
}

// A search from `start`, where the chain leaves memory; `begin` was the log's before the entry was read. What
// a search before this one has seen need not be seen again: records on disk keep their place in the chain.
template <class K, class V, class F>
Step Session<K, V, F>::SearchDisk(Op& op, LogAddress start, LogAddress begin) {
  const bool known = op.disk_done && op.disk_version == version_;  // else other records counted as too new
  op.searched_from = known ? op.disk_start : 0;
  op.searched_found_at = op.disk_found_at;
  op.disk_done = false;
  op.disk_start = start;
  op.disk_begin = begin;
  op.disk_version = version_;
  return Step::kDisk;
}

template <class K, class V, class F>
Step Session<K, V, F>::ExecuteLocate(Op& op) {
  const LogAddress begin = log_.begin();  // before the entry
  const LogAddress head = log_.head();
  HashEntry entry;
  op.result = Status::kNotFound;
  if (table_->Find(op.hash, &entry) == nullptr) return Step::kDone;
  LogAddress at = cache_.RealAddress(entry);
  for (; at >= head; at = Rec::At(log_.At(at))->header().previous()) {
    if (at >= op.below || !Rec::At(log_.At(at))->KeyIs(op.key)) continue;
    op.disk_found_at = at;
    op.result = Status::kOk;
    return Step::kDone;
  }
  if (at < begin || at == 0 || (op.disk_done && op.disk_start == at)) return Step::kDone;
  return SearchDisk(op, at, begin);
}

template <class K, class V, class F>
Step Session<K, V, F>::ExecuteUpdate(Op& op, bool prepare, bool shifted, AtomicCheckpointLock& lock) {
  const LogAddress begin = log_.begin();  // before the entry
  HashEntry entry;
  // With a cold store a delete writes its tombstone whatever is here: the key may be there.
  const bool creates =
      op.type != OperationType::kCopy && (op.type != OperationType::kDelete || cold_log_ != nullptr);
  HashTable::Slot* const slot =
      creates ? table_->FindOrCreate(op.hash, &entry) : table_->Find(op.hash, &entry);
  if (slot == nullptr) {
    op.result = creates ? Status::kOutOfMemory : Status::kNotFound;
    return Step::kDone;
  }
  const LogAddress first = cache_.RealAddress(entry);
  // Nothing of v+1 gets before an operation that has been pending with its lock. It must not give that back
  // because ChainIsNew does not know of a chain that begins on disk: its serial is one of v.
  const bool waits_locked = op.holds_old && op.session != nullptr && !relaxed_;
  if (prepare && !waits_locked && ChainIsNew(first)) return Step::kShift;
  Located at = Locate(first, op.key);
  if (at.disk < begin) at.disk = 0;
  // The version of the key's own record decides here: the first of the chain may belong to another key.
  const bool over_old = shifted && !(at.record != nullptr && IsNew(at.address, at.header, version_));
  if (!over_old) {
    return at.record != nullptr ? UpdateRecord(op, slot, entry, at, false)
                                : UpdateAbsent(op, slot, entry, at);
  }
  // Some session may be changing the record in place: one still at v, or one in Rest again.
  const bool contended = phase_ == Phase::kPersistenceCallback || (coarse_ && phase_ == Phase::kInProgress);
  if (contended && op.type == OperationType::kRmw && at.record != nullptr &&
      at.address >= log_.safe_read_only()) {
    return Step::kRetryLater;
  }
  const bool locked =
      (phase_ == Phase::kInProgress || phase_ == Phase::kWaitPending) && !(coarse_ && relaxed_);
  if (locked && !lock.TryLockNew()) return Step::kRetryLater;  // a v operation on this bucket is not over
  const Step step =
      at.record != nullptr ? UpdateRecord(op, slot, entry, at, true) : UpdateAbsent(op, slot, entry, at);
  if (locked) lock.UnlockNew();
  return step;
}

// `copy_only`: the record belongs to the version that is being committed and must stay as it is.
template <class K, class V, class F>
Step Session<K, V, F>::UpdateRecord(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at,
                                    bool copy_only) {
  const bool live = !at.record->header().tombstone();
  const bool in_place = live && !copy_only && at.address >= log_.read_only();
  op.result = Status::kOk;
  switch (op.type) {
    case OperationType::kDelete:
      if (live && !in_place) return Append(op, slot, entry, L::NoValue(), true);
      if (live) return DeleteInPlace(op, at);
      op.result = Status::kNotFound;
      return Step::kDone;
    case OperationType::kUpsert:
      if (!in_place) return Append(op, slot, entry, op.value, false);
      return StoreInPlace(op, slot, entry, at);
    case OperationType::kInsert:
      if (!live) return Append(op, slot, entry, op.value, false);
      L::Load(*at.record, &op.value);
      op.result = Status::kExists;
      return Step::kDone;
    case OperationType::kCopy:  // what is in memory is newer than what is copied
      op.result = Status::kNotFound;
      return Step::kDone;
    default:
      if (in_place) return ModifyInPlace(op, slot, entry, at);
      // Fuzzy region: another session may still update it in place.
      if (live && !copy_only && at.address >= log_.safe_read_only()) return Step::kRetryLater;
      typename L::Old old(scratch_);
      if (live) L::Load(*at.record, &old.value);
      if (!MakeValue(op, live ? &old.value : nullptr)) return Step::kDone;
      return Append(op, slot, entry, op.value, false);
  }
}

template <class K, class V, class F>
Step Session<K, V, F>::UpdateAbsent(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at) {
  op.result = Status::kOk;
  if (op.type == OperationType::kUpsert) return Append(op, slot, entry, op.value, false);
  if (op.type == OperationType::kCopy) return CopyAbsent(op, slot, entry, at);
  if (op.type == OperationType::kDelete) {
    if (at.disk != 0 || cold_log_ != nullptr) return Append(op, slot, entry, L::NoValue(), true);
    op.result = Status::kNotFound;
    return Step::kDone;
  }
  return FinishAbsent(op, slot, entry, at);
}

// RMW and insert: the old value, if there is one, is in the read cache, on disk or in the cold store.
template <class K, class V, class F>
Step Session<K, V, F>::FinishAbsent(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at) {
  typename L::Old old(scratch_);
  bool found = false;
  if (entry.cached() && CopyOf(entry.address(), log_.update_begin(), op.key, &old.value)) {
    found = true;
  } else if (at.disk != 0) {
    if (!op.disk_done || op.disk_start != at.disk) return SearchDisk(op, at.disk, 0);
    // What a truncation is about to remove is gone for an update already. (With a cold store there is none:
    // what a migration is about to remove is the newest of its key nevertheless.)
    found = op.disk_found && (cold_log_ != nullptr || op.disk_found_at >= log_.update_begin());
    old.value = op.disk_value;
  }
  if (cold_log_ != nullptr && !found && (at.disk == 0 || op.disk_found_at == 0)) {
    if (!ColdIsCurrent(op)) return Step::kCold;
    found = op.cold_found;
    old.value = op.disk_value;
  }
  if (op.type == OperationType::kInsert) {
    if (!found) return Append(op, slot, entry, op.value, false);
    op.value = old.value;
    op.result = Status::kExists;
    return Step::kDone;
  }
  if (!MakeValue(op, found ? &old.value : nullptr)) return Step::kDone;
  return Append(op, slot, entry, op.value, false);
}

// The key has no record in memory. The copied record is the newest if the chain leads to it without meeting
// another one of its key; the CAS on the entry then fails if one is linked meanwhile.
template <class K, class V, class F>
Step Session<K, V, F>::CopyAbsent(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at) {
  op.result = Status::kNotFound;
  // A truncation is about to remove it, or has done so: a copy would bring it back.
  if (at.disk == 0 || op.copy_from < log_.update_begin()) return Step::kDone;
  if (at.disk >= op.search_from) {
    if (!op.disk_done || op.disk_start != at.disk) return SearchDisk(op, at.disk, 0);
    if (op.disk_found_at >= op.search_from) return Step::kDone;
  }
  op.result = Status::kOk;
  return Append(op, slot, entry, op.value, false);
}

template <class K, class V, class F>
Step Session<K, V, F>::Append(const Op& op, HashTable::Slot* slot, HashEntry entry, ValueRef value,
                              bool tombstone) {
  return Link(op, slot, entry, value, NewHeader(entry, op.version, tombstone));
}

// Appends a record and puts it before the chain that `entry` led to.
template <class K, class V, class F>
Step Session<K, V, F>::Link(const Op& op, HashTable::Slot* slot, HashEntry entry, ValueRef value,
                            RecordHeader header) {
  const LogAddress address = Allocate(op.key, value);
  if (address == 0) return Step::kWaitForPage;
  return Publish(op.key, op.hash, slot, entry, value, header, address) ? Step::kDone : Step::kRetryNow;
}

// Fills the record at `address` and links it, unless the entry has changed.
template <class K, class V, class F>
bool Session<K, V, F>::Publish(KeyRef key, KeyHash hash, HashTable::Slot* slot, HashEntry entry,
                               ValueRef value, RecordHeader header, LogAddress address) {
  Rec* const record = Rec::At(log_.At(address));
  record->Fill(header, key, value);
  uint64_t expected = entry.control;
  if (slot->compare_exchange_strong(expected, HashEntry::Make(address, hash.tag()).control,
                                    std::memory_order_acq_rel)) {
    return true;
  }
  record->SetBits(RecordHeader::kInvalid);  // never linked: scans and recovery skip it
  return false;
}

}  // namespace faster
