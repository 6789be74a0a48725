// FateWalk: which answers a disk gives, one run after the other, to the questions that recovery asks it.
//
//   FateWalk walk(fixed, limits);
//   do { walk.Begin(); Run([&](uint32_t count) { return walk.Choose(count); }); } while (walk.Next());
//
// What is asked depends on the answers before it, so the questions of a run are a path in a tree. The first
// run answers 0 (the newest content) throughout. If it asked at most `exact` questions, every path is walked,
// by depth-first search. Else there are too many, and these are tried: all old; each alternative of each
// question alone; every prefix old, the rest new; `random` ones. cut_short() says that not all was tried.
//
// `fixed` answers come first in every run, in the order of the questions, and are not varied: what an earlier
// crash of the same execution decided. The code under test must ask the same when it is answered the same.
// Plain values; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace experiments {

class FateWalk {
 public:
  struct Limits {
    size_t exact = 8;
    uint32_t random = 64;
  };
  FateWalk(std::vector<uint32_t> fixed, const Limits& limits, uint64_t seed)
      : fixed_(std::move(fixed)), limits_(limits), random_(seed | 1) {}

  void Begin() { path_.clear(); }
  uint32_t Choose(uint32_t count);  // 0..count-1
  bool Next();                      // false: that was the last run
  // The answers of this run so far, the fixed ones included.
  size_t asked() const { return path_.size(); }
  std::vector<uint32_t> Answers(size_t first) const;
  bool cut_short() const { return cut_short_; }

 private:
  struct Answer {
    uint32_t value, count;
  };
  enum class Mode : uint8_t { kExact, kOld, kAlone, kPrefix, kRandom };
  uint32_t Free(size_t question, uint32_t count);
  bool NextPath();
  bool NextOfMany();
  uint32_t Draw(uint32_t count);

  const std::vector<uint32_t> fixed_;
  const Limits limits_;
  uint64_t random_;
  Mode mode_ = Mode::kExact;
  std::vector<uint32_t> plan_;    // kExact: of the free questions; beyond it 0
  size_t at_ = 0;                 // kAlone: the question; kPrefix: its length; kRandom: how many were tried
  uint32_t alternative_ = 0;      // kAlone
  std::vector<uint32_t> counts_;  // of the first run's free questions
  std::vector<Answer> path_;
  bool first_ = true, cut_short_ = false;
};

}  // namespace experiments
