// How the harness's keys and words look in our engine: numbers with values of 8 or of 256 bytes, or bytes of
// many lengths. A codec names the types of the store and turns words into values and back.
#pragma once

#include <cstdint>
#include <string>

#include "experiments/crash/subject.h"
#include "experiments/crash/variable_values.h"
#include "faster/core/layout.h"

namespace experiments {

// A value word as the engine stores it. The wide form repeats the word, salted by position, so that a value
// put together from two updates cannot pass for whole.
struct Narrow {
  uint64_t word;
  static Narrow Of(uint64_t word) { return {word}; }
  bool whole() const { return true; }
};
struct Wide {
  uint64_t word;
  uint64_t fill[31];
  static Wide Of(uint64_t word) {
    Wide wide{word, {}};
    for (uint64_t i = 0; i < 31; ++i) wide.fill[i] = word ^ (i + 1) * 0x9e3779b97f4a7c15ull;
    return wide;
  }
  bool whole() const {
    for (uint64_t i = 0; i < 31; ++i) {
      if (fill[i] != (word ^ (i + 1) * 0x9e3779b97f4a7c15ull)) return false;
    }
    return true;
  }
};
static_assert(sizeof(Wide) == 256);

inline uint64_t HashOfKey(HashMode mode, uint64_t key) {
  switch (mode) {
    case HashMode::kSameBucket:
      return (key + 1) << 50;
    case HashMode::kCollide:
      return uint64_t{5} << 50;
    case HashMode::kTwoChains:
      return (key & 1) << 50;
    default:
      break;
  }
  uint64_t h = (key + 1) * 0x9e3779b97f4a7c15ull;
  h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
  h ^= h >> 32;
  return mode == HashMode::kOneTag ? uint64_t{5} << 50 | (h & 0xffff) : h;
}

template <class Value>
struct FixedFunctions {
  using Input = uint64_t;
  HashMode mode = HashMode::kMixed;

  uint64_t Hash(uint64_t key) const { return HashOfKey(mode, key); }
  Value Initial(uint64_t operand) const { return Value::Of(RmwWord(0, operand)); }
  Value Update(const Value& old, uint64_t operand) const {
    if (old.whole()) return Value::Of(RmwWord(old.word, operand));
    Value torn = old;  // stays recognisably torn
    torn.word = RmwWord(old.word, operand);
    return torn;
  }
};

template <class Value>
struct FixedCodec {
  using K = uint64_t;
  using V = Value;
  using Functions = FixedFunctions<Value>;
  using KeyOut = uint64_t;
  using Out = Value;
  using KeyItem = uint64_t;
  using ValueMade = Value;
  using ValueItem = Value;

  explicit FixedCodec(const SubjectConfig& config) : functions{config.hash} {}
  static uint64_t Key(uint64_t key) { return key; }
  static uint64_t NumberOf(uint64_t key) { return key; }
  static Value Made(uint64_t word) { return Value::Of(word); }
  static Value Asked(uint64_t, uint64_t word) { return Made(word); }
  static uint64_t WordOf(const Value& value) { return value.word; }
  static bool Whole(const Value& value) { return value.whole(); }

  Functions functions;
};

struct VariableFunctions {
  using Input = uint64_t;
  HashMode mode = HashMode::kMixed;
  VariableValues values{8};

  uint64_t Hash(std::string_view key) const {
    return mode == HashMode::kMixed ? faster::HashBytes(key) : HashOfKey(mode, VariableKey::NumberOf(key));
  }
  size_t InitialBytes(uint64_t operand) const { return values.LengthOf(RmwWord(0, operand)); }
  void Initial(uint64_t operand, char* to) const { Write(RmwWord(0, operand), to); }
  // What is torn stays so: a value of three bytes.
  size_t UpdatedBytes(std::string_view old, uint64_t operand) const {
    return values.Whole(old) ? values.LengthOf(RmwWord(values.WordOf(old), operand)) : 3;
  }
  void Update(std::string_view old, uint64_t operand, char* to) const {
    if (values.Whole(old)) return Write(RmwWord(values.WordOf(old), operand), to);
    std::memset(to, 0xbd, 3);
  }
  bool InPlace(std::string_view, uint64_t operand) const {
    return VariableValues::Mixed(operand, 7) % 10 != 0;
  }

  void Write(uint64_t word, char* to) const { VariableValues::Write(word, values.LengthOf(word), to); }
};

struct VariableCodec {
  using K = faster::VarKey;
  using V = faster::VarValue;
  using Functions = VariableFunctions;
  using KeyOut = faster::ByteBuffer;
  using Out = faster::ByteBuffer;
  using KeyItem = std::string_view;
  using ValueMade = std::string;
  using ValueItem = std::string_view;

  explicit VariableCodec(const SubjectConfig& config)
      : functions{config.hash, {VariableValues::MostOf(config.block_bytes)}}, too_many(config.block_bytes) {}
  static VariableKey Key(uint64_t key) { return VariableKey::Of(key); }
  static uint64_t NumberOf(std::string_view key) { return VariableKey::NumberOf(key); }
  // An upsert of such a word is refused, but for the filler.
  std::string Asked(uint64_t key, uint64_t word) const {
    if (key < kFirstFiller && VariableValues::TooLarge(word)) return std::string(too_many, '?');
    return Made(word);
  }
  std::string Made(uint64_t word) const {
    std::string made(functions.values.LengthOf(word), ' ');
    functions.Write(word, made.data());
    return made;
  }
  static uint64_t WordOf(std::string_view value) { return VariableValues::WordOf(value); }
  bool Whole(std::string_view value) const { return functions.values.Whole(value); }

  static constexpr uint64_t kFirstFiller = 1000;
  Functions functions;
  uint32_t too_many;  // bytes, for a value
};

}  // namespace experiments
