// RecoveryProgress: how far a recovery is, and PageRecoveries: what it has done with each page of the log.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string_view>

#include "faster/core/checkpoint_types.h"

namespace faster {

enum class PageRecovery : uint8_t {
  kNotStarted,
  kReading,  // some of it is asked for, or in memory and verified; or a block of it was damaged
  kRead,
  kWriting,  // to the main log: this memory has no room for it
  kWritten,
};
constexpr int kPageRecoveries = 5;

constexpr std::string_view PageRecoveryName(PageRecovery page) {
  constexpr std::string_view kNames[kPageRecoveries] = {"not started", "reading", "read", "writing",
                                                        "written"};
  return kNames[static_cast<uint8_t>(page)];
}

// Of the pages of a range of the log. A page never goes back, and one that needs nothing stays kNotStarted.
// THREAD-SAFETY: Reach, Writes and Wrote by one thread while no other is in here; the others on any. MEMORY:
// a node of a map for each page that was reached: how long the log is, is only said by a file until then.
class PageRecoveries {
 public:
  PageRecoveries() = default;
  // Pages of [from, to).
  PageRecoveries(LogAddress from, LogAddress to, uint32_t page_bits)
      : page_bits_(page_bits), from_(from), to_(to) {}
  uint64_t first() const { return from_ >> page_bits_; }  // number of the first page
  uint64_t size() const { return from_ < to_ ? ((to_ - 1) >> page_bits_) + 1 - first() : 0; }
  // Of the page with that number; one that is not among them is kNotStarted.
  PageRecovery Of(uint64_t page) const {
    const auto found = pages_.find(page);
    if (found == pages_.end()) return PageRecovery::kNotStarted;
    return static_cast<PageRecovery>(found->second.state.load(std::memory_order_acquire));
  }
  uint64_t Count(PageRecovery state) const {
    uint64_t count = state == PageRecovery::kNotStarted ? size() - pages_.size() : 0;
    for (const auto& [number, page] : pages_)
      count += page.state.load(std::memory_order_acquire) == Word(state);
    return count;
  }

  // [from, to) will be worked on next.
  void Reach(LogAddress from, LogAddress to) {
    if (from < from_) from = from_;
    if (to > to_) to = to_;
    for (; from < to; from = ((from >> page_bits_) + 1) << page_bits_) pages_.try_emplace(from >> page_bits_);
  }
  // [from, to), within one page that was reached, is asked for; is there.
  void Began(LogAddress from) { Raise(from, PageRecovery::kReading); }
  void Took(LogAddress from, LogAddress to) {
    Page* const page = At(from);
    if (page == nullptr) return;
    const LogAddress start = from & ~((LogAddress{1} << page_bits_) - 1);
    const LogAddress low = start < from_ ? from_ : start;
    const LogAddress end = start + (LogAddress{1} << page_bits_);
    const auto all = static_cast<uint32_t>((end < to_ ? end : to_) - low);
    const auto part = static_cast<uint32_t>(to - from);
    if (page->taken.fetch_add(part, std::memory_order_acq_rel) + part >= all)
      Raise(from, PageRecovery::kRead);
  }
  void Writes(LogAddress from) {
    Reach(from, from + 1);
    Raise(from, PageRecovery::kWriting);
  }
  void Wrote(LogAddress from) { Raise(from, PageRecovery::kWritten); }

 private:
  struct Page {
    std::atomic<uint32_t> state{0};
    std::atomic<uint32_t> taken{0};  // bytes of it that are there
  };
  static constexpr uint32_t Word(PageRecovery state) { return static_cast<uint32_t>(state); }
  Page* At(LogAddress address) {
    const auto found = pages_.find(address >> page_bits_);
    return found == pages_.end() ? nullptr : &found->second;
  }
  void Raise(LogAddress address, PageRecovery state) {
    Page* const page = At(address);
    if (page == nullptr) return;
    uint32_t seen = page->state.load(std::memory_order_relaxed);
    while (seen < Word(state) &&
           !page->state.compare_exchange_weak(seen, Word(state), std::memory_order_acq_rel)) {
    }
  }

  uint32_t page_bits_ = 0;
  LogAddress from_ = 0;
  LogAddress to_ = 0;
  std::map<uint64_t, Page> pages_;  // by number
};

struct RecoveryProgress {
  enum class Step : uint8_t { kMetadata, kLoading, kIndex, kReplay, kDone, kFailed };
  Step step = Step::kMetadata;
  uint64_t bytes = 0;        // read so far: log pages, images of a snapshot, the index
  uint64_t bytes_total = 0;  // that will be read in all; 0 as long as that is not known
  uint64_t records = 0;      // replayed or undone so far
  // Valid during the call that brings it; null before the checkpoint is chosen.
  const PageRecoveries* pages = nullptr;

  bool running() const { return step != Step::kDone && step != Step::kFailed; }
};

constexpr std::string_view RecoveryStepName(RecoveryProgress::Step step) {
  constexpr std::string_view kNames[] = {"reading metadata", "loading pages", "loading the index",
                                         "replaying",        "done",          "failed"};
  return kNames[static_cast<uint8_t>(step)];
}

}  // namespace faster
