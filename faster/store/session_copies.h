// Session, part 6: records that a read brought from disk are kept in memory, in the read cache or at the
// tail.
//
// Both are updates of nobody: no serial, no effect on what any operation returns. What a copy may do follows
// from one condition, checked before the CAS that links it and held by it: the chain in memory still ends
// where the search on disk began. Then no record of the key is newer than the one that was found, a tombstone
// neither. A copy that cannot be made now is not made.
//
// A read of a store with a cold one below it keeps what that one had, too, in the read cache. The condition
// is the same; that the search went on below the hot log makes no difference as long as nothing has left that
// log since: then a record of the key that came meanwhile is still in the chain.
//
// A copy counts as long as what was copied does. A truncation ends that; a migration does not, as the record
// is the newest of its key in the cold store as well, until an update replaces the entry that leads to the
// copy.
//
// While the index grows nothing is copied: a split sets its entries to log addresses, for good.
//
// Reads of the version before the session's are left out: they pass over newer records on disk.
//
// A copy at the tail is a record of the version of its session, whatever version the original has: of v, it
// is put before no record of v+1 (ChainIsNew), and so holds nothing of v+1; of v+1, it needs the new lock as
// every record of v+1 that is put before older ones, or a v operation in flight would update the copy.
#pragma once

#include "faster/store/session.h"

namespace faster {

// The copy at a cache address, if it is one of `key` and of a record that is not below `begin` (with a cold
// store below: wherever that record is).
template <class K, class V, class F>
[[gnu::noinline]] bool Session<K, V, F>::CopyOf(LogAddress address, LogAddress begin, KeyRef key,
                                                typename L::Value* value) {
  const Rec* record = Rec::At(cache_.At(address));
  if (!record->KeyIs(key) || (cold_log_ == nullptr && cache_.Source(address) < begin)) return false;
  L::Load(*record, value);
  cache_.Touch(address);
  return true;
}

// Called with a record in op.disk_value that was found on disk at op.disk_found_at, or in the cold store.
template <class K, class V, class F>
void Session<K, V, F>::KeepCopy(const Op& op) {
  const ReadCopy copy = op.copy == ReadCopy::kDefault ? read_copy_ : op.copy;
  if (copy == ReadCopy::kNone || IsGrowing(phase_)) return;
  if (op.version != version_) return;  // its search passed over records of version_: what it found may be old
  if (copy == ReadCopy::kToTail && !op.cold_found && AppendCopy(op)) return;
  if (cache_.on()) CacheCopy(op);
}

template <class K, class V, class F>
bool Session<K, V, F>::StillOnDisk(const Op& op, LogAddress first, LogAddress begin) const {
  const Located at = Locate(first, op.key);
  if (at.record != nullptr) return false;
  if (!op.cold_found) return at.disk == op.disk_start && op.disk_found_at >= begin;
  return op.cold_hot_begin == begin && (at.disk < begin || (op.disk_done && at.disk == op.disk_start));
}

template <class K, class V, class F>
void Session<K, V, F>::CacheCopy(const Op& op) {
  HashEntry entry;
  HashTable::Slot* const slot = table_->Find(op.hash, &entry);
  if (slot == nullptr) return;
  const LogAddress first = cache_.RealAddress(entry);
  if (entry.cached() && Rec::At(cache_.At(entry.address()))->KeyIs(op.key))
    return;  // another read was faster
  if (!StillOnDisk(op, first, log_.begin())) return;
  const LogAddress address = cache_.Reserve(L::BytesFor(op.key, op.disk_value));
  if (address == 0) return;
  Rec* const record = Rec::At(cache_.At(address));
  cache_.SetSource(address, op.disk_found_at);
  record->Fill(RecordHeader::Make(first, 0, false), op.key, op.disk_value);
  uint64_t expected = entry.control;
  if (!slot->compare_exchange_strong(expected, entry.WithAddress(address).control,
                                     std::memory_order_acq_rel)) {
    record->SetBits(RecordHeader::kInvalid);
  }
}

template <class K, class V, class F>
bool Session<K, V, F>::AppendCopy(const Op& op) {
  AtomicCheckpointLock& lock = locks_.Of(op.hash.tag());
  const bool prepare = phase_ == Phase::kPrepare;
  const bool locked_new = phase_ == Phase::kInProgress || phase_ == Phase::kWaitPending;
  if (prepare && !lock.TryLockOld()) return false;
  if (locked_new && !lock.TryLockNew()) return false;
  HashEntry entry;
  HashTable::Slot* const slot = table_->Find(op.hash, &entry);
  bool done = false;
  if (slot != nullptr) {
    const LogAddress first = cache_.RealAddress(entry);
    // A record that a truncation is about to remove must not outlive it.
    if (!(prepare && ChainIsNew(first)) && StillOnDisk(op, first, log_.update_begin())) {
      done = Link(op, slot, entry, op.disk_value, NewHeader(entry, version_, false)) == Step::kDone;
    }
  }
  if (prepare) lock.UnlockOld();
  if (locked_new) lock.UnlockNew();
  return done;
}

}  // namespace faster
