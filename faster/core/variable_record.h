// The record of a store whose keys and values are bytes of any length.
//
//   word 0   header, as in record.h
//   word 1   guard: sealed 1 | sequence 30 | locked 1 | length of the value 32
//   word 2   shape: words of room for the value 32 | length of the key 32
//   ...      key, whole words; then the room for the value
//
// The shape never changes, so a record is as long as when it was written, whatever is stored in it: scans of
// the log go by it. The length of the value lies in the guard, a sequence lock: one load tells the length and
// whether the words that follow belong to it. A value of another length is stored in place if there is room.
//
// SEALED. A value that does not fit goes into a new record, while others may still change the old one in
// place. What a blind update overwrites may be changed until the new record is linked: who does so found the
// record before and counts as having come before. A new value made of the old one would miss such a change.
// So an RMW makes and links its record under the guard of the old one (Replacement) and leaves that one
// sealed: it can be read for ever, by those who found it, and nobody changes or deletes it any more.
//
// Bytes from disk are asked SizeOf() before anything else of them is believed.
//
// INVARIANT: key, previous address and shape never change once the record is linked. THREAD-SAFETY: all
// members but Fill. COST: a read is two loads of the guard and a copy; an update a CAS more.
#pragma once

#include <string_view>

#include "faster/core/byte_buffer.h"
#include "faster/core/record.h"

namespace faster {

struct VariableRecord {
  static constexpr size_t kKeyAt = 3;
  static constexpr uint32_t kLeastBytes = kKeyAt * 8;  // no key, no value
  static constexpr uint64_t kSealed = uint64_t{1} << 63;
  static constexpr uint64_t kLocked = uint64_t{1} << 32;
  static constexpr uint64_t kLengthMask = kLocked - 1;

  // How a change in place ended. kSealed: look for the record again. kNoRoom: it takes a new record.
  enum class Change : uint8_t { kDone, kNoRoom, kSealed };

  uint64_t words[kKeyAt];

  static VariableRecord* At(void* memory) { return static_cast<VariableRecord*>(memory); }

  static constexpr uint64_t BytesFor(uint64_t key, uint64_t value) {
    return kLeastBytes + 8 * (WordsFor(key) + WordsFor(value));
  }
  // The size of the record that begins at `bytes`, of which there are `room`: 0 if they cannot be one.
  static uint64_t SizeOf(const uint8_t* bytes, uint64_t room) {
    if (room < kLeastBytes) return 0;
    const auto* record = reinterpret_cast<const VariableRecord*>(bytes);
    const uint64_t size = record->bytes();
    return size <= room && WordsFor(record->value_bytes()) <= record->room_words() ? size : 0;
  }

  RecordHeader header() const { return {LoadWord(&words[0], std::memory_order_acquire)}; }
  void SetHeader(RecordHeader header) { StoreWord(&words[0], header.control, std::memory_order_release); }
  uint64_t SetBits(uint64_t bits) {
    return std::atomic_ref<uint64_t>(words[0]).fetch_or(bits, std::memory_order_acq_rel);
  }

  uint64_t key_bytes() const { return LoadWord(&words[2]) & kLengthMask; }
  uint64_t room_words() const { return LoadWord(&words[2]) >> 32; }
  uint64_t value_bytes() const { return LoadWord(&words[1]) & kLengthMask; }
  uint64_t bytes() const {
    const uint64_t shape = LoadWord(&words[2]);
    return kLeastBytes + 8 * (WordsFor(shape & kLengthMask) + (shape >> 32));
  }

  bool KeyIs(std::string_view key) const {
    return key_bytes() == key.size() && SharedIs(words + kKeyAt, key);
  }
  // Where they lie: nobody writes there while the record is in reach.
  std::string_view key() const { return {reinterpret_cast<const char*>(words + kKeyAt), key_bytes()}; }

  // Fills a freshly allocated record of BytesFor(key, value) bytes that no other thread can reach yet.
  void Fill(RecordHeader header, std::string_view key, std::string_view value) {
    StoreWord(&words[1], value.size());
    StoreWord(&words[2], key.size() | uint64_t{WordsFor(value.size())} << 32);
    BytesToShared(words + kKeyAt, key);
    BytesToShared(words + kKeyAt + WordsFor(key.size()), value);
    SetHeader(header);
  }

  // A consistent copy of the value.
  void Load(ByteBuffer* value) const {
    const uint64_t* const at = value_words();
    for (;;) {
      const uint64_t before = LoadWord(&words[1], std::memory_order_acquire);
      if ((before & kLocked) == 0) {
        CopyValue(at, before & kLengthMask, value);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (LoadWord(&words[1]) == before) return;
      }
      std::this_thread::yield();
    }
  }

  Change Store(std::string_view value) {
    if (WordsFor(value.size()) > room_words()) return Change::kNoRoom;
    const uint64_t guard = Lock();
    if ((guard & kSealed) != 0) return GiveUp(guard, Change::kSealed);
    BytesToShared(value_words(), value);
    Unlock(guard, value.size());
    return Change::kDone;
  }

  // update(old, room, fresh) -> bool fills *fresh, of `room` bytes at most, from the value in *old, or
  // declines to change it in place.
  template <class Update>
  Change Modify(ByteBuffer* old, ByteBuffer* fresh, Update&& update) {
    const uint64_t guard = Lock();
    if ((guard & kSealed) != 0) return GiveUp(guard, Change::kSealed);
    CopyValue(value_words(), guard & kLengthMask, old);
    if (!update(*old, 8 * room_words(), fresh)) return GiveUp(guard, Change::kNoRoom);
    BytesToShared(value_words(), *fresh);
    Unlock(guard, fresh->size());
    return Change::kDone;
  }

  // Sets the tombstone; *was: it was set before.
  Change Delete(bool* was) {
    const uint64_t guard = Lock();
    if ((guard & kSealed) != 0) return GiveUp(guard, Change::kSealed);
    *was = (SetBits(RecordHeader::kTombstone) & RecordHeader::kTombstone) != 0;
    Unlock(guard, guard & kLengthMask);
    return Change::kDone;
  }

  // The guard of a record that a new one takes the place of. Nothing in between may wait for another thread.
  class Replacement {
   public:
    explicit Replacement(VariableRecord* record) : record_(record), guard_(record->Lock()) {}
    ~Replacement() { record_->Unlock(guard_, guard_ & kLengthMask); }
    Replacement(const Replacement&) = delete;
    Replacement& operator=(const Replacement&) = delete;

    // False: another took its place, or it is deleted.
    bool Allowed() const { return (guard_ & kSealed) == 0 && !record_->header().tombstone(); }
    void Value(ByteBuffer* value) const { CopyValue(record_->value_words(), guard_ & kLengthMask, value); }
    void Linked() { guard_ |= kSealed; }  // the new record is in the chain

   private:
    VariableRecord* const record_;
    uint64_t guard_;
  };

  // Of a record in bytes that nobody changes, as a block from disk.
  std::string_view StillValue() const {
    return {reinterpret_cast<const char*>(value_words()), value_bytes()};
  }

 private:
  const uint64_t* value_words() const { return words + kKeyAt + WordsFor(key_bytes()); }
  uint64_t* value_words() { return words + kKeyAt + WordsFor(key_bytes()); }
  static void CopyValue(const uint64_t* from, uint64_t bytes, ByteBuffer* value) {
    CopyFromShared(reinterpret_cast<uint64_t*>(value->Reserve(bytes)), from, WordsFor(bytes));
    value->Resize(bytes);
  }
  uint64_t Lock() {
    std::atomic_ref<uint64_t> guard(words[1]);
    for (;;) {
      uint64_t seen = guard.load(std::memory_order_relaxed);
      if ((seen & kLocked) != 0) {
        std::this_thread::yield();
      } else if (guard.compare_exchange_weak(seen, seen | kLocked, std::memory_order_acquire)) {
        std::atomic_thread_fence(std::memory_order_release);  // the value's words stay behind the lock
        return seen;
      }
    }
  }
  void Unlock(uint64_t guard, uint64_t length) {
    // The sequence counts up in the bits above the lock's and must not carry into `sealed`.
    const uint64_t sealed = guard & kSealed;
    const uint64_t sequence = (guard & ~kSealed & ~kLengthMask) + 2 * kLocked;
    StoreWord(&words[1], sealed | (sequence & ~kSealed) | length, std::memory_order_release);
  }
  Change GiveUp(uint64_t guard, Change outcome) {
    StoreWord(&words[1], guard, std::memory_order_release);  // nothing has changed
    return outcome;
  }
};

}  // namespace faster
