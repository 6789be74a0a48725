// RecoveryProgress: how far a recovery is, and PageRecoveries: what it has done with each page of the log.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

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

// Of the pages that a recovery looks at. It never goes back, and a page that needs nothing stays kNotStarted.
// THREAD-SAFETY: Began, Took and Of on any threads once it is there; a picture of one moment. COST: 8 bytes a
// page, an atomic operation for each part of a page that is read.
class PageRecoveries {
 public:
  PageRecoveries() = default;
  // Pages of [from, to).
  PageRecoveries(LogAddress from, LogAddress to, uint32_t page_bits)
      : page_bits_(page_bits), from_(from), to_(to), first_(from >> page_bits) {
    if (from < to) pages_ = std::vector<Page>(((to - 1) >> page_bits) + 1 - first_);
  }
  uint64_t first() const { return first_; }  // number of the first page
  uint64_t size() const { return pages_.size(); }
  // Of the page with that number; one that is not among them is kNotStarted.
  PageRecovery Of(uint64_t page) const {
    if (page < first_ || page - first_ >= pages_.size()) return PageRecovery::kNotStarted;
    return static_cast<PageRecovery>(pages_[page - first_].state.load(std::memory_order_acquire));
  }
  uint64_t Count(PageRecovery state) const {
    uint64_t count = 0;
    for (const Page& page : pages_) count += page.state.load(std::memory_order_acquire) == Word(state);
    return count;
  }

  // [from, to), within one page, is asked for; is there.
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
  void Writes(LogAddress from) { Raise(from, PageRecovery::kWriting); }
  void Wrote(LogAddress from) { Raise(from, PageRecovery::kWritten); }

 private:
  struct Page {
    std::atomic<uint32_t> state{0};
    std::atomic<uint32_t> taken{0};  // bytes of it that are there
  };
  static constexpr uint32_t Word(PageRecovery state) { return static_cast<uint32_t>(state); }
  Page* At(LogAddress address) {
    const uint64_t page = address >> page_bits_;
    return page < first_ || page - first_ >= pages_.size() ? nullptr : &pages_[page - first_];
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
  uint64_t first_ = 0;
  std::vector<Page> pages_;
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
