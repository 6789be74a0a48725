// The cache simulations against models that keep everything and look through all of it: every access of every
// policy, over random traces of many shapes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <vector>

#include "experiments/figures/caches/policies.h"
#include "workloads/generators.h"

namespace experiments::figures {
namespace {

// Memory as a list of keys, oldest first.
class Model {
 public:
  explicit Model(const CacheShape& shape) : shape_(shape) {}
  virtual ~Model() = default;
  virtual bool Access(uint32_t key) = 0;

 protected:
  bool Has(uint32_t key) const { return std::find(memory_.begin(), memory_.end(), key) != memory_.end(); }
  void Remove(uint32_t key) { memory_.erase(std::find(memory_.begin(), memory_.end(), key)); }
  void Trim() {
    if (memory_.size() > shape_.capacity) memory_.pop_front();
  }
  const CacheShape shape_;
  std::deque<uint32_t> memory_;
};

class FifoModel final : public Model {
 public:
  using Model::Model;
  bool Access(uint32_t key) override {
    if (Has(key)) return true;
    memory_.push_back(key);
    Trim();
    return false;
  }
};

class Lru1Model final : public Model {
 public:
  using Model::Model;
  bool Access(uint32_t key) override {
    const bool hit = Has(key);
    if (hit) Remove(key);
    memory_.push_back(key);
    Trim();
    return hit;
  }
};

// Every access ever is kept; the backward 2-distance is looked up in them.
class Lru2Model final : public Model {
 public:
  explicit Lru2Model(const CacheShape& shape) : Model(shape), accesses_(shape.keys) {}
  bool Access(uint32_t key) override {
    const double remembered = shape_.history * shape_.capacity;
    const bool hit = Has(key);
    std::vector<int>& own = accesses_[key];
    if (!hit && !own.empty() && now_ - own.back() > remembered) own.clear();
    if (!hit) {
      if (memory_.size() == shape_.capacity)
        memory_.erase(std::min_element(memory_.begin(), memory_.end(),
                                       [this](uint32_t a, uint32_t b) { return Rank(a) < Rank(b); }));
      memory_.push_back(key);
    }
    own.push_back(++now_);
    return hit;
  }

 private:
  std::pair<int, int> Rank(uint32_t key) const {
    const std::vector<int>& own = accesses_[key];
    return {own.size() < 2 ? 0 : own[own.size() - 2], own.back()};
  }
  std::vector<std::vector<int>> accesses_;
  int now_ = 0;
};

// The ring as a queue: what the hand passes over goes to its end. The bits lie by key.
class ClockModel final : public Model {
 public:
  explicit ClockModel(const CacheShape& shape) : Model(shape), used_(shape.keys) {}
  bool Access(uint32_t key) override {
    if (Has(key)) return used_[key] = true;
    if (memory_.size() == shape_.capacity) {
      while (used_[memory_.front()]) {
        used_[memory_.front()] = false;
        memory_.push_back(memory_.front());
        memory_.pop_front();
      }
      memory_.pop_front();
    }
    memory_.push_back(key);
    return false;
  }

 private:
  std::vector<bool> used_;
};

// The log itself, copies and all; its newest record of a key counts.
class HlogModel final : public Model {
 public:
  using Model::Model;
  bool Access(uint32_t key) override {
    const size_t read_only = static_cast<size_t>(std::round(shape_.read_only * shape_.capacity));
    const size_t mutable_records = shape_.capacity - read_only;
    const auto newest = std::find(memory_.rbegin(), memory_.rend(), key);
    const size_t age = static_cast<size_t>(newest - memory_.rbegin());  // records that came after it
    const bool hit = newest != memory_.rend();
    if (!hit || age >= mutable_records) memory_.push_back(key);
    Trim();
    return hit;
  }
};

std::unique_ptr<Model> MakeModel(std::string_view policy, const CacheShape& shape) {
  if (policy == "fifo") return std::make_unique<FifoModel>(shape);
  if (policy == "lru-1") return std::make_unique<Lru1Model>(shape);
  if (policy == "lru-2") return std::make_unique<Lru2Model>(shape);
  if (policy == "clock") return std::make_unique<ClockModel>(shape);
  return std::make_unique<HlogModel>(shape);
}

class CachePoliciesTest : public testing::TestWithParam<std::string_view> {};

TEST_P(CachePoliciesTest, EveryAccessIsAsInTheModel) {
  workloads::Random random(7);
  int hits = 0, misses = 0;
  for (int trace = 0; trace < 300; ++trace) {
    CacheShape shape;
    shape.keys = 1 + static_cast<uint32_t>(random.Below(40));
    shape.capacity = 1 + static_cast<uint32_t>(random.Below(shape.keys));
    shape.read_only = static_cast<double>(random.Below(11)) / 10;
    if (random.Below(2) == 0) shape.history = static_cast<double>(random.Below(9)) / 2;
    const auto cache = MakeCache(GetParam(), shape);
    const auto model = MakeModel(GetParam(), shape);
    ASSERT_NE(cache, nullptr);
    const uint64_t skew = 1 + random.Below(3);  // the least of so many drawings
    for (int i = 0; i < 500; ++i) {
      uint64_t key = shape.keys;
      for (uint64_t drawing = 0; drawing < skew; ++drawing) key = std::min(key, random.Below(shape.keys));
      const bool hit = model->Access(static_cast<uint32_t>(key));
      ASSERT_EQ(cache->Access(static_cast<uint32_t>(key)), hit)
          << "access " << i << " of trace " << trace << ": " << shape.keys << " keys, " << shape.capacity
          << " in memory, " << shape.read_only << " of it read-only, history " << shape.history;
      (hit ? hits : misses) += 1;
    }
  }
  EXPECT_GT(hits, 10000);  // both kinds were there
  EXPECT_GT(misses, 10000);
}

INSTANTIATE_TEST_SUITE_P(All, CachePoliciesTest, testing::ValuesIn(CachePolicies()), [](const auto& info) {
  std::string name(info.param);
  std::erase(name, '-');
  return name;
});

TEST(CachePolicies, WhatIsNoPolicyIsRefused) { EXPECT_EQ(MakeCache("mru", {10, 5}), nullptr); }

// One access in a hundred tells the policies apart: keys 0 and 1 are hot, a scan passes by.
TEST(CachePolicies, OnlyLru2KeepsTheHotKeysThroughAScan) {
  const CacheShape shape{100, 10};
  for (const std::string_view policy : CachePolicies()) {
    const auto cache = MakeCache(policy, shape);
    for (int i = 0; i < 4; ++i) {
      cache->Access(0);
      cache->Access(1);
    }
    for (uint32_t key = 2; key < 40; ++key) cache->Access(key);
    const bool kept = cache->Access(0) && cache->Access(1);
    EXPECT_EQ(kept, policy == "lru-2") << policy;
  }
}

}  // namespace
}  // namespace experiments::figures
