#include "workloads/txn/store.h"

#include <algorithm>

#include "faster/device/path.h"

namespace workloads::txn {

using faster::StatusName;

Client::Client(TxnStore* store, ClientCore* core)
    : store_(store),
      core_(core),
      epoch_(&store->epoch_),
      global_(&store->global_),
      tail_(&store->tail_),
      log_(store->log_.get()),
      observer_(store->observer_),
      scheme_(store->config_.scheme),
      refresh_interval_(std::max(store->config_.refresh_interval, 1u)),
      transaction_(&store->tables_) {}

Client::~Client() { store_->Close(core_); }

TxnStore::TxnStore(const TxnConfig& config, Storage* storage, TxnObserver* observer)
    : config_(config),
      storage_(storage),
      observer_(observer != nullptr ? observer : &no_observer_),
      epoch_(config.most_clients),
      global_(TxnState{}.control()) {
  tail_.word.store(uint64_t{1} << CommitLogTail::kPositionBits, std::memory_order_relaxed);
  for (uint32_t id = 0; id < config_.tables.size(); ++id) {
    tables_.push_back(std::make_unique<Table>());
    const Status status = tables_[id]->Allocate(config_.tables[id], id, config_.scheme != CommitScheme::kWal);
    if (allocated_ == Status::kOk) allocated_ = status;
    if (status == Status::kOk && config_.prefault) tables_[id]->Populate();
  }
  if (config_.scheme != CommitScheme::kWal) return;
  log_ = std::make_unique<WriteAheadLog>(storage_, config_.log_ring_bytes / 8,
                                         [this](std::vector<ClientPoint>* serials) {
                                           std::lock_guard lock(mutex_);
                                           *serials = Points(true);
                                         });
  if (allocated_ == Status::kOk) allocated_ = log_->allocated();
}

TxnStore::~TxnStore() {
  log_.reset();
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return !capture_runs_; });
}

Status TxnStore::Load(uint32_t table, uint64_t key, const uint64_t* value) {
  if (allocated_ != Status::kOk) return allocated_;
  if (started_ || table >= tables_.size() || key > Table::kMaxKey) return Status::kInvalidArgument;
  const Record record = tables_[table]->Find(key);
  if (record.IsNull()) return Status::kNoSpace;
  record.WriteLive(value);
  return Status::kOk;
}

Status TxnStore::TakeDirectory(CommitNumbers* numbers, Diagnosis* why) {
  if (allocated_ != Status::kOk) {
    *why = {"", 0, "tables that can work, and memory for them", std::string(StatusName(allocated_))};
    return allocated_;
  }
  Status status = storage_->CreateDirectory(config_.directory);
  if (status == Status::kOk) status = storage_->Lock(config_.directory, &directory_lock_);
  // What is found may have been renamed by a process that died before it synced the directory.
  if (status == Status::kOk) status = storage_->SyncDirectory(config_.directory);
  if (status != Status::kOk) {
    *why = {config_.directory, 0, "a directory of the store's own", std::string(StatusName(status))};
    return status;
  }
  status = ListCommits(*storage_, config_.directory, numbers, why);
  highest_ = numbers->highest;
  return status;
}

// Makes the state and the clients' serials durable, with no client open.
Status TxnStore::Base(Diagnosis* why) {
  const TxnState now = state();
  CommitMarker marker;
  {
    std::lock_guard lock(mutex_);
    marker.points = Points(true);
  }
  marker.number = ++highest_;
  marker.version = now.version - 1;
  marker.scheme = config_.scheme;
  marker.tables = config_.tables;
  Status status = WriteCommit(*storage_, config_.directory, tables_, now.version, &marker, why);
  if (status != Status::kOk) return status;
  cleanup_ = Retire(*storage_, config_.directory, marker.number);
  return log_ == nullptr ? status : log_->Open(config_.directory, marker.number, marker.points, why);
}

Status TxnStore::Start(Diagnosis* why) {
  CommitNumbers numbers;
  Status status = TakeDirectory(&numbers, why);
  if (status != Status::kOk) return status;
  if (numbers.newest != 0) {
    *why = {MarkerPath(config_.directory, numbers.newest), 0, "no commit in the directory of a new store",
            "one"};
    return Status::kExists;
  }
  status = storage_->SyncDirectory(faster::ParentPath(config_.directory));
  if (status != Status::kOk) {
    *why = {config_.directory, 0, "a directory whose name can be synced", std::string(StatusName(status))};
    return status;
  }
  status = Base(why);
  started_ = status == Status::kOk;
  return status;
}

Status TxnStore::CheckShape(const CommitMarker& marker, Diagnosis* why) const {
  const auto same = [](const TableConfig& a, const TableConfig& b) { return a.value_words == b.value_words; };
  if (marker.scheme == config_.scheme && std::equal(marker.tables.begin(), marker.tables.end(),
                                                    config_.tables.begin(), config_.tables.end(), same))
    return Status::kOk;
  *why = {
      MarkerPath(config_.directory, marker.number), 0, "the scheme and the tables of this store",
      std::string(SchemeName(marker.scheme)) + " and " + std::to_string(marker.tables.size()) + " tables"};
  return Status::kInvalidArgument;
}

void TxnStore::Resume(const CommitMarker& marker) {
  const TxnState resumed{TxnPhase::kRest, marker.version + 1};
  global_.store(resumed.control(), std::memory_order_release);
  tail_.word.store(resumed.version << CommitLogTail::kPositionBits, std::memory_order_relaxed);
  for (const ClientPoint& point : marker.points) {
    auto core = std::make_unique<ClientCore>(point.client);
    core->serial.store(point.serial, std::memory_order_relaxed);
    core->commit_point.store(point.serial, std::memory_order_relaxed);
    core->shifted_version = resumed.version;
    clients_.emplace(point.client, std::move(core));
  }
}

Status TxnStore::Recover(RecoveredTxns* state, Diagnosis* why) {
  CommitNumbers numbers;
  Status status = TakeDirectory(&numbers, why);
  if (status != Status::kOk) return status;
  if (numbers.newest == 0) {
    *why = {config_.directory, 0, "a commit", "none"};
    return Status::kNotFound;
  }
  CommitMarker marker;
  status = ReadMarker(*storage_, config_.directory, numbers.newest, &marker, why);
  if (status != Status::kOk) return status;
  status = CheckShape(marker, why);
  if (status != Status::kOk) return status;
  status = ReadData(*storage_, config_.directory, marker, tables_, why);
  if (status == Status::kOk && log_ != nullptr)
    status = WriteAheadLog::Replay(*storage_, config_.directory, &marker, tables_, &state->log, why);
  if (status != Status::kOk) return status;
  Resume(marker);
  // The log is never written again: what a crash left in it can then not be taken for something newer.
  if (log_ != nullptr) status = Base(why);
  if (status != Status::kOk) return status;
  state->number = log_ != nullptr ? highest_ : marker.number;
  state->version = marker.version;
  state->records = marker.records;
  state->points = std::move(marker.points);
  started_ = true;
  return Status::kOk;
}

Status TxnStore::StartClient(uint64_t id, std::unique_ptr<Client>* client) {
  std::lock_guard lock(mutex_);
  if (!started_) return Status::kInvalidArgument;
  std::unique_ptr<ClientCore>& core = clients_[id];
  if (core != nullptr && core->entry != nullptr) return Status::kBusy;
  faster::LightEpoch::Entry* const entry = epoch_.Acquire();
  if (entry == nullptr) {
    if (core == nullptr) clients_.erase(id);
    return Status::kNoSpace;
  }
  if (core == nullptr) core = std::make_unique<ClientCore>(id);
  core->entry = entry;
  const uint64_t global = global_.load(std::memory_order_acquire);
  if (core->control != global) core->CatchUp(global, observer_);
  client->reset(new Client(this, core.get()));
  return Status::kOk;
}

void TxnStore::Close(ClientCore* core) {
  std::lock_guard lock(mutex_);
  epoch_.Release(core->entry);
  core->entry = nullptr;
}

bool TxnStore::Peek(uint32_t table, uint64_t key, uint64_t* value) const {
  const Record record = tables_[table]->Lookup(key);
  if (record.IsNull()) return false;
  record.ReadLive(value);
  return true;
}

Status TxnStore::last_cleanup() {
  std::lock_guard lock(mutex_);
  return cleanup_;
}

}  // namespace workloads::txn
