#include "faster/log/hybrid_log.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "faster/core/checksum.h"
#include "faster/core/words.h"

namespace faster {
namespace {

// Raises `mark` to `to`; returns the value before, or `to` if it was there already.
LogAddress RaiseTo(std::atomic<LogAddress>& mark, LogAddress to) {
  LogAddress seen = mark.load(std::memory_order_acquire);
  while (seen < to && !mark.compare_exchange_weak(seen, to, std::memory_order_acq_rel)) {
  }
  return std::min(seen, to);
}

}  // namespace

HybridLog::HybridLog(const StoreConfig& config, Storage* storage, LightEpoch* epoch)
    : page_bits_(config.page_bits),
      page_bytes_(config.page_bytes()),
      block_mask_(config.block_bytes - 1),
      buffer_mask_(config.page_bytes() * config.buffer_pages - 1),
      buffer_pages_(config.buffer_pages),
      mutable_pages_(config.mutable_pages),
      huge_pages_(config.huge_pages),
      prefault_(config.prefault),
      epoch_(epoch),
      file_(storage, config.directory, config.page_bytes() * config.segment_pages, config.open_segments) {}

HybridLog::~HybridLog() {
  while (writes_in_flight_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

Status HybridLog::AllocateBuffer(Diagnosis* why) {
  if (!memory_.Allocate(buffer_bytes(), huge_pages_)) {
    if (why) *why = {"", 0, std::to_string(buffer_bytes()) + " bytes of memory for the log buffer", "none"};
    return Status::kOutOfMemory;
  }
  if (prefault_) memory_.Populate();
  buffer_ = static_cast<uint8_t*>(memory_.data());
  return Status::kOk;
}

void HybridLog::StartEmpty(uint64_t generation) {
  generations_ = {{0, generation, 0}};
  tail_.store(8, std::memory_order_release);  // page 0, behind the first block's checksum
}

void HybridLog::StartRecovered(const LogMetadata& log, LogAddress head, LogAddress flushed,
                               uint64_t generation) {
  ShiftBegin(log.begin_address);
  // Chains lead below begin, and what lies there in the page of begin is gone like all that is not in memory.
  head = std::max(head, log.begin_address);
  dead_ranges_ = log.dead_ranges;
  dead_ranges_.push_back({log.start_address, log.final_address,
                          static_cast<uint32_t>(log.version + 1) & ((1u << log.version_bits) - 1)});
  generations_ = log.generations;
  generations_.back().until = log.final_address;
  // From there on, blocks that a snapshot recovery holds only in memory included, this incarnation writes.
  generations_.push_back({log.flushed_until, generation, 0});
  // The tail stays in a page that is just full: its successor may not find a free frame yet.
  const uint64_t offset = log.final_address & (page_bytes_ - 1);
  const bool full = offset == 0 && log.final_address != 0;
  const uint64_t page = (log.final_address >> page_bits_) - full;
  tail_.store(page << kOffsetBits | (full ? page_bytes_ : offset + 8), std::memory_order_release);
  read_only_.store(flushed, std::memory_order_release);
  safe_read_only_.store(flushed, std::memory_order_release);
  head_.store(head, std::memory_order_release);
  closed_until_.store(head, std::memory_order_release);
  wanted_head_.store(head & ~(page_bytes_ - 1), std::memory_order_release);
  flushes_.Reset(flushed);
  synced_until_ = std::max(log.flushed_until, log.begin_address & ~block_mask_);
  recovered_ = true;
}

void HybridLog::AnnounceBegin(LogAddress to) { RaiseTo(update_begin_, to); }

void HybridLog::ShiftBegin(LogAddress to) {
  AnnounceBegin(to);
  RaiseTo(begin_, to);
}

LogAddress HybridLog::tail() const {
  const uint64_t seen = tail_.load(std::memory_order_acquire);
  return (seen >> kOffsetBits << page_bits_) + std::min(Offset(seen), page_bytes_);
}

bool HybridLog::OpenNextPage(uint64_t seen_tail) {
  std::unique_lock lock(page_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return false;
  const uint64_t page = seen_tail >> kOffsetBits;
  uint64_t now = tail_.load(std::memory_order_acquire);
  if (now >> kOffsetBits != page) return true;  // another thread opened it
  const LogAddress next = (page + 1) << page_bits_;
  // The frame's last tenant must be out of every thread's sight.
  if (next >= buffer_bytes() &&
      closed_until_.load(std::memory_order_acquire) < next + page_bytes_ - buffer_bytes()) {
    RaiseTo(wanted_head_, next + page_bytes_ - buffer_bytes());
    return false;
  }
  // Frames of a fresh store come zeroed from the kernel; a reused one is cleared for its new tenant.
  if (recovered_ || next >= buffer_bytes()) std::memset(At(next), 0, page_bytes_);
  while (!tail_.compare_exchange_weak(now, (page + 1) << kOffsetBits | 8, std::memory_order_acq_rel)) {
  }
  lock.unlock();
  if (next >= mutable_pages_ * page_bytes_) ShiftReadOnly(next + page_bytes_ - mutable_pages_ * page_bytes_);
  // One page ahead, so that the next opening finds its frame free.
  if (next + 2 * page_bytes_ > buffer_bytes()) RaiseTo(wanted_head_, next + 2 * page_bytes_ - buffer_bytes());
  MoveHead();
  return true;
}

LogAddress HybridLog::CloseBlock() {
  uint64_t seen = tail_.load(std::memory_order_acquire);
  for (;;) {
    const LogAddress page_start = seen >> kOffsetBits << page_bits_;
    const uint64_t offset = std::min(Offset(seen), page_bytes_);
    if ((offset & block_mask_) == 8) return page_start + offset - 8;  // nothing in this block yet
    const uint64_t boundary = (offset + block_mask_) & ~block_mask_;
    const uint64_t wanted = boundary == page_bytes_ ? boundary : boundary + 8;
    if (Offset(seen) >= page_bytes_) return page_start + page_bytes_;
    if (tail_.compare_exchange_weak(seen, (seen >> kOffsetBits << kOffsetBits) | wanted,
                                    std::memory_order_acq_rel)) {
      return page_start + boundary;
    }
  }
}

void HybridLog::ShiftReadOnly(LogAddress to) {
  if (RaiseTo(read_only_, to) == to) return;
  epoch_->BumpWith(
      {[](void* log, uint64_t address) { static_cast<HybridLog*>(log)->OnSafeReadOnly(address); }, this, to});
}

void HybridLog::OnSafeReadOnly(LogAddress to) {
  const LogAddress from = RaiseTo(safe_read_only_, to);
  if (from < to) WriteRange(from, to);
}

void HybridLog::WriteRange(LogAddress from, LogAddress to) {
  while (from < to) {
    const LogAddress page_end = (from & ~(page_bytes_ - 1)) + page_bytes_;
    const LogAddress part_end = std::min(to, page_end);
    flushes_.Begin(from, part_end);
    SealBlocks(At(from), from, part_end - from);
    SubmitWrite(from, part_end);
    from = part_end;
  }
}

void HybridLog::SubmitWrite(LogAddress from, LogAddress to) {
  writes_in_flight_.fetch_add(1, std::memory_order_acq_rel);
  file_.WriteAsync(from, At(from), to - from, &HybridLog::OnWritten, new FlushIo{this, from, to - from});
}

void HybridLog::OnWritten(void* context, Status status, uint64_t bytes) {
  const std::unique_ptr<FlushIo> io(static_cast<FlushIo*>(context));
  if (status == Status::kOk && bytes != io->length) status = Status::kShortIo;
  HybridLog* log = io->log;
  log->flushes_.End(io->from, status);
  log->writes_in_flight_.fetch_sub(1, std::memory_order_acq_rel);
}

void HybridLog::RetryFailedWrites() {
  // Only what had failed when we came: a write that fails again at once must not keep us here.
  FlushTracker::Range range;
  for (uint32_t left = flushes_.failed(); left > 0 && flushes_.TakeFailed(&range); --left) {
    SubmitWrite(range.from, range.to);
  }
}

void HybridLog::MoveHead() {
  const LogAddress wanted =
      std::min(wanted_head_.load(std::memory_order_acquire), flushed_until() & ~(page_bytes_ - 1));
  if (RaiseTo(head_, wanted) == wanted) return;
  epoch_->BumpWith(
      {[](void* log, uint64_t address) { static_cast<HybridLog*>(log)->OnClosed(address); }, this, wanted});
}

void HybridLog::OnClosed(LogAddress to) { RaiseTo(closed_until_, to); }

void HybridLog::Poll() {
  epoch_->Drain();
  // A page that must leave memory has to be written first, whatever the mutable fraction says.
  const LogAddress wanted = wanted_head_.load(std::memory_order_acquire);
  if (read_only() < wanted) ShiftReadOnly(wanted);
  if (flushes_.failed() != 0 && flushed_until() < wanted) RetryFailedWrites();
  MoveHead();
}

void HybridLog::SealBlocks(uint8_t* blocks, LogAddress from, uint64_t length) const {
  for (uint64_t at = 0; at < length; at += block_bytes()) {
    const uint64_t sum = BlockChecksum(blocks + at, block_bytes(), from + at, GenerationOf(from + at));
    StoreWord(reinterpret_cast<uint64_t*>(blocks + at), sum);
  }
}

bool HybridLog::BlockIsGood(const uint8_t* block, LogAddress address) const {
  return LoadWord(reinterpret_cast<const uint64_t*>(block)) ==
         BlockChecksum(block, block_bytes(), address, GenerationOf(address));
}

uint64_t HybridLog::GenerationOf(LogAddress address) const {
  for (size_t i = generations_.size(); i-- > 0;) {
    if (generations_[i].from <= address) return generations_[i].generation;
  }
  return 0;
}

void HybridLog::ReadBlockAsync(LogAddress address, uint8_t* block, IoCallback done, void* context) {
  file_.ReadAsync(address & ~block_mask_, block, block_bytes(), done, context);
}

bool HybridLog::IsDead(LogAddress address, uint32_t version) const {
  return std::any_of(dead_ranges_.begin(), dead_ranges_.end(), [&](const DeadRange& range) {
    return address >= range.from && address < range.to && version == range.version;
  });
}

Status HybridLog::CopyOut(LogAddress from, uint64_t length, uint8_t* to, LightEpoch::Entry* entry) {
  epoch_->Protect(entry);
  const bool in_memory = from + 8 >= head();  // head is a block start, or 8 in block 0
  if (in_memory) {
    CopyFromShared(reinterpret_cast<uint64_t*>(to), reinterpret_cast<const uint64_t*>(At(from)), length / 8);
  }
  epoch_->Unprotect(entry);
  if (in_memory) return Status::kOk;
  const Status status = file_.Read(from, to, length);
  if (status != Status::kOk) return status;
  for (uint64_t at = 0; at < length; at += block_bytes()) {
    if (!BlockIsGood(to + at, from + at)) return Status::kCorruption;
  }
  return Status::kOk;
}

Status HybridLog::SyncUntil(LogAddress until, LightEpoch::Entry* entry) {
  if (synced_until_ < rewrite_until_) {
    std::vector<uint8_t> page(page_bytes_);
    for (LogAddress from = synced_until_; from < until;) {
      const LogAddress to = std::min(until, (from & ~(page_bytes_ - 1)) + page_bytes_);
      Status status = CopyOut(from, to - from, page.data(), entry);
      if (status != Status::kOk) return status;
      SealBlocks(page.data(), from, to - from);
      status = file_.Write(from, page.data(), to - from);
      if (status != Status::kOk) return status;
      from = to;
    }
  }
  const Status status = file_.Sync();
  if (status == Status::kOk) {
    synced_until_ = std::max(synced_until_, until);
  } else {
    rewrite_until_ = safe_read_only();  // nothing above has been written yet
  }
  return status;
}

}  // namespace faster
