#include "experiments/figures/txn/measure.h"

#include <cmath>
#include <cstdio>

#include "experiments/common/storage_choice.h"
#include "experiments/figures/txn/summary.h"

namespace experiments::figures::txn {

using faster::Status;
using faster::StatusName;
using workloads::txn::Client;
using workloads::txn::CommitRun;
using workloads::txn::CommitScheme;
using workloads::txn::Driver;
using workloads::txn::DriverOptions;
using workloads::txn::RunObserver;
using workloads::txn::RunResult;
using workloads::txn::TxnConfig;
using workloads::txn::TxnPhase;
using workloads::txn::TxnStore;
using workloads::txn::Workload;

namespace {

constexpr const char* kDirectory = "txn";

std::string Real(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

DriverOptions OptionsOf(const RunSettings& s) {
  DriverOptions options;
  options.threads = static_cast<uint32_t>(s.threads);
  options.seconds = s.seconds;
  options.sample_seconds = s.sample_seconds;
  options.commits_at = s.commits_at;
  options.timed = s.timed;
  options.latency_every = static_cast<uint32_t>(s.latency_every);
  return options;
}

TxnConfig ConfigOf(const RunSettings& s, const Workload& workload) {
  TxnConfig config;
  config.scheme = SchemeOf(s.scheme);
  config.tables = workload.Tables();
  config.directory = kDirectory;
  config.refresh_interval = static_cast<uint32_t>(s.refresh_interval);
  config.log_ring_bytes = s.log_ring_bytes;
  config.prefault = true;
  return config;
}

// "" or what a run found violated.
std::string Wrong(const RunResult& result) {
  if (result.failed != 0)
    return std::to_string(result.failed) +
           " transactions could not be executed: " + std::string(StatusName(result.failure));
  for (const CommitRun& commit : result.commits) {
    if (commit.status != Status::kOk)
      return "commit " + std::to_string(commit.number) + " of second " + Real(commit.requested) +
             " failed: " + std::string(StatusName(commit.status)) +
             (commit.why.empty() ? "" : ", " + commit.why);
  }
  return "";
}

Outcome RunDriver(const DriverOptions& options, const Workload& workload, TxnStore* store,
                  RunObserver* observer, RunResult* result, std::string* problem) {
  Driver driver(options, &workload, store, observer);
  if (driver.Run(result, problem) != Status::kOk) return Outcome::kRefused;
  *problem = Wrong(*result);
  return problem->empty() ? Outcome::kMeasured : Outcome::kViolated;
}

bool Open(const Workload& workload, TxnStore* store, std::string* problem) {
  faster::Diagnosis why;
  Status status = workload.Load(store);
  if (status == Status::kOk) status = store->Start(&why);
  if (status == Status::kOk) return true;
  *problem = "cannot load the store: " + std::string(StatusName(status)) +
             (why.expected.empty() ? "" : ": " + why.Text());
  return false;
}

// What each thread has committed, warm-up included.
bool Serials(TxnStore* store, const DriverOptions& options, std::vector<uint64_t>* serials,
             std::string* problem) {
  for (uint32_t thread = 0; thread < options.threads; ++thread) {
    std::unique_ptr<Client> client;
    const Status status = store->StartClient(options.first_client + thread, &client);
    if (status != Status::kOk) {
      *problem = "client " + std::to_string(options.first_client + thread) +
                 " cannot be opened again: " + std::string(StatusName(status));
      return false;
    }
    serials->push_back(client->serial());
  }
  return true;
}

void WriteSamples(const RunResult& result, Table* table) {
  table->Columns({"seconds", "throughput", "committed", "aborted", "latency_ns", "phase", "version"});
  const std::vector<double> rates = Rates(result.samples);
  for (size_t i = 0; i < rates.size(); ++i) {
    const auto& sample = result.samples[i];
    table->Row({Real(sample.seconds), Real(rates[i]), std::to_string(sample.committed),
                std::to_string(sample.aborted), sample.latency_ns > 0 ? Real(sample.latency_ns) : "",
                std::string(TxnPhaseName(sample.phase)), std::to_string(sample.version)});
  }
}

void WriteCommits(const RunSettings& s, const RunResult& result, Table* table) {
  constexpr TxnPhase kPhases[] = {TxnPhase::kPrepare, TxnPhase::kInProgress, TxnPhase::kWaitFlush,
                                  TxnPhase::kRest};
  table->Columns({"kind", "backend", "requested", "durable", "status", "bytes", "prepare", "in_progress",
                  "wait_flush", "rest"});
  for (const CommitRun& commit : result.commits) {
    std::vector<std::string> row = {s.scheme,
                                    s.scheme == "wal" ? "log" : "capture",
                                    Real(commit.requested),
                                    commit.status == Status::kPending ? "" : Real(commit.ended),
                                    std::string(StatusName(commit.status)),
                                    std::to_string(commit.bytes)};
    for (const TxnPhase phase : kPhases) {
      std::string began;
      for (const auto& change : result.phases) {
        // The observer notes the end of a commit just after its phase.
        if (change.phase == phase && change.seconds >= commit.requested && change.seconds <= commit.ended)
          began = Real(change.seconds);
      }
      row.push_back(began);
    }
    table->Row(row);
  }
}

void Write(const RunSettings& s, const RunResult& result, const std::vector<uint64_t>& serials,
           Output* output) {
  for (const Metrics& part : {RunMetrics(result, s.threads), BreakdownMetrics(result.times),
                              CommitMetrics(result.samples, result.commits)}) {
    for (const auto& [name, value] : part) output->Metric(name, value);
  }
  uint64_t committed = 0;
  for (const uint64_t serial : serials) committed += serial;
  output->Metric("transactions_checked", static_cast<double>(committed));
  WriteSamples(result, output->samples());
  if (!result.commits.empty()) WriteCommits(s, result, output->checkpoints());
  if (result.commits.size() < s.commits_at.size())
    output->Note("only " + std::to_string(result.commits.size()) + " of " +
                 std::to_string(s.commits_at.size()) +
                 " commits were begun: the others found one running until the end");
  // With WAL the log is flushed all the time.
  output->Threads(s.threads + (s.scheme == "wal" ? 1 : 0));
}

}  // namespace

CommitScheme SchemeOf(const std::string& name) {
  for (const CommitScheme scheme : {CommitScheme::kCpr, CommitScheme::kCalc}) {
    if (name == SchemeName(scheme)) return scheme;
  }
  return CommitScheme::kWal;
}

void DeclareScheme(Program* p, std::string* scheme) {
  p->AddChoice("scheme", "what makes transactions durable", scheme, {"cpr", "calc", "wal"});
}

void DeclareRun(Program* p, RunSettings* s) {
  DeclareScheme(p, &s->scheme);
  p->AddNumber("threads", "with a client each", &s->threads, 1, 1024);
  p->AddReal("warm_up_seconds", "of load before time 0", &s->warm_up_seconds, 0, 1e6);
  p->AddReal("seconds", "of the run", &s->seconds, 0.02, 1e6);
  p->AddReal("sample_seconds", "between samples", &s->sample_seconds, 0.001, 1e6);
  p->AddReals("commits_at", "seconds, ascending, at which commits are requested", &s->commits_at, 0, 1e6);
  p->AddFlag("timed", "the time of a transaction is taken apart", &s->timed);
  p->AddNumber("latency_every", "one of so many transactions is timed; 0: none", &s->latency_every, 0,
               1 << 30);
  p->AddNumber("refresh_interval", "transactions between looks at the phase", &s->refresh_interval, 1,
               1 << 20);
  p->AddNumber("log_ring_bytes", "WAL: what fits between two group commits", &s->log_ring_bytes, 1 << 12,
               uint64_t{1} << 36);
  p->AddNumber("write_mb_per_s", "limit of the device, 10^6 bytes; 0: none", &s->write_mb_per_s, 0,
               1'000'000);
  p->AddFlag("sync", "files are synced", &s->sync);
}

Outcome Measure(const RunSettings& s, const Workload& workload, const Check& check, Output* output,
                std::string* problem) {
  const DriverOptions options = OptionsOf(s);
  *problem = CheckDriverOptions(options);
  if (!problem->empty()) return Outcome::kRefused;
  std::string folder;
  if (!output->WorkFolder(&folder, problem)) return Outcome::kRefused;
  StorageChoice choice;
  choice.write_limit = s.write_mb_per_s;
  choice.no_sync = !s.sync;
  const std::unique_ptr<faster::Storage> storage = MakeStorage(choice, folder);
  RunObserver observer;
  TxnStore store(ConfigOf(s, workload), storage.get(), &observer);
  if (!Open(workload, &store, problem)) return Outcome::kRefused;
  RunResult result;
  if (s.warm_up_seconds > 0) {
    DriverOptions warm_up = options;
    warm_up.seconds = s.warm_up_seconds;
    warm_up.commits_at.clear();
    const Outcome outcome = RunDriver(warm_up, workload, &store, &observer, &result, problem);
    if (outcome != Outcome::kMeasured) return outcome;
    result = RunResult();
  }
  const Outcome outcome = RunDriver(options, workload, &store, &observer, &result, problem);
  if (outcome != Outcome::kMeasured) return outcome;
  if (result.samples.size() > 1) result.samples.pop_back();  // it is of the threads' end, too
  std::vector<uint64_t> serials;
  if (!Serials(&store, options, &serials, problem)) return Outcome::kViolated;
  const std::vector<std::string> wrong = check(store, serials);
  if (!wrong.empty()) {
    *problem = wrong.front();
    if (wrong.size() > 1) *problem += " (and " + std::to_string(wrong.size() - 1) + " more)";
    return Outcome::kViolated;
  }
  Write(s, result, serials, output);
  return Outcome::kMeasured;
}

}  // namespace experiments::figures::txn
