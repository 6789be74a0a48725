// How a YCSB record looks in the engine: a number and a value of one size known to the compiler, or bytes of
// a length that the workload says. The loops of the client (engine_of.h) are compiled for each.
//
// A value is a word and a pattern that follows from it (value.h). KeyStore and ValueStore hold what a batch
// hands over.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "faster/store/faster_kv.h"
#include "workloads/ycsb/value.h"
#include "workloads/ycsb/value_lengths.h"

namespace workloads::ycsb {

template <size_t kBytes>
struct FixedRecords {
  using Kv = faster::FasterKv<uint64_t, Value<kBytes>, AddWord<kBytes>>;
  using Functions = AddWord<kBytes>;
  using Out = Value<kBytes>;

  struct KeyStore {
    std::vector<uint64_t> keys;
    void resize(size_t count) { keys.resize(count); }
    size_t size() const { return keys.size(); }
    void Set(size_t i, uint64_t key) { keys[i] = key; }
    const uint64_t* data() const { return keys.data(); }
  };
  struct ValueStore {
    std::vector<Out> values;
    void resize(const FixedRecords&, size_t count) { values.resize(count); }
    void Set(const FixedRecords&, size_t i, uint64_t word) { values[i] = Out::Of(word); }
    const Out* data() const { return values.data(); }
  };

  // Where a read puts its value: on the stack.
  struct Kept {};
  struct Slot {
    explicit Slot(Kept*) {}
    Out* out() { return &value; }
    Out value;
  };

  explicit FixedRecords(uint32_t) {}
  Functions functions() const { return {}; }
  static uint64_t Key(uint64_t key) { return key; }
  Out Of(uint64_t word) const { return Out::Of(word); }
  static uint64_t WordOf(const Out& value) { return value.word[0]; }
  bool Whole(const Out& value) const { return value.Whole(); }
};

// The template parameter F of a store of variable length: values of `bytes` bytes, 8 or more, or of a length
// that follows from the first word, so that a reader knows how long a value has to be.
struct AddWordOfLength {
  using Input = uint64_t;
  uint32_t bytes = 8;  // the most
  std::shared_ptr<const ValueLengths> lengths = nullptr;

  uint32_t LengthOf(uint64_t word) const { return lengths == nullptr ? bytes : lengths->Of(word); }
  static uint64_t WordOf(std::string_view value) {
    uint64_t word = 0;
    if (!value.empty()) std::memcpy(&word, value.data(), std::min<size_t>(8, value.size()));
    return word;
  }
  void Write(uint64_t first, char* to) const {
    const uint32_t length = LengthOf(first);
    for (uint32_t at = 0; at < length; at += 8) {
      const uint64_t word = first + at / 8 * kGolden;
      std::memcpy(to + at, &word, std::min<uint32_t>(8, length - at));
    }
  }
  bool Whole(std::string_view value) const {
    const uint64_t first = WordOf(value);
    const uint32_t length = LengthOf(first);
    if (value.size() != length) return false;
    for (uint32_t at = 8; at < length; at += 8) {
      const uint64_t word = first + at / 8 * kGolden;
      if (std::memcmp(value.data() + at, &word, std::min<uint32_t>(8, length - at)) != 0) return false;
    }
    return true;
  }
  uint64_t Hash(std::string_view key) const { return AddWord<8>().Hash(WordOf(key)); }
  size_t InitialBytes(uint64_t input) const { return LengthOf(input); }
  void Initial(uint64_t input, char* to) const { Write(input, to); }
  size_t UpdatedBytes(std::string_view old, uint64_t input) const { return LengthOf(WordOf(old) + input); }
  void Update(std::string_view old, uint64_t input, char* to) const { Write(WordOf(old) + input, to); }
};

class VariableRecords {
 public:
  using Kv = faster::FasterKv<faster::VarKey, faster::VarValue, AddWordOfLength>;
  using Functions = AddWordOfLength;
  using Out = faster::ByteBuffer;

  struct KeyBytes {
    uint64_t key;
    operator std::string_view() const { return {reinterpret_cast<const char*>(&key), sizeof key}; }
  };
  struct KeyStore {
    std::vector<KeyBytes> keys;
    std::vector<std::string_view> views;
    void resize(size_t count) {
      keys.resize(count);
      views.assign(keys.begin(), keys.end());
    }
    size_t size() const { return keys.size(); }
    void Set(size_t i, uint64_t key) { keys[i].key = key; }
    const std::string_view* data() const { return views.data(); }
  };
  struct ValueStore {
    std::vector<char> bytes;
    std::vector<std::string_view> views;
    void resize(const VariableRecords& records, size_t count) {
      const size_t length = records.functions_.bytes;
      bytes.resize(count * length);
      views.clear();
      for (size_t i = 0; i < count; ++i) views.emplace_back(bytes.data() + i * length, length);
    }
    void Set(const VariableRecords& records, size_t i, uint64_t word) {
      char* const to = bytes.data() + i * records.functions_.bytes;
      records.functions_.Write(word, to);
      views[i] = {to, records.functions_.LengthOf(word)};
    }
    const std::string_view* data() const { return views.data(); }
  };

  // Into a buffer that is used again.
  using Kept = Out;
  struct Slot {
    explicit Slot(Kept* kept) : kept(kept) {}
    Out* out() { return kept; }
    Kept* kept;
  };

  explicit VariableRecords(uint32_t bytes, std::shared_ptr<const ValueLengths> lengths = nullptr)
      : functions_{bytes, std::move(lengths)}, made_(bytes) {}
  Functions functions() const { return functions_; }
  static KeyBytes Key(uint64_t key) { return {key}; }
  std::string_view Of(uint64_t word) {  // until the next call
    functions_.Write(word, made_.data());
    return {made_.data(), functions_.LengthOf(word)};
  }
  static uint64_t WordOf(std::string_view value) { return AddWordOfLength::WordOf(value); }
  bool Whole(std::string_view value) const { return functions_.Whole(value); }

 private:
  Functions functions_;
  std::vector<char> made_;
};

}  // namespace workloads::ycsb
