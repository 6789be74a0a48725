// TxnSubject: a store with multi-key transactions, as the crash harness sees it; the counterpart of Subject.
//
// A shared library compiled with -fsanitize=thread exports `cpr_txn_subject_create`. Keys are 64-bit, values
// 64-bit words to the harness; a subject with wider values stores a pattern derived from the word and says
// `torn` when a value read does not hold together. A word 0 means that the key is absent.
//
// THREADS. One fiber uses a client at a time. Poll() may be called by any. Describe() and PhaseTable() are
// also called outside every fiber, after a stuck or crashed execution: they take no locks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "faster/core/status.h"
#include "faster/device/storage.h"

namespace experiments {

constexpr int kTxnSchemes = 3;
constexpr const char* kTxnSchemeName[kTxnSchemes] = {"cpr", "calc", "wal"};

struct TxnSubjectConfig {
  uint32_t scheme = 0;  // index of kTxnSchemeName
  uint32_t keys = 8;    // that there must be room for
  uint32_t value_words = 1;
  uint32_t refresh_interval = 1;
  uint32_t log_ring_bytes = 1 << 16;
  std::string directory;
};

struct TxnOperation {  // of one key in a transaction; the reads of all precede the writes
  uint64_t key = 0;
  bool reads = false;
  bool writes = false;
  uint64_t written = 0;
  uint64_t read = 0;  // the answer
};

struct TxnAnswer {
  enum class End : uint8_t { kCommitted, kConflict, kShift, kFailed };
  End end = End::kCommitted;  // the others: no effect, and no serial used
  faster::Status status = faster::Status::kOk;
  uint64_t serial = 0;
  bool torn = false;  // a value read holds words of more than one write
};

struct TxnPoint {
  uint64_t client = 0;
  uint64_t serial = 0;
};

// Called by the store while it runs, from any thread; must not call the store.
class TxnSubjectObserver {
 public:
  virtual ~TxnSubjectObserver() = default;
  virtual void OnPhase(const char* phase, uint64_t version) = 0;
  // The commit `number` ended: durable if kOk. WAL: also group commits that nobody requested, and `points` of
  // the clients that it moved on only.
  virtual void OnCommit(uint64_t number, faster::Status status, const std::vector<TxnPoint>& points) = 0;
};

class TxnSubjectClient {
 public:
  virtual ~TxnSubjectClient() = default;  // closes it
  virtual TxnAnswer Execute(TxnOperation* operations, size_t count) = 0;
  virtual void Refresh() = 0;
  virtual uint64_t serial() const = 0;  // of the last transaction that committed
};

struct TxnRecoveredState {
  uint64_t number = 0;  // of the commit
  std::vector<TxnPoint> points;
};

class TxnSubject {
 public:
  virtual ~TxnSubject() = default;  // no client may be open
  virtual faster::Status Start(faster::Diagnosis* why) = 0;
  virtual faster::Status Recover(TxnRecoveredState* state, faster::Diagnosis* why) = 0;
  virtual std::unique_ptr<TxnSubjectClient> StartClient(uint64_t id) = 0;  // null: it cannot
  virtual faster::Status RequestCommit(uint64_t* number) = 0;
  virtual bool Poll() = 0;  // true when no requested commit runs
  // Every key that is there; no transaction runs. *torn: how many values do not hold together.
  virtual void ReadAll(std::vector<std::pair<uint64_t, uint64_t>>* state, uint64_t* torn) = 0;
  virtual std::string Describe() = 0;
  // Scheme -> the phases that its commits pass, as JSON text. A campaign must crash in each.
  virtual const char* PhaseTable() const = 0;
};

using TxnSubjectCreate = TxnSubject* (*)(const TxnSubjectConfig& config, faster::Storage* storage,
                                         TxnSubjectObserver* observer);

}  // namespace experiments
