// TxnStore: the in-memory transactional store of the CPR paper (SIGMOD'19, sec. 3-4), durable by one of three
// schemes behind one interface.
//
//   CPR   Rest -> Prepare -> In-progress -> Wait-flush -> Rest. The commit point of a client is the serial at
//         which it passes from Prepare to In-progress; the state is captured in the background
//   CALC  the same without Prepare: which version a transaction is of, its place in a commit log says, in
//         which the request sets the point of consistency
//   WAL   redo records at a shared tail, group commit; nothing is captured but when the store is opened
//
// LIFE. Construct, then either Load records and Start, or Recover. Once one of them has returned kOk, a
// recovery of the directory succeeds, and returns what Start saved or the newest commit since. Start and
// Recover hold the directory's lock until the store is destroyed. After an error discard the object.
//
// COMMITS. RequestCommit begins one; Poll moves it on and must be called until it returns true, by any
// thread, now and then; with WAL it also starts a group commit whenever something waits for one. How each
// ended, TxnObserver::OnCommit says. A failed one changes nothing: the commits before it count, and the next
// one holds all that it would have held. Destroying the store commits nothing.
//
// Thread-safe but for Load (before Start; distinct keys may be loaded by several threads), Start, Recover,
// the destructor, and each Client (one thread at a time). Clients must be gone before the store is.
// `storage` and `observer` outlive it. No state outside the object.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "workloads/txn/client.h"

namespace workloads::txn {

struct TxnConfig {
  CommitScheme scheme = CommitScheme::kCpr;
  std::vector<TableConfig> tables;
  std::string directory;              // within the storage, made if missing; "" = its root
  uint32_t refresh_interval = 1;      // transactions between looks at the phase
  uint32_t most_clients = 4096;       // open at a time
  uint64_t log_ring_bytes = 4 << 20;  // WAL: what fits between two group commits
  // The tables' pages are there before the first transaction; else they come when they are first touched,
  // which takes longer than the transaction that does it.
  bool prefault = false;
};

// A commit that ended.
struct Commit {
  uint64_t number = 0;
  Status status = Status::kOk;
  Diagnosis why;          // unless kOk
  uint64_t version = 0;   // the last version it holds; 0 with WAL
  uint64_t bytes = 0;     // written
  uint64_t position = 0;  // CALC: transactions of that version before the point, in the order of the log
  std::vector<ClientPoint> points;  // kOk: of every client that there was when it began
};

struct RecoveredTxns {
  uint64_t number = 0;  // of the commit
  uint64_t version = 0;
  uint64_t records = 0;             // in the commit's data
  LogEnd log;                       // WAL
  std::vector<ClientPoint> points;  // of every client that it knows
};

class TxnStore {
 public:
  TxnStore(const TxnConfig& config, Storage* storage, TxnObserver* observer);
  ~TxnStore();
  TxnStore(const TxnStore&) = delete;
  TxnStore& operator=(const TxnStore&) = delete;

  // kNoSpace: the table is full. kInvalidArgument: no such table or key, or not before Start.
  Status Load(uint32_t table, uint64_t key, const uint64_t* value);
  // Makes what was loaded durable. kExists if the directory holds a commit: that is for Recover.
  Status Start(Diagnosis* why);
  // The newest commit. kNotFound if there is none. WAL: writes a new one, with a log of its own.
  Status Recover(RecoveredTxns* state, Diagnosis* why);

  // Opens a client: a new one, or one that was closed or recovered, which goes on after its last serial.
  // kBusy: it is open. kNoSpace: too many are.
  Status StartClient(uint64_t id, std::unique_ptr<Client>* client);

  // kBusy while the last one runs. *number is what OnCommit will name (or a later one of WAL's).
  Status RequestCommit(uint64_t* number);
  bool Poll();  // true when no requested commit runs

  TxnState state() const { return TxnState::FromControl(global_.load(std::memory_order_acquire)); }
  const TxnConfig& config() const { return config_; }
  Status last_cleanup();  // how the last removal of files that nobody needs went
  // One line on who is where; for a commit that does not end.
  std::string Describe();

  // The live value, without a lock: for checks while no transaction runs. False: no such record.
  bool Peek(uint32_t table, uint64_t key, uint64_t* value) const;
  // visit(key, const uint64_t* value) for every record that is not all zeros; likewise.
  template <class Visit>
  void ForEach(uint32_t table, Visit&& visit) const {
    std::vector<uint64_t> value(tables_[table]->value_words());
    for (uint64_t slot = 0; slot < tables_[table]->slots(); ++slot) {
      const Record record = tables_[table]->AtSlot(slot);
      if (!record.used()) continue;
      record.ReadLive(value.data());
      for (const uint64_t word : value) {
        if (word == 0) continue;
        visit(record.key(), static_cast<const uint64_t*>(value.data()));
        break;
      }
    }
  }

 private:
  friend class Client;

  Status AllocateTables(Diagnosis* why);
  Status TakeDirectory(CommitNumbers* numbers, Diagnosis* why);
  Status Base(Diagnosis* why);
  Status CheckShape(const CommitMarker& marker, Diagnosis* why) const;
  void Resume(const CommitMarker& marker);
  void Close(ClientCore* core);
  void SetState(TxnState state);  // [mutex_]
  bool AllAdopted();              // [mutex_]
  bool Advance();                 // [mutex_]; true: the capture is to be scheduled
  void BeginCapture();            // [mutex_]
  void EndCommit();               // [mutex_]
  bool PollLog();
  std::vector<ClientPoint> Points(bool all);  // [mutex_]
  static void CaptureJob(void* store);

  const TxnConfig config_;
  Storage* const storage_;
  TxnObserver no_observer_;
  TxnObserver* const observer_;
  Status allocated_ = Status::kOk;
  std::unique_ptr<faster::DirectoryLock> directory_lock_;
  Tables tables_;
  faster::LightEpoch epoch_;
  std::atomic<uint64_t> global_;  // TxnState
  CommitLogTail tail_;

  std::mutex mutex_;  // guards what follows; never held over I/O
  std::condition_variable ended_;
  bool started_ = false;
  std::map<uint64_t, std::unique_ptr<ClientCore>> clients_;  // every one ever
  uint64_t highest_ = 0;                                     // number used for a commit
  CommitMarker capturing_;                                   // the job's while capture_runs_
  Diagnosis capture_why_;
  Status capture_status_ = Status::kOk;
  bool capture_runs_ = false;
  uint64_t position_ = 0;         // CALC: of the commit that runs
  uint64_t requested_flush_ = 0;  // WAL: a commit was requested, and this flush or a later one is it
  Status cleanup_ = Status::kOk;
  std::unique_ptr<WriteAheadLog> log_;  // its flush uses what is above
};

}  // namespace workloads::txn
