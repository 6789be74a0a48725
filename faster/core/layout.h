// Layout: how the records of a store look, and what its keys and values are on the way in and out.
//
//   FasterKv<K, V, F>              two types of fixed size: everything about a record's size is a constant
//   FasterKv<VarKey, VarValue, F>  bytes of any length: a record says how long it is (variable_record.h)
//
// The engine is written once, for L = LayoutOf<K, V>, which names
//   Key, Value          what an operation keeps of them; KeyRef, ValueRef: how they are handed on inside
//   KeyArg, ValueArg    what a client gives; KeyItem, ValueItem: in arrays of batches
//   KeyOut, Out         where a client gets them
//   Scratch             memory of a session for values of unknown length; Old, Fresh: variables in it
// and the few steps in which the two differ. For fixed types these are the plain expressions, inlined.
//
// LIMIT: a record lies within one block of the log, behind the block's checksum: a key and a value fit if
// BytesFor(key, value) is at most block_bytes - 8, and a block is at most a page.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>
#include <type_traits>

#include "faster/core/checksum.h"
#include "faster/core/record.h"
#include "faster/core/variable_record.h"

namespace faster {

struct VarKey {};
struct VarValue {};

// A good hash of bytes, for the functions of a store (session.h).
inline uint64_t HashBytes(std::string_view bytes) { return Checksum(bytes.data(), bytes.size()); }

// How many bytes a record takes, for code that knows no types. 0: it does not fit into `room` bytes, so what
// is there is no record.
struct RecordSizes {
  uint32_t fixed;  // 0: of variable length
  uint64_t operator()(const uint8_t* record, uint64_t room) const {
    if (fixed == 0) return VariableRecord::SizeOf(record, room);
    return fixed <= room ? fixed : 0;
  }
  uint32_t least() const { return fixed != 0 ? fixed : VariableRecord::kLeastBytes; }
};

template <class K, class V>
struct FixedLayout {
  static_assert(std::is_trivially_copyable_v<K> && std::is_trivially_copyable_v<V>);
  static constexpr bool kVariable = false;
  static constexpr uint32_t kKeyBytes = sizeof(K);  // as log.meta has it
  static constexpr uint32_t kValueBytes = sizeof(V);
  using Rec = Record<K, V>;
  static constexpr RecordSizes kSizes{Rec::kBytes};
  static constexpr uint32_t kPrefetchBytes = Rec::kBytes;
  using KeyArg = const K&;
  using KeyItem = K;
  using KeyOut = K;
  using Key = Words<K>;
  using KeyRef = const Words<K>&;
  using ValueArg = const V&;
  using ValueItem = V;
  using Out = V;
  using Value = Words<V>;
  using ValueRef = const Words<V>&;
  struct Scratch {};
  struct Old {
    explicit Old(Scratch&) {}
    Value value;
  };
  struct Fresh {
    explicit Fresh(Scratch&) {}
    Out value;
  };

  static Key KeyOf(KeyArg key) { return Key::Of(key); }
  static K ArgOf(const Key& key) { return key.Value(); }
  static V ArgOfValue(const Value& value) { return value.Value(); }
  static Value ValueOf(ValueArg value) { return Value::Of(value); }
  static Value NoValue() { return {}; }
  static void Take(KeyArg key, Key* to) { *to = Key::Of(key); }
  static void TakeValue(ValueArg value, Value* to) { *to = Value::Of(value); }
  static void Deliver(const Value& value, Out* to) { *to = value.Value(); }
  static void DeliverKey(const Key& key, KeyOut* to) { *to = key.Value(); }
  static constexpr uint32_t BytesFor(KeyRef, ValueRef) { return Rec::kBytes; }

  static void Load(const Rec& record, Value* to) { *to = record.Load(); }
  static void LoadOut(const Rec& record, Out* to) { *to = record.Load().Value(); }
  // Of a record in memory that nobody changes.
  static void LoadStill(const Rec& record, Value* to) {
    CopyFromShared(to->word, &record.words[Rec::kValueAt], Rec::kValueWords);
  }
  // False: not here.
  static bool Store(Rec* record, ValueArg value) {
    record->Store(Value::Of(value));
    return true;
  }

  struct HashOfKey {
    size_t operator()(const Key& key) const {
      uint64_t hash = 0;
      for (const uint64_t word : key.word) hash = (hash ^ word) * 0x9e3779b97f4a7c15ull, hash ^= hash >> 32;
      return hash;
    }
  };
  struct SameKey {
    bool operator()(const Key& a, const Key& b) const {
      return std::equal(std::begin(a.word), std::end(a.word), std::begin(b.word));
    }
  };
};

struct VariableLayout {
  static constexpr bool kVariable = true;
  static constexpr uint32_t kKeyBytes = 0;
  static constexpr uint32_t kValueBytes = 0;
  using Rec = VariableRecord;
  static constexpr RecordSizes kSizes{0};
  static constexpr uint32_t kPrefetchBytes = 64;
  using KeyArg = std::string_view;
  using KeyItem = std::string_view;
  using KeyOut = ByteBuffer;
  using Key = ByteBuffer;
  using KeyRef = std::string_view;
  using ValueArg = std::string_view;
  using ValueItem = std::string_view;
  using Out = ByteBuffer;
  using Value = ByteBuffer;
  using ValueRef = std::string_view;
  struct Scratch {
    ByteBuffer old;
    ByteBuffer fresh;
  };
  struct Old {
    explicit Old(Scratch& scratch) : value(scratch.old) {}
    Value& value;
  };
  struct Fresh {
    explicit Fresh(Scratch& scratch) : value(scratch.fresh) {}
    Out& value;
  };

  static KeyRef KeyOf(KeyArg key) { return key; }
  static KeyArg ArgOf(KeyRef key) { return key; }
  static ValueArg ArgOfValue(ValueRef value) { return value; }
  static ValueRef NoValue() { return {}; }
  static void Take(KeyArg key, Key* to) { to->Borrow(key); }
  static void TakeValue(ValueArg value, Value* to) { to->Borrow(value); }
  static void Deliver(const Value& value, Out* to) { to->Assign(value); }
  static void DeliverKey(const Key& key, KeyOut* to) { to->Assign(key); }
  static constexpr uint64_t BytesFor(KeyRef key, ValueRef value) {
    return Rec::BytesFor(key.size(), value.size());
  }

  static void Load(const Rec& record, Value* to) { record.Load(to); }
  static void LoadOut(const Rec& record, Out* to) { record.Load(to); }
  static void LoadStill(const Rec& record, Value* to) { to->Borrow(record.StillValue()); }
  static bool Store(Rec* record, ValueArg value) { return record->Store(value) == Rec::Change::kDone; }

  struct HashOfKey {
    size_t operator()(const Key& key) const { return HashBytes(key); }
  };
  struct SameKey {
    bool operator()(const Key& a, const Key& b) const { return a.Value() == b.Value(); }
  };
};

template <class K, class V>
struct LayoutFor {
  using Type = FixedLayout<K, V>;
};
template <>
struct LayoutFor<VarKey, VarValue> {
  using Type = VariableLayout;
};
template <class K, class V>
using LayoutOf = typename LayoutFor<K, V>::Type;

}  // namespace faster
