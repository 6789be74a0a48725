// The transactional store of workloads/txn as a subject. Compiled with it, instrumented.
#include <memory>

#include "experiments/txn_crash/txn_subject.h"
#include "faults/oracle/words.h"
#include "workloads/txn/store.h"

namespace {

using experiments::TxnAnswer;
using experiments::TxnOperation;
using experiments::TxnPoint;
using experiments::TxnSubjectConfig;
using faster::Diagnosis;
using faster::Status;
using workloads::txn::Transaction;
using workloads::txn::TxnOutcome;

// The words of a value: the first is the word itself, the others follow from it.
void Spread(uint64_t word, uint32_t words, uint64_t* value) {
  value[0] = word;
  for (uint32_t i = 1; i < words; ++i) value[i] = faults::RmwWord(value[i - 1], i);
}
bool HoldsTogether(const uint64_t* value, uint32_t words) {
  for (uint32_t i = 1; i < words; ++i)
    if (value[i] != (value[0] == 0 ? 0 : faults::RmwWord(value[i - 1], i))) return false;
  return true;
}

workloads::txn::TxnConfig StoreConfig(const TxnSubjectConfig& config) {
  workloads::txn::TxnConfig store;
  store.scheme = static_cast<workloads::txn::CommitScheme>(config.scheme);
  // With room to spare: of two keys that meet at the last place of a table both may be refused.
  store.tables = {{config.value_words, config.keys + 16}};
  store.directory = config.directory;
  store.refresh_interval = config.refresh_interval;
  store.most_clients = 16;
  store.log_ring_bytes = config.log_ring_bytes;
  return store;
}

class Client final : public experiments::TxnSubjectClient {
 public:
  Client(std::unique_ptr<workloads::txn::Client> client, uint32_t words)
      : client_(std::move(client)), words_(words) {}

  TxnAnswer Execute(TxnOperation* operations, size_t count) override {
    bool torn = false;
    const workloads::txn::TxnResult result = client_->Execute([&](Transaction& transaction) {
      torn = false;
      for (size_t i = 0; i < count; ++i) {
        TxnOperation& operation = operations[i];
        if (!operation.reads) continue;
        const uint64_t* value = transaction.Read(0, operation.key);
        if (value == nullptr) return false;
        operation.read = value[0];
        torn |= !HoldsTogether(value, words_);
      }
      for (size_t i = 0; i < count; ++i) {
        if (!operations[i].writes) continue;
        uint64_t* value = transaction.Write(0, operations[i].key);
        if (value == nullptr) return false;
        Spread(operations[i].written, words_, value);
      }
      return true;
    });
    TxnAnswer answer;
    answer.status = result.status;
    answer.serial = result.serial;
    answer.torn = torn;
    switch (result.outcome) {
      case TxnOutcome::kCommitted:
        answer.end = TxnAnswer::End::kCommitted;
        break;
      case TxnOutcome::kConflict:
        answer.end = TxnAnswer::End::kConflict;
        break;
      case TxnOutcome::kShift:
        answer.end = TxnAnswer::End::kShift;
        break;
      default:
        answer.end = TxnAnswer::End::kFailed;
        break;
    }
    return answer;
  }
  void Refresh() override { client_->Refresh(); }
  uint64_t serial() const override { return client_->serial(); }

 private:
  const std::unique_ptr<workloads::txn::Client> client_;
  const uint32_t words_;
};

std::vector<TxnPoint> Points(const std::vector<workloads::txn::ClientPoint>& points) {
  std::vector<TxnPoint> list;
  for (const auto& point : points) list.push_back({point.client, point.serial});
  return list;
}

class Store final : public experiments::TxnSubject, private workloads::txn::TxnObserver {
 public:
  Store(const TxnSubjectConfig& config, faster::Storage* storage, experiments::TxnSubjectObserver* observer)
      : words_(config.value_words), observer_(observer), store_(StoreConfig(config), storage, this) {}

  Status Start(Diagnosis* why) override { return store_.Start(why); }
  Status Recover(experiments::TxnRecoveredState* state, Diagnosis* why) override {
    workloads::txn::RecoveredTxns recovered;
    const Status status = store_.Recover(&recovered, why);
    state->number = recovered.number;
    state->points = Points(recovered.points);
    return status;
  }
  std::unique_ptr<experiments::TxnSubjectClient> StartClient(uint64_t id) override {
    std::unique_ptr<workloads::txn::Client> client;
    if (store_.StartClient(id, &client) != Status::kOk) return nullptr;
    return std::make_unique<Client>(std::move(client), words_);
  }
  Status RequestCommit(uint64_t* number) override { return store_.RequestCommit(number); }
  bool Poll() override { return store_.Poll(); }
  void ReadAll(std::vector<std::pair<uint64_t, uint64_t>>* state, uint64_t* torn) override {
    store_.ForEach(0, [&](uint64_t key, const uint64_t* value) {
      *torn += HoldsTogether(value, words_) ? 0 : 1;
      state->emplace_back(key, value[0]);
    });
  }
  std::string Describe() override {
    const workloads::txn::TxnState now = store_.state();
    return std::string(workloads::txn::TxnPhaseName(now.phase)) + " of version " +
           std::to_string(now.version);
  }
  const char* PhaseTable() const override {
    return R"({"cpr": ["Prepare", "InProgress", "WaitFlush"],
               "calc": ["InProgress", "WaitFlush"],
               "wal": ["WaitFlush"]})";
  }

 private:
  void OnPhase(workloads::txn::TxnPhase phase, uint64_t version) override {
    observer_->OnPhase(workloads::txn::TxnPhaseName(phase).data(), version);
  }
  void OnCommit(const workloads::txn::Commit& commit) override {
    observer_->OnCommit(commit.number, commit.status, Points(commit.points));
  }

  const uint32_t words_;
  experiments::TxnSubjectObserver* const observer_;
  workloads::txn::TxnStore store_;
};

}  // namespace

extern "C" __attribute__((visibility("default"))) experiments::TxnSubject* cpr_txn_subject_create(
    const TxnSubjectConfig& config, faster::Storage* storage, experiments::TxnSubjectObserver* observer) {
  return new Store(config, storage, observer);
}
