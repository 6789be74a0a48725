// RecordForm: where key and value of a record are, for code that knows the layout from log.meta alone; and
// the hash functions that a store may have been made with.
//
// A store's hash function is a template parameter of the engine and is written nowhere. Whoever checks a
// checkpoint brings those that it knows; which one it is, if any, shows in the index: its entries have the
// tag of the keys that they lead to. Plain values.
#pragma once

#include <cstdint>
#include <string_view>

#include "faster/core/layout.h"
#include "faster/index/hash_table.h"

namespace faster {

// For keys of `key_bytes` bytes; 0: of variable length.
struct NamedHash {
  std::string_view name;
  uint32_t key_bytes;
  uint64_t (*of)(std::string_view key);
};

// Records begin at words, behind the checksum of their block.
constexpr bool CanHoldRecord(LogAddress at, uint32_t block_bytes) {
  return at % 8 == 0 && (at & (block_bytes - 1)) != 0;
}

// As the functions F of a store (session.h) hash a key of 8 bytes, a number.
template <class F>
uint64_t HashOfNumber(std::string_view key) {
  uint64_t number = 0;
  key.copy(reinterpret_cast<char*>(&number), sizeof number);
  return F().Hash(number);
}

class RecordForm {
 public:
  explicit RecordForm(const LogMetadata& log) {
    if (log.variable_records) return;
    key_bytes_ = log.key_bytes;
    value_bytes_ = log.value_bytes;
    const uint32_t key_words = (log.key_bytes + 7) / 8, value_words = (log.value_bytes + 7) / 8;
    guarded_ = value_words > 1;
    key_at_ = guarded_ ? 16 : 8;
    value_at_ = key_at_ + 8 * key_words;
    bytes_ = value_at_ + 8 * value_words;
  }

  RecordSizes sizes() const { return {bytes_}; }
  // Of a record that fits where it is (RecordSizes), in bytes that nobody changes.
  std::string_view Key(const uint8_t* record) const {
    if (bytes_ != 0) return {reinterpret_cast<const char*>(record) + key_at_, key_bytes_};
    return reinterpret_cast<const VariableRecord*>(record)->key();
  }
  std::string_view Value(const uint8_t* record) const {
    if (bytes_ != 0) return {reinterpret_cast<const char*>(record) + value_at_, value_bytes_};
    return reinterpret_cast<const VariableRecord*>(record)->StillValue();
  }
  // Somebody was changing the value when the bytes were taken.
  bool Locked(const uint8_t* record) const {
    const uint64_t guard = LoadWord(reinterpret_cast<const uint64_t*>(record) + 1);
    if (bytes_ == 0) return (guard & VariableRecord::kLocked) != 0;
    return guarded_ && (guard & 1) != 0;
  }

 private:
  uint32_t bytes_ = 0;  // 0: of variable length
  uint32_t key_bytes_ = 0;
  uint32_t value_bytes_ = 0;
  uint32_t key_at_ = 0;
  uint32_t value_at_ = 0;
  bool guarded_ = false;
};

}  // namespace faster
