// Migration: moves records into the cold log, from the oldest part of the hot log or of the cold log itself
// (F2 paper: hot-cold and cold-cold compaction, both by lookup).
//
// A region [begin, until) of what is on disk is scanned. For each record:
//   hot-cold   is it the newest of its key in the hot log (the hot index says so)? Then it is appended to the
//              cold log and put before the chain of its key by a compare-and-swap of the index entry. A
//              tombstone goes too: the cold store may hold an older record. It is dropped only if no chain is
//              there.
//   cold-cold  does the chain that the index names now lead to it, without meeting another record of its key?
//              Then a copy is appended and linked the same way. A tombstone is dropped: all that is older
//              lies in the region, too.
// A record that a hot-cold migration has appended, but not linked yet, would look dead to a compaction of the
// cold log, which then would move begin above it. So the lowest such address is announced before a record is
// appended (Parts::linking), and a compaction's region ends below it; what is appended later lies above the
// region anyway.
// A lost compare-and-swap means that a record of the same chain came first: look again. When every move has
// ended the source begins at `until`. So a record is always in one of the two, and a reader that looks into
// the hot store first finds it (session_cold.h).
//
// VERSIONS. A checkpoint that commits v takes its state of the cold store when all of v has its place in the
// hot log. It may hold more than what lies below the hot begin of v, since that is hidden by the hot store as
// recovered, but nothing of a later version. So a hot-cold migration that begins while v + 1 exists and v is
// not committed stays below Lhs, under which there are records of v and before only; one that began earlier
// knows its region's end from a time when nothing of v + 1 was on disk. The hot begin moves by
// Checkpointer::ShiftBegin, only while all sessions are at one version: what was passed over because of a
// newer record of v + 1 is not below the begin that the checkpoint of v names.
//
// Step() does a bounded amount of work and never waits for another thread but for a page of the cold log.
// Both kinds may run at once, beside operations and checkpoints. THREAD-SAFETY: one thread at a time; one of
// each kind per store. MEMORY: 64 KiB and the moves under way. ERRORS: an I/O error or kCorruption ends it
// with that status and begin where it was; what was moved is only a duplicate.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "faster/cpr/recovery.h"
#include "faster/store/session.h"

namespace faster {

enum class MigrationKind : uint8_t { kHotCold, kColdCold };

struct MigrationProgress {
  LogAddress begin = 0;  // of the region
  LogAddress at = 0;     // how far it has been scanned
  LogAddress until = 0;
  uint64_t moved = 0;
  uint64_t superseded = 0;  // records that are not the newest of their key, or that nothing leads to
  uint64_t tombstones = 0;  // dropped
};

template <class K, class V, class F>
class Migration {
 public:
  using SessionType = Session<K, V, F>;
  using L = FixedLayout<K, V>;
  using Rec = typename L::Rec;
  struct Parts {
    HybridLog* hot;
    Checkpointer* checkpointer;
    LightEpoch* epoch;
    LightEpoch::Entry* entry;          // released at the end
    std::atomic<bool>* running;        // of the store, set by whoever makes this; cleared at the end
    std::atomic<LogAddress>* linking;  // of the store: nothing below that is to be linked in the cold log
    const F* functions;
    std::unique_ptr<SessionType> session;  // hot-cold: of the hot store, the engine's own
    HybridLog* cold;
    std::unique_ptr<ColdIndexSession> index;
  };

  // `until` is cut down to a block boundary of what may be moved.
  Migration(Parts parts, MigrationKind kind, LogAddress until)
      : parts_(std::move(parts)),
        hot_(kind == MigrationKind::kHotCold),
        source_(hot_ ? *parts_.hot : *parts_.cold),
        bytes_(new uint64_t[std::max<uint64_t>(kMostBytes, source_.block_bytes()) / 8]),
        block_(new uint64_t[parts_.cold->block_bytes() / 8]) {
    until = std::min(until, source_.head());  // before the state is looked at
    const Phase phase = parts_.checkpointer->State().phase;
    if (hot_ && IsShifted(phase)) until = std::min(until, parts_.checkpointer->shift_start());
    if (!hot_) until = std::min(until, parts_.linking->load(std::memory_order_acquire));  // after the head
    progress_.begin = progress_.at = source_.begin();
    progress_.until = std::max(until & ~LogAddress{source_.block_bytes() - 1}, progress_.begin);
  }
  ~Migration() {
    if (parts_.session != nullptr) parts_.session->Close();
    parts_.session.reset();
    parts_.index.reset();  // ends what is being linked
    if (hot_) parts_.linking->store(~LogAddress{0}, std::memory_order_release);
    parts_.epoch->Release(parts_.entry);
    parts_.running->store(false, std::memory_order_release);
  }
  Migration(const Migration&) = delete;
  Migration& operator=(const Migration&) = delete;

  const MigrationProgress& progress() const { return progress_; }

  // kPending: there is more to do. kOk: the source begins at `until`.
  Status Step() {
    parts_.cold->Poll();
    Collect();
    Announce(~LogAddress{0});
    for (size_t left = waiting_.size(); left > 0 && status_ == Status::kOk; --left) {
      Move* const move = waiting_.back();
      waiting_.pop_back();
      Link(move);
      if (!waiting_.empty() && waiting_.back() == move) break;  // there is still no page
    }
    if (next_ == found_.size() && progress_.at < progress_.until) Scan();
    while (next_ < found_.size() && in_flight_ < kMostInFlight && status_ == Status::kOk)
      Begin(&found_[next_++]);
    if (status_ != Status::kOk) return status_;
    const bool scanned = progress_.at >= progress_.until && next_ == found_.size();
    return scanned && in_flight_ == 0 ? Shift() : Status::kPending;
  }

  // Steps until the end, or until *stop (may be null): then kAborted.
  Status Run(const std::atomic<bool>* stop) {
    for (;;) {
      const MigrationProgress before = progress_;
      const Status status = Step();
      if (status != Status::kPending) return status;
      if (stop != nullptr && stop->load(std::memory_order_acquire)) return Status::kAborted;
      if (before.at == progress_.at && before.moved == progress_.moved) std::this_thread::yield();
    }
  }

 private:
  static constexpr uint64_t kMostBytes = 1 << 16;  // scanned at once
  static constexpr uint32_t kMostInFlight = 64;    // moves that wait for the disk or a page

  enum class Stage : uint8_t { kFree, kLocate, kIndex, kReplace };
  struct Move {
    Words<K> key;
    Words<V> value;
    KeyHash hash{};
    LogAddress from = 0;
    LogAddress begin = 0;  // of the cold log before its index was read
    LogAddress entry = 0;  // what the index said
    LogAddress copy = 0;
    bool tombstone = false;
    Stage stage = Stage::kFree;
  };

  // The next records of the region: no page is crossed.
  void Scan() {
    found_.clear();  // no move is under way that it holds: see Begin
    next_ = 0;
    const LogAddress at = progress_.at;
    const uint64_t block_bytes = source_.block_bytes();
    const LogAddress page_end = (at & ~(source_.page_bytes() - 1)) + source_.page_bytes();
    const LogAddress end =
        std::min({page_end, progress_.until, at + std::max<uint64_t>(kMostBytes, block_bytes)});
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(bytes_.get());
    const Status status = source_.CopyOut(at, end - at, bytes, parts_.entry);
    if (status != Status::kOk) {
      status_ = status;
      return;
    }
    for (LogAddress block = at; block < end && status_ == Status::kOk; block += block_bytes) {
      status_ = ForEachRecord(block, bytes + (block - at), block_bytes, L::kSizes,
                              [&](LogAddress address, uint8_t* memory, RecordHeader header) {
                                if (header.invalid() || source_.IsDead(address, header.version())) return;
                                Found found;
                                found.key = Rec::At(memory)->key();
                                found.value = Rec::At(memory)->Load();
                                found.from = address;
                                found.tombstone = header.tombstone();
                                found_.push_back(found);
                              });
    }
    progress_.at = end;
  }

  struct Found {
    Words<K> key;
    Words<V> value;
    LogAddress from = 0;
    bool tombstone = false;
  };

  void Begin(const Found* found) {
    Move* move;
    if (!free_.empty()) {
      move = free_.back();
      free_.pop_back();
    } else {
      moves_.push_back(std::make_unique<Move>());
      move = moves_.back().get();
    }
    move->key = found->key;
    move->value = found->value;
    move->from = found->from;
    move->tombstone = found->tombstone;
    move->hash = KeyHash{parts_.functions->Hash(found->key.Value())};
    ++in_flight_;
    if (!hot_) return AskIndex(move);
    move->stage = Stage::kLocate;
    LogAddress newest = 0;
    const Status status = parts_.session->LocateBelow(move->key.Value(), kAddressMask + 1, &newest, move);
    if (status != Status::kPending) OnLocated(move, status, newest);
  }

  void End(Move* move, uint64_t* count) {
    ++*count;
    move->stage = Stage::kFree;
    free_.push_back(move);
    --in_flight_;
  }
  void Fail(Status status) {
    if (status_ == Status::kOk) status_ = status;
  }

  void OnLocated(Move* move, Status status, LogAddress newest) {
    if (status != Status::kOk && status != Status::kNotFound) return Fail(status);
    if (newest != move->from) return End(move, &progress_.superseded);
    AskIndex(move);
  }

  void AskIndex(Move* move) {
    move->stage = Stage::kIndex;
    move->begin = parts_.cold->begin();  // before the entry
    LogAddress entry = 0;
    const Status status = parts_.index->First(move->hash, move, &entry);
    if (status == Status::kPending) return;
    if (status != Status::kOk) return Fail(status);
    OnEntry(move, entry);
  }

  void OnEntry(Move* move, LogAddress entry) {
    move->entry = entry;
    if (hot_) {
      if (move->tombstone && entry < std::max<LogAddress>(move->begin, 8))
        return End(move, &progress_.tombstones);
      return Link(move);
    }
    bool live = false;
    const Status status = IsNewest(*move, &live);
    if (status != Status::kOk) return Fail(status);
    if (!live) return End(move, &progress_.superseded);
    if (move->tombstone) return End(move, &progress_.tombstones);
    Link(move);
  }

  // Whether the chain leads to the record and to no other of its key before. Blocking; mostly it begins
  // there.
  Status IsNewest(const Move& move, bool* newest) {
    HybridLog& log = *parts_.cold;
    uint8_t* const bytes = reinterpret_cast<uint8_t*>(block_.get());
    LogAddress at = move.entry;
    while (at > move.from) {
      const LogAddress start = at & ~LogAddress{log.block_bytes() - 1};
      const Status status = log.CopyOut(start, log.block_bytes(), bytes, parts_.entry);
      if (status != Status::kOk) return status;
      const Rec* record = Rec::At(bytes + (at - start));
      const RecordHeader header = record->header();
      if (!header.present() || header.previous() >= at) return Status::kCorruption;
      if (record->KeyIs(move.key)) break;
      at = header.previous();
    }
    *newest = at == move.from;
    return Status::kOk;
  }

  // Appends the record before the chain that the entry names.
  void Link(Move* move) {
    HybridLog& log = *parts_.cold;
    Announce(log.tail());
    parts_.epoch->Protect(parts_.entry);
    move->copy = log.Allocate(Rec::kBytes);
    if (move->copy != 0) {
      Rec::At(log.At(move->copy))
          ->Fill(RecordHeader::Make(move->entry, 0, move->tombstone), move->key, move->value);
    }
    parts_.epoch->Unprotect(parts_.entry);
    if (move->copy == 0) return AwaitPage(move);
    failures_before_ = ~uint64_t{0};
    move->stage = Stage::kReplace;
    bool won = false;
    const Status status = parts_.index->Replace(move->hash, move->entry, move->copy, move, &won);
    if (status == Status::kPending) return;
    if (status != Status::kOk) return Fail(status);
    OnReplaced(move, won);
  }

  void AwaitPage(Move* move) {
    const HybridLog& log = *parts_.cold;
    failures_before_ = std::min(failures_before_, log.write_failures());
    if (log.write_failures() - failures_before_ > kMaxFailedWrites) return Fail(log.last_write_failure());
    waiting_.push_back(move);
  }

  void OnReplaced(Move* move, bool won) {
    if (won)
      End(move, &progress_.moved);
    else
      AskIndex(move);  // another record came first; the copy is reached by nobody
  }

  // A hot-cold migration says below which address it has nothing left to link; `next`: where it is about to
  // append.
  void Announce(LogAddress next) {
    if (!hot_) return;
    for (const auto& move : moves_)
      if (move->stage == Stage::kReplace) next = std::min(next, move->copy);
    parts_.linking->store(next, std::memory_order_release);
  }

  void Collect() {
    if (parts_.session != nullptr) {
      parts_.session->CompletePending(false, [this](const typename SessionType::Op& op) {
        if (status_ == Status::kOk) OnLocated(static_cast<Move*>(op.user), op.result, op.disk_found_at);
      });
    }
    parts_.index->Collect(
        [](void* self, void* waiter, Status status, const LogAddress* chunk) {
          static_cast<Migration*>(self)->OnChunk(static_cast<Move*>(waiter), status, chunk);
        },
        this);
  }

  void OnChunk(Move* move, Status status, const LogAddress* chunk) {
    if (status != Status::kOk) return Fail(status);
    const LogAddress entry = parts_.index->Entry(chunk, move->hash);
    if (move->stage == Stage::kReplace)
      OnReplaced(move, entry == move->copy);
    else
      OnEntry(move, entry);
  }

  Status Shift() {
    if (progress_.until <= progress_.begin) return Status::kOk;
    if (!hot_) {
      source_.ShiftBegin(progress_.until);
      return Status::kOk;
    }
    return parts_.checkpointer->ShiftBegin(progress_.until) == Status::kOk ? Status::kOk : Status::kPending;
  }

  Parts parts_;
  const bool hot_;
  HybridLog& source_;
  const std::unique_ptr<uint64_t[]> bytes_;  // of the scan
  const std::unique_ptr<uint64_t[]> block_;  // of a walk
  std::vector<Found> found_;
  size_t next_ = 0;
  std::vector<std::unique_ptr<Move>> moves_;
  std::vector<Move*> free_;
  std::vector<Move*> waiting_;  // for a page of the cold log
  MigrationProgress progress_;
  uint32_t in_flight_ = 0;
  uint64_t failures_before_ = ~uint64_t{0};
  Status status_ = Status::kOk;
};

}  // namespace faster
