#include "experiments/figures/buffer/measure.h"

#include <bit>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "experiments/common/dice.h"
#include "experiments/common/progress.h"
#include "experiments/common/storage_choice.h"
#include "experiments/figures/buffer/client.h"

namespace experiments::figures {

using faster::Status;
using workloads::ycsb::OperationStream;
using workloads::ycsb::WorkloadSpec;

namespace {

void Sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

// Every checkpoint has to succeed.
class Observer final : public faster::CheckpointObserver {
 public:
  void OnDurable(const faster::Token&, faster::CheckpointKind, Status status, uint64_t,
                 const std::vector<faster::SessionCommit>&) override {
    if (status == Status::kOk)
      durable_.fetch_add(1);
    else
      failed_.store(status);
  }
  uint64_t durable() const { return durable_.load(); }
  Status failed() const { return failed_.load(); }  // kOk: none

 private:
  std::atomic<uint64_t> durable_{0};
  std::atomic<Status> failed_{Status::kOk};
};

struct Total {
  double seconds = 0, blocked_seconds = 0;
  uint64_t operations = 0, requested = 0;
};

// A store, its clients and their keys.
class Clients {
 public:
  Clients(const BufferSettings& settings, const WorkloadSpec& spec) : settings_(settings), spec_(spec) {}
  bool Open(faster::Storage* storage, std::string* problem);
  bool LoadAndCheckpoint(std::string* problem);
  bool Start(uint64_t seed, std::string* problem);
  bool Run(double seconds, Total* total, std::string* problem);
  uint64_t tail() const { return store_->log().tail(); }
  ~Clients() { clients_.clear(); }

 private:
  bool Sound(std::string* problem) const {
    if (observer_.failed() != Status::kOk)
      *problem = "a checkpoint failed: " + std::string(StatusName(observer_.failed()));
    return problem->empty();
  }

  const BufferSettings& settings_;
  const WorkloadSpec spec_;
  Observer observer_;
  std::unique_ptr<BufferedStore> store_;
  std::vector<std::vector<uint64_t>> keys_;
  std::vector<std::unique_ptr<BufferedClient>> clients_;
  std::vector<OperationStream> streams_;
};

bool Clients::Open(faster::Storage* storage, std::string* problem) {
  faster::Diagnosis why;
  const Status status = BufferedStore::Create(spec_.Store(), storage, {}, &observer_, &store_, &why);
  if (status == Status::kOk) return true;
  *problem = "cannot make the store: " + std::string(StatusName(status)) + ": " + why.Text();
  return false;
}

// As the paper: one full checkpoint first, so that the others need the log alone.
bool Clients::LoadAndCheckpoint(std::string* problem) {
  const auto session = store_->StartSession();
  Status status = session == nullptr ? Status::kOutOfMemory : Status::kOk;
  for (uint64_t record = 0; record < spec_.record_count && status == Status::kOk; ++record) {
    const auto value = workloads::ycsb::Value<8>::Of(workloads::ycsb::LoadedWord(record));
    status = session->Upsert(workloads::ycsb::KeyOfRecord(record, true), value);
  }
  faster::Token token;
  if (status == Status::kOk)
    status = store_->Checkpoint(faster::CheckpointKind::kFull, faster::LogBackend::kFoldOver, &token);
  if (status != Status::kOk) {
    *problem = "cannot load the store and save it: " + std::string(StatusName(status));
    return false;
  }
  session->Close();
  while (!store_->Poll()) Sleep(0.0002);
  return Sound(problem);
}

bool Clients::Start(uint64_t seed, std::string* problem) {
  const uint64_t most = std::bit_ceil(std::min<uint64_t>(spec_.record_count * 2, 1 << 22));
  keys_.resize(spec_.threads);
  for (uint32_t i = 0; i < spec_.threads; ++i) {
    keys_[i] = workloads::PregenerateKeys(spec_.keys, MixSeed(seed, i), most, true);
    auto session = store_->StartSession();
    if (session == nullptr) {
      *problem = "clients: the store has no room for session " + std::to_string(i + 1);
      return false;
    }
    streams_.emplace_back(spec_.mix, MixSeed(seed, i), &keys_[i]);
    clients_.push_back(std::make_unique<BufferedClient>(store_.get(), std::move(session), settings_.entries,
                                                        settings_.commit_at));
  }
  return true;
}

bool Clients::Run(double seconds, Total* total, std::string* problem) {
  Commits commits;
  commits.backend =
      settings_.backend == "snapshot" ? faster::LogBackend::kSnapshot : faster::LogBackend::kFoldOver;
  std::vector<ClientResult> results(clients_.size());
  std::vector<std::thread> threads;
  const double start = MonotonicSeconds();
  for (size_t i = 0; i < clients_.size(); ++i)
    threads.emplace_back([&, i] { results[i] = clients_[i]->Run(streams_[i], &commits); });
  while (MonotonicSeconds() - start < seconds) {
    (void)store_->Poll();
    Sleep(0.0005);
  }
  commits.stop.store(true);
  for (std::thread& thread : threads) thread.join();
  total->seconds = MonotonicSeconds() - start;
  total->requested = commits.requested.load();
  for (const ClientResult& result : results) {
    total->operations += result.operations;
    total->blocked_seconds += result.blocked_seconds;
    if (problem->empty()) *problem = result.problem;
  }
  return Sound(problem);
}

Outcome MeasureClients(const BufferSettings& settings, const Cell& cell, const WorkloadSpec& spec,
                       faster::Storage* storage, Output* output, std::string* problem) {
  Clients clients(settings, spec);
  if (!clients.Open(storage, problem)) return Outcome::kRefused;
  if (!clients.LoadAndCheckpoint(problem)) return Outcome::kViolated;
  if (!clients.Start(cell.seed, problem)) return Outcome::kRefused;
  Total before, total;
  if (!clients.Run(settings.before, &before, problem)) return Outcome::kViolated;
  const uint64_t tail = clients.tail();
  if (!clients.Run(settings.measured, &total, problem)) return Outcome::kViolated;
  if (total.requested == 0) {
    *problem = "measured: expected time for a commit at least, found " + std::to_string(settings.measured);
    return Outcome::kRefused;
  }
  const double sessions = static_cast<double>(spec.threads);
  output->Metric("ops_per_second", static_cast<double>(total.operations) / total.seconds);
  output->Metric("commit_interval", total.seconds / static_cast<double>(total.requested));
  output->Metric("blocked_percent", 100 * total.blocked_seconds / total.seconds / sessions);
  output->Metric("log_bytes_per_second", static_cast<double>(clients.tail() - tail) / total.seconds);
  return Outcome::kMeasured;
}

}  // namespace

void BufferSettings::AddTo(Program* program) {
  program->AddNumber("clients", "threads with a session and a buffer each", &work.threads, 1, 64);
  program->AddNumber("records", "keys", &work.records, 1000, uint64_t{1} << 32);
  program->AddReal("read_percent", "of the operations; the rest are blind updates", &work.read_percent, 0,
                   100);
  program->AddChoice("distribution", "of the keys", &work.distribution,
                     {"uniform", "zipfian", "zipf_hashed"});
  program->AddReal("theta", "skew of a Zipf distribution", &work.theta, 0.01, 0.999);
  program->AddReal("index_share", "index buckets per key, rounded up to a power of two", &work.index_share,
                   1e-3, 8);
  program->AddNumber("refresh", "operations between looks at the global phase", &work.refresh, 1, 1 << 20);
  program->AddNumber("entries", "operations that a client's buffer holds, 16 bytes each", &entries, 64,
                     uint64_t{1} << 32);
  program->AddReal("commit_at", "used share of a buffer at which a commit is asked for", &commit_at, 0.01, 1);
  program->AddReal("before", "seconds that are not counted", &before, 0, 3600);
  program->AddReal("measured", "seconds", &measured, 0.01, 3600);
  program->AddNumber("memory", "bytes of log buffer, a power of two", &memory, 1 << 16, uint64_t{1} << 40);
  program->AddNumber("page_bits", "pages of 2 to the power of this bytes", &page_bits, 12, 30);
  program->AddChoice("backend", "of the commits, which are of the log alone", &backend,
                     {"foldover", "snapshot"});
  program->AddChoice("storage", "where it goes", &storage, {"posix", "uring"});
  program->AddFlag("direct", "uring: past the page cache", &direct);
  program->AddNumber("write_limit", "MB written per second, 0: no limit", &write_limit, 0, 1'000'000);
}

Outcome MeasureBuffer(const BufferSettings& settings, const Cell& cell, Output* output,
                      std::string* problem) {
  WorkloadSpec spec;
  std::string folder;
  if (!settings.work.Spec(cell, &spec, problem) || !output->WorkFolder(&folder, problem))
    return Outcome::kRefused;
  if (!std::has_single_bit(settings.memory) || settings.memory >> settings.page_bits < 4) {
    *problem =
        "memory: expected a power of two of at least 4 pages, found " + std::to_string(settings.memory);
    return Outcome::kRefused;
  }
  Work::SetLog(settings.memory, static_cast<uint32_t>(settings.page_bits), 0.9, &spec);
  StorageChoice choice;
  choice.name = settings.storage;
  choice.direct = settings.direct;
  choice.write_limit = settings.write_limit;
  *problem = CheckStorage(choice, folder);
  if (!problem->empty()) return Outcome::kRefused;
  output->Threads(settings.work.threads);
  const std::unique_ptr<faster::Storage> storage = MakeStorage(choice, folder);
  return MeasureClients(settings, cell, spec, storage.get(), output, problem);
}

}  // namespace experiments::figures
