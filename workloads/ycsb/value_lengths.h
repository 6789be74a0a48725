// ValueLengths: how long a value is, as a function of the word that it holds (value.h).
//
// YCSB draws a length for each field that it writes (fieldlengthdistribution). Here the lengths of 2^14
// values, each the sum of its fields' drawings, are drawn ahead, and a value's word says which of them is its
// own: so a reader, and whoever verifies a killed run, knows how long every value has to be. Const: any
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "workloads/generators.h"
#include "workloads/ycsb/value.h"

namespace workloads::ycsb {

class ValueLengths {
 public:
  static constexpr int kBits = 14;
  static constexpr uint32_t kLeast = 8;  // the word has to fit

  // 2^kBits lengths; shorter ones become kLeast.
  explicit ValueLengths(std::vector<uint32_t> lengths);
  uint32_t Of(uint64_t word) const { return lengths_[word * kGolden >> (64 - kBits)]; }
  uint32_t longest() const { return longest_; }
  double mean() const;

 private:
  std::vector<uint32_t> lengths_;
  uint32_t longest_;
};

// YCSB's HistogramGenerator: the file says "BlockSize<tab>N" and then "bucket<tab>count", the buckets
// 0, 1, 2, ...; a drawing from bucket i is (i + 1) x N, but i x N from the last one.
class LengthHistogram {
 public:
  // False: *error is "FILE:LINE: expected ..., found ...".
  [[nodiscard]] static bool Read(const std::string& path, LengthHistogram* histogram, std::string* error);
  [[nodiscard]] static bool Parse(const std::string& text, const std::string& path,
                                  LengthHistogram* histogram, std::string* error);
  uint64_t area() const { return area_; }
  uint64_t LengthAt(uint64_t number) const;  // the length that a number in [0, area()) stands for
  uint64_t longest() const;

 private:
  uint64_t block_ = 0, area_ = 0;
  std::vector<uint64_t> buckets_;
};

// `fields` drawings a value, of constant, uniform, zipfian or histogram (already checked). `histogram` is
// used by the last one only.
struct FieldLengths {
  std::string distribution = "constant";
  uint64_t fields = 10, least = 1, most = 100;
  LengthHistogram histogram;
  uint64_t longest() const;  // value
};
// Null for constant lengths.
std::shared_ptr<const ValueLengths> MakeValueLengths(const FieldLengths& fields);

}  // namespace workloads::ycsb
