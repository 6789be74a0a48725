// Session, part 7: what updates do with values, where it matters whether all are of one size.
//
// Values of a fixed size are always stored and modified in place, if the record may be changed at all. One of
// variable length may need a new record although the old one is mutable, while others change that: see
// VariableRecord about why an upsert just appends and an RMW replaces.
#pragma once

#include "faster/store/session.h"

namespace faster {

template <class K, class V, class F>
auto Session<K, V, F>::Updated(const typename L::Value& old, const Input& input) const {
  return Words<V>::Of(functions_.Update(old.Value(), input));
}

// Can a record hold what is given? If not, op.result is the answer: no key of that length is in the store.
template <class K, class V, class F>
bool Session<K, V, F>::MayFit(Op& op) const {
  if constexpr (L::kVariable) {
    const bool writes = op.type == OperationType::kUpsert || op.type == OperationType::kInsert;
    if (L::BytesFor(op.key, writes ? op.value.Value() : L::NoValue()) <= log_.block_bytes() - 8) return true;
    const bool finds = op.type == OperationType::kRead || op.type == OperationType::kDelete;
    op.result = finds ? Status::kNotFound : Status::kTooLarge;
    return false;
  }
  return true;
}

// op.value := what the RMW makes of *old, or of nothing. False: it does not fit, op.result says so.
template <class K, class V, class F>
bool Session<K, V, F>::MakeValue(Op& op, const typename L::Value* old) {
  if constexpr (L::kVariable) {
    const size_t bytes =
        old != nullptr ? functions_.UpdatedBytes(old->Value(), op.input) : functions_.InitialBytes(op.input);
    if (Rec::BytesFor(op.key.size(), bytes) > log_.block_bytes() - 8) {
      op.result = Status::kTooLarge;
      return false;
    }
    char* const to = op.value.Reserve(bytes);
    op.value.Resize(bytes);
    if (old != nullptr) {
      functions_.Update(old->Value(), op.input, to);
    } else {
      functions_.Initial(op.input, to);
    }
  } else {
    op.value = old != nullptr ? Updated(*old, op.input) : Words<V>::Of(functions_.Initial(op.input));
  }
  return true;
}

// Variable length: an RMW in place, if it can be.
template <class K, class V, class F>
auto Session<K, V, F>::Change(Rec* record, const Input& input, typename L::Value* fresh) {
  return record->Modify(&scratch_.old, fresh, [&](std::string_view old, uint64_t room, ByteBuffer* to) {
    if constexpr (requires { functions_.InPlace(old, input); }) {
      if (!functions_.InPlace(old, input)) return false;
    }
    const size_t bytes = functions_.UpdatedBytes(old, input);
    if (bytes > room) return false;
    functions_.Update(old, input, to->Reserve(bytes));
    to->Resize(bytes);
    return true;
  });
}

template <class K, class V, class F>
Step Session<K, V, F>::StoreInPlace(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at) {
  if constexpr (L::kVariable) {
    switch (at.record->Store(op.value)) {
      case Rec::Change::kSealed:
        return Step::kRetryNow;
      case Rec::Change::kNoRoom:
        return Append(op, slot, entry, op.value, false);
      default:
        return Step::kDone;
    }
  } else {
    at.record->Store(op.value);
    return Step::kDone;
  }
}

template <class K, class V, class F>
Step Session<K, V, F>::ModifyInPlace(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at) {
  if constexpr (L::kVariable) {
    switch (Change(at.record, op.input, &op.value)) {
      case Rec::Change::kSealed:
        return Step::kRetryNow;
      case Rec::Change::kNoRoom:
        return Replace(op, slot, entry, at);
      default:
        return Step::kDone;
    }
  } else {
    op.value = at.record->Modify([&](const Words<V>& old) { return Updated(old, op.input); });
    return Step::kDone;
  }
}

template <class K, class V, class F>
Step Session<K, V, F>::DeleteInPlace(Op& op, const Located& at) {
  bool was;
  if constexpr (L::kVariable) {
    if (at.record->Delete(&was) == Rec::Change::kSealed) return Step::kRetryNow;
  } else {
    was = (at.record->SetBits(RecordHeader::kTombstone) & RecordHeader::kTombstone) != 0;
  }
  if (was) op.result = Status::kNotFound;
  return Step::kDone;
}

// Variable length: an RMW whose value does not fit into the record, which may be changed in place meanwhile.
// Room for the new record is found first, as that may have to wait; if by then the value has another length,
// it is given up: the space stays zero, which scans skip.
template <class K, class V, class F>
Step Session<K, V, F>::Replace(Op& op, HashTable::Slot* slot, HashEntry entry, const Located& at) {
  if constexpr (L::kVariable) {
    at.record->Load(&scratch_.old);
    if (!MakeValue(op, &scratch_.old)) return Step::kDone;
    const LogAddress address = Allocate(op.key, op.value);
    if (address == 0) return Step::kWaitForPage;
    const size_t bytes = op.value.size();
    typename Rec::Replacement old(at.record);
    if (!old.Allowed()) return Step::kRetryNow;
    old.Value(&scratch_.old);
    if (!MakeValue(op, &scratch_.old) || op.value.size() != bytes) return Step::kRetryNow;
    op.result = Status::kOk;
    if (!Publish(op.key, op.hash, slot, entry, op.value, NewHeader(entry, op.version, false), address))
      return Step::kRetryNow;
    old.Linked();
  }
  return Step::kDone;
}

}  // namespace faster
