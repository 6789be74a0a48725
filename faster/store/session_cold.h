// Session, part 7: what the hot store has no record of is looked for in the cold store (F2 paper, sec. 5).
//
// A search reads the key's entry of the cold index, which may be on disk, and walks the chain from there,
// block by block. It is always a pending operation, so whoever does the duties of an idle session completes
// it too. What it may be sure of:
//   * A migration links a record in the cold store before the hot log begins above it. So whoever found
//     nothing in the hot store and then asks the cold one misses nothing that was there.
//   * A compaction of the cold log links its copies before that log begins later. A walk that meets an
//     address below begin has seen the whole chain if begin is what it was before the entry was read;
//     otherwise a record may have been copied behind its back, and it starts over.
//   * An update of a key that is not in the hot store (RMW, conditional insert) is appended by a CAS on the
//     hot index, which fails if a record was linked meanwhile. That is not enough: a record may have come and
//     been migrated away since, and then only the cold store knows. It cannot have gone unless the hot log
//     begins later than when the cold store was asked; so if it does, the cold store is asked again.
// Nothing here depends on the version of the operation: what migration puts into the cold store while a
// version is being committed is not of a later one (migration.h).
#pragma once

#include "faster/store/session.h"

namespace faster {

// A read that found nothing in the hot store, which began at `begin` before it looked at the index.
template <class K, class V, class F>
Step Session<K, V, F>::Absent(Op& op, LogAddress begin) {
  op.result = Status::kNotFound;
  op.cold_hot_begin = begin;
  return cold_log_ == nullptr ? Step::kDone : Step::kCold;
}

// The search is over. An update goes on; for a read, what the cold store says is the answer: when it looked
// at the hot store its key had no record there, and one that came since is later than what it asks for.
template <class K, class V, class F>
void Session<K, V, F>::AfterCold(Op* op) {
  if (op->is_update()) return RunPending(op);
  if (op->cold_found) {
    KeepCopy(*op);
    op->value = op->disk_value;
  }
  Finish(op, op->cold_found ? Status::kOk : Status::kNotFound);
}

// Whether an update may rely on what the search found; else it has to search (again). Called after the index
// entry was read that the CAS will expect.
template <class K, class V, class F>
bool Session<K, V, F>::ColdIsCurrent(Op& op) {
  const LogAddress begin = log_.begin();
  if (op.cold_stage == ColdStage::kDone && op.cold_hot_begin == begin) return true;
  op.cold_hot_begin = begin;
  op.cold_stage = ColdStage::kNotAsked;  // what an earlier search found is void, whatever comes first
  return false;
}

// True: the search is over. False: it waits for the device, or the operation has ended with an error.
template <class K, class V, class F>
bool Session<K, V, F>::SearchCold(Op* op) {
  for (;;) {
    op->cold_stage = ColdStage::kIndex;
    op->cold_begin = cold_log_->begin();  // before the entry
    LogAddress first = 0;
    const Status status = cold_index_->First(op->hash, op, &first);
    if (status == Status::kPending) return false;
    if (status != Status::kOk) {
      Finish(op, status);
      return false;
    }
    const Walk walk = WalkCold(op, first);
    if (walk != Walk::kAgain) return walk == Walk::kEnded;
  }
}

template <class K, class V, class F>
typename Session<K, V, F>::Walk Session<K, V, F>::WalkCold(Op* op, LogAddress at) {
  HybridLog& log = *cold_log_;
  op->cold_found = false;
  for (const LogAddress head = log.head(); at >= head;) {
    const Rec* record = Rec::At(log.At(at));
    const RecordHeader header = record->header();
    if (record->KeyIs(op->key)) {
      op->cold_found = !header.tombstone();
      if (op->cold_found) L::Load(*record, &op->disk_value);
      op->cold_stage = ColdStage::kDone;
      return Walk::kEnded;
    }
    at = header.previous();
  }
  const LogAddress begin = log.begin();
  if (at != 0 && at >= begin) {
    if (!op->block) op->block.reset(new uint8_t[log_.block_bytes()]);
    op->cold_stage = ColdStage::kBlock;
    op->disk_at = at;
    log.ReadBlockAsync(at, op->block.get(), &Session::OnRead, op);
    return Walk::kWaits;
  }
  if (at != 0 && begin != op->cold_begin) return Walk::kAgain;
  op->cold_stage = ColdStage::kDone;
  return Walk::kEnded;
}

template <class K, class V, class F>
typename Session<K, V, F>::Walk Session<K, V, F>::OnColdBlock(Op* op) {
  const LogAddress at = op->disk_at;
  const LogAddress block_start = at & ~LogAddress{cold_log_->block_bytes() - 1};
  Status status = op->io_status;
  if (status == Status::kOk && op->io_bytes != cold_log_->block_bytes()) status = Status::kShortIo;
  if (status == Status::kOk && !cold_log_->BlockIsGood(op->block.get(), block_start))
    status = Status::kCorruption;
  uint8_t* const bytes = op->block.get() + (at - block_start);
  if (status == Status::kOk && L::kSizes(bytes, block_start + cold_log_->block_bytes() - at) == 0)
    status = Status::kCorruption;
  const Rec* const record = Rec::At(bytes);
  const RecordHeader header = record->header();
  if (status == Status::kOk && (!header.present() || header.previous() >= at)) status = Status::kCorruption;
  if (status != Status::kOk) {
    if (at < cold_log_->begin()) return Walk::kAgain;  // begin moved over it meanwhile
    Finish(op, status);
    return Walk::kWaits;
  }
  if (!record->KeyIs(op->key)) return WalkCold(op, header.previous());
  op->cold_found = !header.tombstone();
  if (op->cold_found) L::LoadStill(*record, &op->disk_value);
  op->cold_stage = ColdStage::kDone;
  return Walk::kEnded;
}

template <class K, class V, class F>
void Session<K, V, F>::ContinueCold(Op* op, Walk walk) {
  if (walk == Walk::kEnded || (walk == Walk::kAgain && SearchCold(op))) AfterCold(op);
}

template <class K, class V, class F>
void Session<K, V, F>::OnColdChunk(void* session, void* waiter, Status status, const LogAddress* chunk) {
  auto* const self = static_cast<Session*>(session);
  Op* const op = static_cast<Op*>(waiter);
  if (status != Status::kOk) return self->Finish(op, status);
  self->ContinueCold(op, self->WalkCold(op, self->cold_index_->Entry(chunk, op->hash)));
}

}  // namespace faster
