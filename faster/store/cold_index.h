// ColdIndex: where the chains of the cold log begin, in chunks that lie on disk like records (F2 paper, the
// cold-log index; its hash chunks).
//
// A chunk is the value of a record in a FasterKv of its own, keyed by the number of the chunk: kEntries
// words, each the newest address of a chain or 0. The memory that a cold key costs is its share of that
// store's in-memory index, one entry for kEntries chains, and of a log buffer of a few pages. An entry
// changes by an RMW that writes it only if it holds what the writer saw: a compare-and-swap, whose outcome is
// in the value that the RMW returns. Chunks that are in memory and mutable change in place, others are copied
// to the tail; the store compacts its log by itself.
//
// Its checkpoints (CPR's, of the store as it is) are subordinate: they count where a pair names them.
// THREAD-SAFETY: as FasterKv; a session of it as Session.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "faster/store/cold_tier.h"
#include "faster/store/faster_kv.h"

namespace faster {

template <size_t kEntries>
struct Chunk {
  LogAddress entry[kEntries];
};

template <size_t kEntries>
struct ChunkFunctions {
  struct Input {
    uint32_t slot = 0;
    LogAddress expected = 0;
    LogAddress desired = 0;
  };
  uint64_t Hash(uint64_t chunk) const {
    uint64_t h = (chunk + 1) * 0x9e3779b97f4a7c15ull;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
    return h ^ h >> 32;
  }
  Chunk<kEntries> Initial(const Input& input) const { return Update({}, input); }
  Chunk<kEntries> Update(const Chunk<kEntries>& old, const Input& input) const {
    Chunk<kEntries> chunk = old;
    if (chunk.entry[input.slot] == input.expected) chunk.entry[input.slot] = input.desired;
    return chunk;
  }
};

template <size_t kEntries>
class ColdIndex {
  static_assert((kEntries & (kEntries - 1)) == 0 && kEntries <= 1 << 14);

 public:
  using ChunkType = Chunk<kEntries>;
  using Kv = FasterKv<uint64_t, ChunkType, ChunkFunctions<kEntries>>;

  // `chunks`: a power of two; not changed later.
  explicit ColdIndex(uint64_t chunks) : chunks_(chunks) {}

  Status Create(const StoreConfig& config, Storage* storage, Diagnosis* why) {
    return Kv::Create(config, storage, {}, &observer_, &kv_, why);
  }
  Status Recover(const StoreConfig& config, Storage* storage, const Token& token, RecoveryResult* result,
                 Diagnosis* why) {
    return Kv::Recover(config, storage, {}, &observer_, token, {}, &kv_, result, why);
  }

  // A checkpoint from request to durable: whatever was replaced before the call is in it. Blocking, one at a
  // time.
  Status Checkpoint(CheckpointKind kind, Token* token) {
    observer_.status.store(Status::kPending, std::memory_order_relaxed);
    for (;;) {
      const Status started = kv_->Checkpoint(kind, LogBackend::kFoldOver, token);
      if (started == Status::kOk) break;
      if (started != Status::kBusy) return started;
      static_cast<void>(kv_->Poll());
      std::this_thread::yield();
    }
    while (!kv_->Poll()) std::this_thread::yield();
    return observer_.status.load(std::memory_order_relaxed);
  }

  std::unique_ptr<ColdIndexSession> NewSession() {
    auto session = kv_->StartInternalSession();
    if (session == nullptr) return nullptr;
    return std::make_unique<SessionOf>(std::move(session), chunks_);
  }

  Kv& kv() { return *kv_; }
  uint64_t chunks() const { return chunks_; }

 private:
  class SessionOf final : public ColdIndexSession {
   public:
    using SessionType = typename Kv::SessionType;
    SessionOf(std::unique_ptr<SessionType> session, uint64_t chunks)
        : ColdIndexSession(kEntries), session_(std::move(session)), mask_(chunks - 1) {}

    Status First(KeyHash hash, void* waiter, LogAddress* first) override {
      ChunkType chunk;
      const Status status = session_->Read(hash.bucket(mask_), &chunk, waiter);
      pending_ += status == Status::kPending;
      *first = status == Status::kOk ? Entry(chunk.entry, hash) : 0;
      return status == Status::kNotFound ? Status::kOk : status;
    }
    Status Replace(KeyHash hash, LogAddress expected, LogAddress desired, void* waiter, bool* won) override {
      ChunkType chunk;
      const Status status =
          session_->Rmw(hash.bucket(mask_), {SlotOf(hash), expected, desired}, &chunk, waiter);
      pending_ += status == Status::kPending;
      *won = status == Status::kOk && Entry(chunk.entry, hash) == desired;
      return status;
    }
    void Collect(Answer answer, void* client) override {
      if (pending_ == 0) return;
      session_->CompletePending(false, [&](const typename SessionType::Op& op) {
        --pending_;
        if (op.result != Status::kOk) {
          const bool missing = op.result == Status::kNotFound;
          return answer(client, op.user, missing ? Status::kOk : op.result, nullptr);
        }
        const ChunkType chunk = op.value.Value();
        answer(client, op.user, Status::kOk, chunk.entry);
      });
    }

   private:
    const std::unique_ptr<SessionType> session_;
    const uint64_t mask_;
    uint32_t pending_ = 0;
  };

  struct Observer final : CheckpointObserver {
    void OnDurable(const Token&, CheckpointKind, Status ended, uint64_t,
                   const std::vector<SessionCommit>&) override {
      status.store(ended, std::memory_order_relaxed);
    }
    std::atomic<Status> status{Status::kOk};
  };

  const uint64_t chunks_;
  Observer observer_;
  std::unique_ptr<Kv> kv_;
};

}  // namespace faster
