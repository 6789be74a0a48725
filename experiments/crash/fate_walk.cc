#include "experiments/crash/fate_walk.h"

#include <algorithm>

namespace experiments {

uint32_t FateWalk::Draw(uint32_t count) {
  random_ ^= random_ >> 12;
  random_ ^= random_ << 25;
  random_ ^= random_ >> 27;
  return static_cast<uint32_t>(((random_ * 0x2545f4914f6cdd1dull >> 32) * count) >> 32);
}

uint32_t FateWalk::Free(size_t question, uint32_t count) {
  switch (mode_) {
    case Mode::kExact:
      return question < plan_.size() ? plan_[question] : 0;
    case Mode::kOld:
      return count - 1;
    case Mode::kAlone:
      return question == at_ ? alternative_ : 0;
    case Mode::kPrefix:
      return question < at_ ? count - 1 : 0;
    case Mode::kRandom:
      return Draw(count);
  }
  return 0;
}

uint32_t FateWalk::Choose(uint32_t count) {
  const size_t question = path_.size();
  const uint32_t value = question < fixed_.size() ? fixed_[question] : Free(question - fixed_.size(), count);
  path_.push_back({std::min(value, count - 1), count});
  return path_.back().value;
}

std::vector<uint32_t> FateWalk::Answers(size_t first) const {
  std::vector<uint32_t> answers;
  for (size_t i = 0; i < std::min(first, path_.size()); ++i) answers.push_back(path_[i].value);
  return answers;
}

bool FateWalk::Next() {
  if (first_) {
    first_ = false;
    for (size_t i = fixed_.size(); i < path_.size(); ++i) counts_.push_back(path_[i].count);
    if (counts_.size() > limits_.exact) {
      cut_short_ = true;
      mode_ = Mode::kOld;
      return true;
    }
  }
  return mode_ == Mode::kExact ? NextPath() : NextOfMany();
}

// The next leaf of the tree in depth-first order.
bool FateWalk::NextPath() {
  size_t free = path_.size() < fixed_.size() ? 0 : path_.size() - fixed_.size();
  if (free > limits_.exact) {  // on another path than the first one: what lies deeper stays new
    cut_short_ = true;
    free = limits_.exact;
  }
  while (free > 0) {
    const Answer& answer = path_[fixed_.size() + free - 1];
    if (answer.value + 1 < answer.count) break;
    --free;
  }
  if (free == 0) return false;
  plan_.clear();
  for (size_t i = 0; i < free; ++i) plan_.push_back(path_[fixed_.size() + i].value);
  ++plan_.back();
  return true;
}

bool FateWalk::NextOfMany() {
  if (mode_ == Mode::kOld) {
    mode_ = Mode::kAlone;
    at_ = 0;
    alternative_ = 0;
  }
  if (mode_ == Mode::kAlone) {
    if (++alternative_ < counts_[at_]) return true;
    alternative_ = 1;
    if (++at_ < counts_.size()) return true;
    mode_ = Mode::kPrefix;
    at_ = 1;  // of one: that was tried alone
  }
  if (mode_ == Mode::kPrefix) {
    if (++at_ < counts_.size()) return true;
    mode_ = Mode::kRandom;
    at_ = 0;
  }
  return at_++ < limits_.random;
}

}  // namespace experiments
