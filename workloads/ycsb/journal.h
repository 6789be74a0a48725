// RunJournal: what a run tells about itself while it runs, in memory that survives it.
//
// A flat structure of atomics for memory shared with a parent process: after a SIGKILL at any instruction the
// parent reads which operations may have been issued, which checkpoints were requested and reported durable,
// and in which phase the store was. Writers only store, so it costs an operation one store to a line of its
// own.
#pragma once

#include <atomic>
#include <cstdint>

#include "faster/cpr/checkpointer.h"

namespace workloads::ycsb {

constexpr uint32_t kJournalSessions = 16;
constexpr uint32_t kJournalCheckpoints = 1024;
constexpr uint32_t kJournalPended = 1 << 16;

struct alignas(64) SessionJournal {
  std::atomic<uint64_t> issued{0};   // serial of the last operation that may have begun
  std::atomic<uint64_t> pending{0};  // operations that wait for I/O or for a version shift
  std::atomic<uint64_t> id_high{0}, id_low{0};
  // Upserts that went pending: a later operation of their session may overtake them.
  std::atomic<uint64_t> pended_count{0};  // may exceed kJournalPended: then not all are listed
  std::atomic<uint64_t> pended[kJournalPended] = {};

  void SetId(const faster::Guid& id) {
    id_high.store(id.high);
    id_low.store(id.low);
  }
  faster::Guid id() const { return {id_high.load(), id_low.load()}; }
  void AddPended(uint64_t serial) {
    const uint64_t at = pended_count.load(std::memory_order_relaxed);
    if (at < kJournalPended) pended[at].store(serial, std::memory_order_relaxed);
    pended_count.store(at + 1, std::memory_order_release);
  }
};

struct CheckpointJournal {
  enum State : uint32_t { kNone, kRequested, kDurable, kFailed };
  std::atomic<uint32_t> state{kNone};
  std::atomic<uint32_t> kind{0}, backend{0};
  std::atomic<uint64_t> token_high{0}, token_low{0};
  std::atomic<uint64_t> issued_before[kJournalSessions] = {};  // when it was requested
  std::atomic<uint64_t> reported[kJournalSessions] = {};       // commit points of the durable callback
  std::atomic<uint64_t> pending_before{0};  // operations, of all sessions, when it was requested
  faster::Token token() const { return {token_high.load(), token_low.load()}; }
};

struct RunJournal {
  std::atomic<uint32_t> phase{0};  // faster::Phase
  std::atomic<uint32_t> kind{0};   // of the running checkpoint, or of the last one
  std::atomic<uint32_t> backend{0};
  std::atomic<uint32_t> ended{0};    // checkpoints that ended
  std::atomic<uint32_t> held{0};     // the run stands in the phase it was asked to wait in
  std::atomic<uint32_t> running{0};  // loaded, base checkpoint taken, operations go on
  std::atomic<uint32_t> failed{0};   // the run gave up by itself; `error` says why
  std::atomic<uint32_t> sessions{0};
  std::atomic<uint32_t> under_way{0};  // of the operations that a session issued, so many may not have begun
  std::atomic<uint32_t> checkpoints{0};  // entries in use
  char error[256] = {};
  SessionJournal session[kJournalSessions];
  CheckpointJournal checkpoint[kJournalCheckpoints];
};

}  // namespace workloads::ycsb
