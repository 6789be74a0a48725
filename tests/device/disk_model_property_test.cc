// DiskModel against a naive model that keeps every state there has been, on random operations with crashes.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "faults/device/disk_model.h"

namespace faults {
namespace {

using faster::OpenMode;
using faster::Status;

constexpr uint32_t kSector = 16;
constexpr uint64_t kSectors = 6;

struct Step {
  enum Kind { kWrite, kTruncate, kSync, kFailSync, kCrash, kCrashInFlight, kRead, kLateSync };
  Kind kind;
  uint64_t offset, length;
  unsigned detail;
};

// One file as sets: what each sector and the size may be after a crash now, and what is visible.
class NaiveFile {
 public:
  NaiveFile() : now_(kSector * kSectors, '\0'), sectors_(kSectors) {
    for (uint64_t s = 0; s < kSectors; ++s) sectors_[s] = {Sector(now_, s)};
  }
  void Write(uint64_t offset, const std::string& bytes) {
    std::copy(bytes.begin(), bytes.end(), now_.begin() + static_cast<ptrdiff_t>(offset));
    Touch(offset, bytes.size());
    size_ = std::max(size_, offset + bytes.size());
    sizes_.insert(size_);
  }
  void Truncate(uint64_t bytes) {
    if (bytes < size_) {
      std::fill(now_.begin() + static_cast<ptrdiff_t>(bytes), now_.begin() + static_cast<ptrdiff_t>(size_),
                '\0');
      Touch(bytes, size_ - bytes);
    }
    size_ = bytes;
    sizes_.insert(size_);
  }
  void MayHaveArrived(uint64_t offset, const std::string& bytes) {
    std::string then = now_;
    std::copy(bytes.begin(), bytes.end(), then.begin() + static_cast<ptrdiff_t>(offset));
    for (uint64_t s = offset / kSector; s <= (offset + bytes.size() - 1) / kSector; ++s) {
      sectors_[s].insert(Sector(then, s));
    }
    sizes_.insert(std::max(size_, offset + bytes.size()));
  }
  void Sync() {
    for (uint64_t s = 0; s < kSectors; ++s) sectors_[s] = {Sector(now_, s)};
    sizes_ = {size_};
  }
  // What the model showed after a crash: legal? From now on it is the only possibility.
  void Decide(const std::string& found) {
    RC_ASSERT(sizes_.count(found.size()) == 1);
    std::string padded = found;
    padded.resize(now_.size(), '\0');
    for (uint64_t s = 0; s < kSectors; ++s) {
      const uint64_t kept =
          found.size() > s * kSector ? std::min<uint64_t>(kSector, found.size() - s * kSector) : 0;
      bool known = false;
      for (const std::string& content : sectors_[s])
        known |= content.compare(0, kept, padded, s * kSector, kept) == 0;
      RC_ASSERT(known);
    }
    now_ = padded;
    size_ = found.size();
    Sync();
  }
  std::string visible() const { return now_.substr(0, size_); }
  uint64_t size() const { return size_; }

 private:
  static std::string Sector(const std::string& bytes, uint64_t s) {
    return bytes.substr(s * kSector, kSector);
  }
  void Touch(uint64_t offset, uint64_t length) {
    if (length == 0) return;
    for (uint64_t s = offset / kSector; s <= (offset + length - 1) / kSector; ++s)
      sectors_[s].insert(Sector(now_, s));
  }

  std::string now_;
  uint64_t size_ = 0;
  std::vector<std::set<std::string>> sectors_;
  std::set<uint64_t> sizes_ = {0};
};

rc::Gen<Step> AnyStep() {
  return rc::gen::map(
      rc::gen::tuple(rc::gen::weightedElement<int>({{8, Step::kWrite},
                                                    {1, Step::kTruncate},
                                                    {3, Step::kSync},
                                                    {1, Step::kFailSync},
                                                    {2, Step::kCrash},
                                                    {1, Step::kCrashInFlight},
                                                    {2, Step::kRead},
                                                    {1, Step::kLateSync}}),
                     rc::gen::inRange<uint64_t>(0, kSector * kSectors),
                     rc::gen::inRange<uint64_t>(1, 3 * kSector), rc::gen::inRange(0u, 1000u)),
      [](const std::tuple<int, uint64_t, uint64_t, unsigned>& t) {
        Step step{static_cast<Step::Kind>(std::get<0>(t)), std::get<1>(t), std::get<2>(t), std::get<3>(t)};
        step.length = std::min(step.length, kSector * kSectors - step.offset);
        return step;
      });
}

std::string Visible(DiskModel& model, DiskModel::Inode file) {
  std::string bytes(model.Size(file), '?');
  model.Read(file, 0, bytes.data(), bytes.size());
  return bytes;
}

RC_GTEST_PROP(DiskModelProperty, ContentsAgreeWithTheNaiveModel, ()) {
  const auto steps = *rc::gen::container<std::vector<Step>>(AnyStep());
  std::mt19937_64 random(*rc::gen::arbitrary<uint64_t>());
  DiskModel model;
  model.Reset({kSector, false},
              {[](void* random, ChoiceKind, uint32_t count) {
                 return static_cast<uint32_t>((*static_cast<std::mt19937_64*>(random))() % count);
               },
               &random});
  DiskModel::Inode file;
  RC_ASSERT(model.Open("f", OpenMode::kCreate, &file) == Status::kOk);
  NaiveFile naive;
  char letter = 'a';
  for (const Step& step : steps) {
    const std::string bytes(step.length, letter);
    letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1);
    switch (step.kind) {
      case Step::kWrite:
        model.Write(file, step.offset, bytes.data(), bytes.size());
        naive.Write(step.offset, bytes);
        break;
      case Step::kTruncate:
        model.Truncate(file, step.offset);
        naive.Truncate(step.offset);
        break;
      case Step::kSync:
        model.Sync(file, model.sequence());
        naive.Sync();
        break;
      case Step::kLateSync: {  // a write completes after the sync was called
        const uint64_t called = model.sequence();
        model.Write(file, step.offset, bytes.data(), bytes.size());
        model.Sync(file, called);
        naive.Sync();
        naive.Write(step.offset, bytes);
        break;
      }
      case Step::kFailSync:  // nothing becomes durable; the data stays visible; it is not retried here
        model.FailSync(file, model.sequence(), DiskModel::FailedSync::kStaysDirty);
        break;
      case Step::kCrash:
        model.Crash(nullptr, 0);
        if (step.detail % 3 == 0) model.Crash(nullptr, 0);
        naive.Decide(Visible(model, file));
        break;
      case Step::kCrashInFlight: {
        const DiskModel::InFlightWrite write{file, step.offset, step.length,
                                             reinterpret_cast<const uint8_t*>(bytes.data())};
        naive.MayHaveArrived(step.offset, bytes);
        model.Crash(&write, 1);
        naive.Decide(Visible(model, file));
        break;
      }
      case Step::kRead:
        break;
    }
    RC_ASSERT(Visible(model, file) == naive.visible());
  }
}

// --- Names ----------------------------------------------------------------------------------------------

struct NameStep {
  int kind;  // 0 create, 1 remove, 2 rename, 3 sync
  int from, to;
};

// All states a directory may have: the operations since the last sync, in every subset that is closed under
// the order of operations on the same name.
class NaiveDirectory {
 public:
  using State = std::map<int, int>;  // name -> file
  struct Operation {
    int kind, from, to, file;
    bool Touches(int name) const { return from == name || (kind == 2 && to == name); }
    bool Shares(const Operation& other) const {
      return Touches(other.from) || (other.kind == 2 && Touches(other.to));
    }
  };
  bool Exists(int name) const { return now_.count(name) > 0; }
  int File(int name) const { return now_.count(name) > 0 ? now_.at(name) : -1; }
  void Do(const Operation& operation) {
    Perform(operation, &now_);
    pending_.push_back(operation);
  }
  void Sync() {
    durable_ = now_;
    pending_.clear();
  }
  std::set<State> AfterCrash() const {
    std::set<State> states;
    for (uint32_t subset = 0; subset < 1u << pending_.size(); ++subset) {
      bool closed = true;
      for (size_t i = 0; i < pending_.size(); ++i) {
        for (size_t j = 0; j < i; ++j) {
          const bool has_later = subset >> i & 1, has_earlier = subset >> j & 1;
          if (has_later && !has_earlier && pending_[i].Shares(pending_[j])) closed = false;
        }
      }
      if (!closed) continue;
      State state = durable_;
      for (size_t i = 0; i < pending_.size(); ++i) {
        if (subset >> i & 1) Perform(pending_[i], &state);
      }
      states.insert(state);
    }
    return states;
  }
  size_t pending() const { return pending_.size(); }

 private:
  static void Perform(const Operation& operation, State* state) {
    if (operation.kind == 0) (*state)[operation.from] = operation.file;
    if (operation.kind == 1) state->erase(operation.from);
    if (operation.kind == 2) {
      state->erase(operation.from);
      (*state)[operation.to] = operation.file;
    }
  }
  State now_, durable_;
  std::vector<Operation> pending_;
};

RC_GTEST_PROP(DiskModelProperty, NamesReachExactlyTheLegalStates, ()) {
  const auto steps = *rc::gen::container<std::vector<NameStep>>(
      rc::gen::map(rc::gen::tuple(rc::gen::weightedElement<int>({{4, 0}, {2, 1}, {4, 2}, {1, 3}}),
                                  rc::gen::inRange(0, 4), rc::gen::inRange(0, 4)),
                   [](const std::tuple<int, int, int>& t) {
                     return NameStep{std::get<0>(t), std::get<1>(t), std::get<2>(t)};
                   }));
  const auto name = [](int n) { return std::string(1, static_cast<char>('a' + n)); };
  NaiveDirectory naive;
  std::vector<NameStep> done;
  int files = 0;
  for (const NameStep& step : steps) {
    if (naive.pending() == 7 && step.kind != 3) continue;  // the naive model takes every subset
    if (step.kind == 3)
      naive.Sync();
    else if (step.kind == 0 && !naive.Exists(step.from))
      naive.Do({0, step.from, 0, ++files});
    else if (step.kind == 1 && naive.Exists(step.from))
      naive.Do({1, step.from, 0, 0});
    else if (step.kind == 2 && naive.Exists(step.from) && step.from != step.to) {
      naive.Do({2, step.from, step.to, naive.File(step.from)});
    } else
      continue;
    done.push_back(step);
  }
  const std::set<NaiveDirectory::State> legal = naive.AfterCrash();
  std::set<NaiveDirectory::State> found;
  std::mt19937_64 random(*rc::gen::arbitrary<uint64_t>());
  for (int run = 0; run < 400 && found.size() < legal.size(); ++run) {
    DiskModel model;
    model.Reset({kSector, false},
                {[](void* random, ChoiceKind, uint32_t count) {
                   return static_cast<uint32_t>((*static_cast<std::mt19937_64*>(random))() % count);
                 },
                 &random});
    std::map<DiskModel::Inode, int> numbers;
    for (const NameStep& step : done) {
      DiskModel::Inode inode;
      Status status = Status::kOk;
      if (step.kind == 0) {
        status = model.Open(name(step.from), OpenMode::kCreate, &inode);
        numbers.emplace(inode, static_cast<int>(numbers.size()) + 1);
      }
      if (step.kind == 1) status = model.Remove(name(step.from));
      if (step.kind == 2) status = model.Rename(name(step.from), name(step.to));
      if (step.kind == 3) status = model.SyncDirectory("", model.sequence());
      RC_ASSERT(status == Status::kOk);
    }
    model.Crash(nullptr, 0);
    std::vector<int> order = {0, 1, 2, 3};
    std::shuffle(order.begin(), order.end(), random);
    NaiveDirectory::State state;
    for (const int n : order) {
      DiskModel::Inode inode;
      if (model.Open(name(n), OpenMode::kRead, &inode) == Status::kOk) state[n] = numbers.at(inode);
    }
    RC_ASSERT(legal.count(state) == 1);
    found.insert(state);
  }
  RC_ASSERT(found.size() > legal.size() / 2);  // most of them come up in a few hundred runs
}

}  // namespace
}  // namespace faults
