#include "workloads/txn/driver.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace workloads::txn {
namespace {

using Clock = RunObserver::Clock;

constexpr double kLongestCommit = 600;  // seconds, for those that run when the threads have ended

double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
void Sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

// Thread i on the i-th core that this process may use, round robin.
void PinTo(size_t thread) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  int wanted = static_cast<int>(thread % static_cast<size_t>(std::max(CPU_COUNT(&allowed), 1)));
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || wanted-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    return;
  }
}

// The time stamp counter's rate, against a clock that knows seconds.
double NsPerTick() {
  const auto start = Clock::now();
  const uint64_t ticks = ReadTicks();
  Sleep(0.01);
  const double ns = Since(start) * 1e9;
  return ns / static_cast<double>(std::max<uint64_t>(ReadTicks() - ticks, 1));
}

void AddTo(std::atomic<uint64_t>* counter, uint64_t value) {  // of one writer
  counter->store(counter->load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

}  // namespace

struct alignas(64) Driver::Thread {
  uint32_t number = 0;
  uint64_t share = 0;  // transactions to commit, 0: no end
  std::unique_ptr<Client> client;
  std::unique_ptr<WorkloadThread> work;
  LatencyHistogram latency;  // ticks
  Status failure = Status::kOk;
  uint64_t skipped = 0;  // draws of the present serial that were given up
  // Written by the thread, sampled by the driver.
  alignas(64) std::atomic<uint64_t> committed{0};
  std::atomic<uint64_t> conflicts{0}, shifts{0}, given_up{0}, failed{0};
  std::atomic<uint64_t> latencies{0}, latency_ticks{0};
};

void RunObserver::Begin(Clock::time_point start) {
  std::lock_guard lock(mutex_);
  start_ = start;
  phases_.clear();
  commits_.clear();
}

void RunObserver::OnPhase(TxnPhase phase, uint64_t version) {
  std::lock_guard lock(mutex_);
  phases_.push_back({Now(), phase, version});
}

void RunObserver::OnCommit(const Commit& commit) {
  std::lock_guard lock(mutex_);
  commits_.push_back({Now(), commit});
}

std::vector<PhaseChange> RunObserver::TakePhases() {
  std::lock_guard lock(mutex_);
  return std::exchange(phases_, {});
}

std::vector<RunObserver::Ended> RunObserver::TakeCommits() {
  std::lock_guard lock(mutex_);
  return std::exchange(commits_, {});
}

std::string CheckDriverOptions(const DriverOptions& options) {
  if (options.threads == 0 || options.threads > 4096) return "threads: expected 1..4096";
  if (options.seconds <= 0 && options.transactions == 0)
    return "seconds or transactions: expected one of them";
  if (!(options.sample_seconds > 0)) return "seconds between samples: expected more than 0";
  if (!std::is_sorted(options.commits_at.begin(), options.commits_at.end()))
    return "commit marks: expected ascending seconds";
  return "";
}

Driver::Driver(const DriverOptions& options, const Workload* workload, TxnStore* store, RunObserver* observer)
    : options_(options), workload_(workload), store_(store), observer_(observer) {}

Driver::~Driver() = default;

Status Driver::Run(RunResult* result, std::string* error) {
  *error = CheckDriverOptions(options_);
  if (!error->empty()) return Status::kInvalidArgument;
  for (uint32_t i = 0; i < options_.threads; ++i) {
    auto thread = std::make_unique<Thread>();
    thread->number = i;
    thread->share = options_.transactions / options_.threads + (i < options_.transactions % options_.threads);
    const Status status = store_->StartClient(options_.first_client + i, &thread->client);
    if (status != Status::kOk) {
      *error = "client " + std::to_string(options_.first_client + i) + ": " + std::string(StatusName(status));
      return status;
    }
    thread->work = workload_->Thread(i);
    threads_.push_back(std::move(thread));
  }
  ns_per_tick_ = NsPerTick();
  std::vector<std::thread> running;
  for (auto& thread : threads_) running.emplace_back([this, own = thread.get()] { Work(own); });
  while (ready_.load() < options_.threads) std::this_thread::yield();
  start_ = Clock::now();
  observer_->Begin(start_);
  go_.store(true);
  Watch(result);
  for (std::thread& thread : running) thread.join();
  result->seconds = Since(start_);
  AddSample(result->seconds, result);
  Finish(result, ns_per_tick_);
  return Status::kOk;
}

void Driver::Work(Thread* thread) {
  PinTo(thread->number);
  ready_.fetch_add(1);
  while (!go_.load()) std::this_thread::yield();
  const bool bounded = options_.transactions != 0;
  uint32_t until_measured = 1;
  for (uint64_t done = 0; !stop_.load(std::memory_order_relaxed) && !(bounded && done >= thread->share);) {
    thread->work->Draw(thread->client->serial() + 1, thread->skipped);
    const bool measured = options_.latency_every != 0 && --until_measured == 0;
    const uint64_t start = measured ? ReadTicks() : 0;
    const bool committed = Attempt(thread);
    if (measured) {
      const uint64_t took = ReadTicks() - start;
      thread->latency.Record(took);
      AddTo(&thread->latencies, 1);
      AddTo(&thread->latency_ticks, took);
      until_measured = options_.latency_every;
    }
    if (thread->failure != Status::kOk) break;
    if (!committed) continue;
    thread->skipped = 0;
    ++done;
  }
  ended_.fetch_add(1);
}

// Tries until the transaction commits, gives up, or the run is over.
bool Driver::Attempt(Thread* thread) {
  for (;;) {
    const TxnResult result = thread->work->Try(*thread->client, options_.timed);
    switch (result.outcome) {
      case TxnOutcome::kCommitted:
        AddTo(&thread->committed, 1);
        return true;
      case TxnOutcome::kBody:
        AddTo(&thread->given_up, 1);
        ++thread->skipped;
        return false;
      case TxnOutcome::kFailed:
        AddTo(&thread->failed, 1);
        thread->failure = result.status;
        return false;
      case TxnOutcome::kConflict:
        AddTo(&thread->conflicts, 1);
        break;
      case TxnOutcome::kShift:
        AddTo(&thread->shifts, 1);
        break;
    }
    if (stop_.load(std::memory_order_relaxed)) return false;
  }
}

uint64_t Driver::Committed() const {
  uint64_t sum = 0;
  for (const auto& thread : threads_) sum += thread->committed.load(std::memory_order_relaxed);
  return sum;
}

void Driver::AddSample(double now, RunResult* result) {
  Sample sample;
  sample.seconds = now;
  sample.committed = Committed();
  uint64_t latencies = 0, ticks = 0;
  for (const auto& thread : threads_) {
    sample.aborted +=
        thread->conflicts.load(std::memory_order_relaxed) + thread->shifts.load(std::memory_order_relaxed);
    latencies += thread->latencies.load(std::memory_order_relaxed);
    ticks += thread->latency_ticks.load(std::memory_order_relaxed);
  }
  if (latencies > sampled_latencies_)
    sample.latency_ns = static_cast<double>(ticks - sampled_ticks_) * ns_per_tick_ /
                        static_cast<double>(latencies - sampled_latencies_);
  sampled_latencies_ = latencies;
  sampled_ticks_ = ticks;
  const TxnState state = store_->state();
  sample.phase = state.phase;
  sample.version = state.version;
  result->samples.push_back(sample);
}

void Driver::AskForCommits(double now, RunResult* result) {
  if (next_commit_ >= options_.commits_at.size() || now < options_.commits_at[next_commit_]) return;
  CommitRun run;
  run.requested = now;
  const Status status = store_->RequestCommit(&run.number);
  if (status == Status::kBusy) return;  // the last one runs: asked again at the next look
  ++next_commit_;
  if (status != Status::kOk) run.status = status;
  result->commits.push_back(run);
}

void Driver::NoteCommits(RunResult* result) {
  for (const RunObserver::Ended& ended : observer_->TakeCommits()) {
    ++result->group_commits;
    for (CommitRun& run : result->commits) {
      if (run.status != Status::kPending || run.number > ended.commit.number) continue;
      run.ended = ended.seconds;
      run.bytes = ended.commit.bytes;
      run.status = ended.commit.status;
      if (run.status != Status::kOk) run.why = ended.commit.why.Text();
    }
  }
}

void Driver::Watch(RunResult* result) {
  double next_sample = options_.sample_seconds;
  while (ended_.load() < options_.threads) {
    const double now = Since(start_);
    result->interrupted = options_.interrupted != nullptr && options_.interrupted->load();
    if (result->interrupted || (options_.seconds > 0 && now >= options_.seconds)) stop_.store(true);
    if (now >= next_sample) {
      AddSample(now, result);
      while (next_sample <= now) next_sample += options_.sample_seconds;
    }
    AskForCommits(now, result);
    const bool idle = store_->Poll();
    NoteCommits(result);
    double wait = std::min(next_sample - now, idle ? 0.002 : 0.0005);
    if (options_.seconds > 0) wait = std::min(wait, options_.seconds - now);
    Sleep(std::max(wait, 0.0001));
  }
}

void Driver::Finish(RunResult* result, double ns_per_tick) {
  const auto begin = Clock::now();
  const auto end_commit = [&] {
    while (!store_->Poll() && Since(begin) < kLongestCommit) Sleep(0.0005);
    NoteCommits(result);
  };
  end_commit();
  if (options_.commit_at_end) {
    CommitRun run;
    run.requested = Since(start_);
    const Status status = store_->RequestCommit(&run.number);
    if (status != Status::kOk) run.status = status;
    result->commits.push_back(run);
    end_commit();
  }
  TimeParts ticks, readings;
  for (const auto& thread : threads_) {
    result->committed += thread->committed.load();
    result->conflicts += thread->conflicts.load();
    result->shifts += thread->shifts.load();
    result->given_up += thread->given_up.load();
    result->failed += thread->failed.load();
    if (result->failure == Status::kOk) result->failure = thread->failure;
    thread->latency.ForEachBucket([&](uint64_t first, uint64_t last, uint64_t count) {
      const double ns = static_cast<double>(first + (last - first) / 2) * ns_per_tick;
      for (uint64_t i = 0; i < count; ++i) result->latency.Record(static_cast<uint64_t>(ns));
    });
    ticks.Add(thread->client->times());
    readings.Add(thread->client->times().readings);
  }
  if (options_.timed && result->committed != 0) {
    const double scale = ns_per_tick / static_cast<double>(result->committed);
    const uint64_t reading = TicksPerReading();
    const auto part = [&](uint64_t TimeParts::*which) {
      const uint64_t clock = readings.*which * reading;
      return ticks.*which > clock ? static_cast<double>(ticks.*which - clock) * scale : 0;
    };
    result->times = {part(&TimeParts::exec), part(&TimeParts::tail), part(&TimeParts::log),
                     part(&TimeParts::abort)};
  }
  result->phases = observer_->TakePhases();
  threads_.clear();  // closes the clients
}

}  // namespace workloads::txn
