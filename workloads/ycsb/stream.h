// OperationStream: what one session does, as a function of the element's number alone.
//
// Element i is an operation and a key number, drawn from the seed and an array of keys drawn ahead, so that
// the generator costs a sequential load and a multiplication per operation, and so that another process can
// say afterwards what the session did (verification after a kill). The array is walked in a ring. Const: any
// thread. Workloads with inserts have no such stream: their key space depends on all threads (KeyChooser).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "workloads/generators.h"
#include "workloads/ycsb/value.h"

namespace workloads::ycsb {

struct StreamElement {
  Operation operation;
  uint64_t key;
};

// The weights of a mix as limits for a 64-bit random number.
class OperationMix {
 public:
  void Add(Operation operation, double weight);  // weights must add up to more than 0
  Operation Choose(uint64_t random) const {
    int i = 0;
    while (i + 1 < count_ && random >= limits_[i]) ++i;
    return operations_[i];
  }
  bool single() const { return count_ == 1; }
  Operation first() const { return operations_[0]; }
  bool Contains(Operation operation) const;
  bool empty() const { return count_ == 0; }

 private:
  static constexpr int kMost = 6;
  int count_ = 0;
  double weights_[kMost] = {};
  uint64_t limits_[kMost] = {};
  Operation operations_[kMost] = {};
};

class OperationStream {
 public:
  // `keys` (a power of two of them) outlive the stream.
  OperationStream(const OperationMix& mix, uint64_t seed, const std::vector<uint64_t>* keys)
      : mix_(mix), seed_(seed), keys_(keys->data()), mask_(keys->size() - 1) {}

  StreamElement At(uint64_t i) const {
    const Operation operation = mix_.single() ? mix_.first() : mix_.Choose(Random64(i));
    return {operation, keys_[i & mask_]};
  }
  uint64_t KeyAt(uint64_t i) const { return keys_[i & mask_]; }
  uint64_t period() const { return mask_ + 1; }

 private:
  uint64_t Random64(uint64_t i) const {
    uint64_t x = (seed_ + i) * kGolden;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    return x ^ x >> 27;
  }

  OperationMix mix_;
  uint64_t seed_;
  const uint64_t* keys_;
  uint64_t mask_;
};

}  // namespace workloads::ycsb
