#include "workloads/ycsb/driver.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <thread>

#include "workloads/key_file.h"
#include "workloads/pinning.h"

namespace workloads::ycsb {
namespace {

using Clock = CheckpointLog::Clock;

constexpr double kLongestWait = 120;  // seconds, for the checkpoint that runs when the run phase ends

double Since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
void Sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

}  // namespace

uint64_t ThreadSeed(const WorkloadSpec& spec, size_t thread) {
  return (spec.seed * 1000003 + thread + 1) * kGolden;
}

std::vector<uint64_t> ThreadKeys(const WorkloadSpec& spec, size_t thread, bool as_keys) {
  return PregenerateKeys(spec.keys, ThreadSeed(spec, thread), spec.keys_per_thread,
                         as_keys && spec.hashed_keys);
}

Driver::Driver(const WorkloadSpec& spec, Engine* engine, CheckpointLog* log, const DriverOptions& options)
    : spec_(spec), engine_(engine), log_(log), options_(options) {}

// The run's keys are walked in a ring of a power of two, which a share of a file rarely is: the ring goes on
// with the share's beginning.
bool Driver::ReadKeyFiles(bool load, bool run, std::string* error) {
  if (load && !spec_.load_file.empty() &&
      !ReadKeys(spec_.load_file, 0, spec_.record_count, &loaded_keys_, error))
    return false;
  if (!run || spec_.run_file.empty()) return true;
  keys_.resize(spec_.threads);
  uint64_t first = 0;
  for (size_t i = 0; i < spec_.threads; ++i) {
    // With fewer keys than threads some share a key.
    const uint64_t share = std::max<uint64_t>(Share(spec_.run_file_keys, i), 1);
    const uint64_t used = std::min(share, std::max<uint64_t>(Share(spec_.operation_count, i), 1));
    if (!ReadKeys(spec_.run_file, std::min(first, spec_.run_file_keys - share), used, &keys_[i], error))
      return false;
    keys_[i].resize(std::bit_ceil(used));
    for (uint64_t at = used; at < keys_[i].size(); ++at) keys_[i][at] = keys_[i][at - used];
    first += share;
  }
  return true;
}

void Driver::Prepare() {
  const uint64_t next = spec_.insert_start + spec_.insert_count;
  inserted_ = std::make_unique<AcknowledgedCounter>(next);
  if (spec_.inserts() || !spec_.run_file.empty()) return;
  keys_.resize(spec_.threads);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < spec_.threads; ++i) {
    threads.emplace_back([this, i] { keys_[i] = ThreadKeys(spec_, i, true); });
  }
  for (std::thread& thread : threads) thread.join();
}

std::unique_ptr<ThreadState> Driver::NewState() const {
  auto state = std::make_unique<ThreadState>();
  if (!options_.keep_points && !options_.keep_intended) return state;
  state->extra = std::make_unique<ExtraMeasurements>();
  state->extra->keeps_points = options_.keep_points;
  state->extra->keeps_intended = options_.keep_intended;
  state->extra->points_are_intended = options_.points_are_intended;
  return state;
}

bool Driver::OpenSessions(std::string* error) {
  clients_.clear();
  states_.clear();
  for (size_t i = 0; i < spec_.threads; ++i) {
    clients_.push_back(engine_->Start());
    states_.push_back(NewState());
    if (clients_.back() != nullptr) continue;
    *error = "the store has no room for session " + std::to_string(i + 1);
    return false;
  }
  return true;
}

bool Driver::ContinueSessions(std::string* error) {
  clients_.clear();
  states_.clear();
  for (const faster::SessionCommit& session : options_.resume) {
    clients_.push_back(engine_->Continue(session.session));
    states_.push_back(NewState());
    if (clients_.back() == nullptr) {
      *error = "session " + session.session.Text() + " cannot be continued";
      return false;
    }
    if (clients_.back()->serial() == session.serial) continue;
    *error = "session " + session.session.Text() + " continues after serial " +
             std::to_string(clients_.back()->serial()) + ", its commit point was " +
             std::to_string(session.serial);
    return false;
  }
  return true;
}

bool Driver::Load(PhaseResult* result, std::string* error) {
  if (!OpenSessions(error)) return false;
  const double limit = options_.limit_load ? static_cast<double>(spec_.max_seconds) : 0;
  Perform(&Driver::LoadThread, spec_.insert_count, limit, false, result);
  clients_.clear();
  return true;
}

bool Driver::Run(PhaseResult* result, std::string* error) {
  if (!(options_.resume.empty() ? OpenSessions(error) : ContinueSessions(error))) return false;
  if (options_.journal != nullptr) {
    RunJournal& journal = *options_.journal;
    const size_t sessions = std::min<size_t>(clients_.size(), kJournalSessions);
    for (size_t i = 0; i < sessions; ++i) {
      journal.session[i].SetId(clients_[i]->id());
      journal.session[i].issued.store(clients_[i]->serial());
    }
    // The last element; YCSB's read-modify-write is one of two operations.
    journal.under_way.store(std::max(spec_.batch, 2u));
    journal.sessions.store(static_cast<uint32_t>(sessions));
  }
  Perform(&Driver::RunThread, spec_.operation_count, static_cast<double>(spec_.max_seconds),
          options_.checkpoint_every > 0, result);
  const Clock::time_point end = Clock::now();
  while (checkpoint_runs_ && !Interrupted() && Since(end) < kLongestWait) {
    checkpoint_runs_ = !engine_->Poll();
    if (checkpoint_runs_) Sleep(0.001);
  }
  return true;
}

double Driver::SecondsPerOperation() const {
  return static_cast<double>(spec_.threads) / static_cast<double>(spec_.target);
}

uint64_t Driver::Share(uint64_t total, size_t thread) const {
  return total / spec_.threads + (thread < total % spec_.threads ? 1 : 0);
}

void Driver::LoadThread(size_t thread) {
  LoadPlan plan;
  plan.first = spec_.insert_start;
  for (size_t i = 0; i < thread; ++i) plan.first += Share(spec_.insert_count, i);
  plan.count = Share(spec_.insert_count, thread);
  plan.hashed = spec_.hashed_keys;
  if (!loaded_keys_.empty()) plan.keys = loaded_keys_.data();
  plan.batch = spec_.batch;
  plan.time_all = spec_.time_all;
  if (spec_.target != 0 && options_.limit_load) plan.seconds_per_operation = SecondsPerOperation();
  plan.stop = &stop_;
  clients_[thread]->Load(plan, states_[thread].get());
}

void Driver::RunThread(size_t thread) {
  RunPlan plan;
  plan.first = clients_[thread]->serial();  // a session that is continued goes on in its stream
  plan.count = Share(spec_.operation_count, thread);
  plan.session = static_cast<uint32_t>(thread);
  plan.incarnation = options_.incarnation;
  plan.prefetch = spec_.prefetch;
  plan.batch = spec_.batch;
  plan.stop = &stop_;
  plan.time_all = spec_.time_all;
  if (spec_.target != 0) plan.seconds_per_operation = SecondsPerOperation();
  if (options_.journal != nullptr && thread < kJournalSessions)
    plan.journal = &options_.journal->session[thread];
  if (spec_.inserts()) {
    DrawnKeys drawn{KeyChooser(spec_.keys, inserted_.get()), Random(ThreadSeed(spec_, thread)), spec_.mix,
                    inserted_.get(), spec_.hashed_keys};
    plan.drawn = &drawn;
    clients_[thread]->Run(plan, states_[thread].get());
    return;
  }
  const OperationStream stream(spec_.mix, ThreadSeed(spec_, thread), &keys_[thread]);
  plan.stream = &stream;
  clients_[thread]->Run(plan, states_[thread].get());
}

void Driver::Perform(Body body, uint64_t total, double max_seconds, bool checkpoints, PhaseResult* result) {
  stop_ = false;
  go_ = false;
  ready_ = ended_ = 0;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < spec_.threads; ++i) {
    threads.emplace_back([this, body, i] {
      PinTo(i);
      ready_.fetch_add(1);
      while (!go_.load()) std::this_thread::yield();
      (this->*body)(i);
      if (ended_.fetch_add(1) + 1 == spec_.threads) end_ = Clock::now();
    });
  }
  while (ready_.load() < spec_.threads) std::this_thread::yield();
  if (options_.status) {
    const StatusPlan plan{options_.label, static_cast<double>(spec_.status_interval), total, max_seconds,
                          options_.status_style};
    status_ = std::make_unique<StatusLines>(plan, &states_);
  }
  const Clock::time_point start = Clock::now();
  result->began =
      std::chrono::duration<double, std::milli>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (checkpoints) log_->SetOrigin(start);
  go_ = true;
  Watch(max_seconds, checkpoints, body == &Driver::RunThread, result);
  for (std::thread& thread : threads) thread.join();
  result->seconds = std::chrono::duration<double>(end_ - start).count();
  result->operations = Done();
  if (status_) SayStatus(status_->Last(result->seconds));
  status_.reset();
  // The watcher may have looked once more when all was done.
  while (!result->samples.empty() && result->samples.back().seconds >= result->seconds)
    result->samples.pop_back();
  result->samples.push_back({result->seconds, result->operations});
  result->interrupted = Interrupted();
  for (const auto& state : states_) {
    result->measurements.Merge(state->measurements);
    result->torn += state->torn;
    result->fuzzy += state->fuzzy;
    if (state->extra == nullptr) continue;
    result->intended.Merge(state->extra->intended);
    result->points.insert(result->points.end(), state->extra->points.begin(), state->extra->points.end());
  }
}

// YCSB-cpp has its lines on stdout; YCSB on stderr, and for a time series on stdout, too.
void Driver::SayStatus(const std::string& line) const {
  if (!options_.status_style.cpp) std::fprintf(stderr, "%s\n", line.c_str());
  if (options_.status_style.on_stdout) {
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }
}

uint64_t Driver::Done() const {
  uint64_t done = 0;
  for (const auto& state : states_) done += state->done.load(std::memory_order_relaxed);
  return done;
}

void Driver::Watch(double max_seconds, bool checkpoints, bool run, PhaseResult* result) {
  const Clock::time_point start = Clock::now();
  double next_sample = options_.sample_seconds;
  std::string status_line;
  next_checkpoint_ = options_.checkpoint_every;
  if (options_.journal != nullptr && checkpoints) options_.journal->running.store(1);
  while (ended_.load() < spec_.threads) {
    const double now = Since(start);
    if (Interrupted() || (max_seconds > 0 && now >= max_seconds)) stop_ = true;
    if (now >= next_sample) {
      result->samples.push_back({now, Done()});
      while (next_sample <= now) next_sample += options_.sample_seconds;
    }
    // Whatever runs: also what a store does by itself, compaction and migration, begins in here.
    if (engine_->Poll()) checkpoint_runs_ = false;
    if (checkpoints && !checkpoint_runs_ && !stop_.load()) WatchCheckpoints(now);
    const bool grows = spec_.grows() && WatchGrowth(now, run, result);
    if (status_ && status_->Due(now, &status_line)) {
      SayStatus(status_line);
      if (checkpoint_runs_)
        std::fprintf(stderr, "%s  %s\n", options_.label.c_str(), engine_->Progress().Text().c_str());
    }
    double wait = std::min(next_sample - now, 0.01);
    if (checkpoints)
      wait = std::min(wait, checkpoint_runs_ ? 0.001 : std::max(next_checkpoint_ - now, 0.0005));
    if (grows) wait = std::min(wait, 0.001);
    Sleep(std::max(wait, 0.0001));
  }
}

// Growths asked for begin a second into the run phase, for a figure of before. True while one runs.
bool Driver::WatchGrowth(double now, bool asks, PhaseResult* result) {
  const faster::GrowthProgress growth = engine_->Growth();
  if (result->index_sizes.empty() || result->index_sizes.back().buckets != growth.buckets)
    result->index_sizes.push_back({now, growth.buckets});
  if (growth.target != 0) return true;
  // Refused while a checkpoint runs: the next look asks again.
  return asks && now >= 1 && growth.buckets < spec_.grow_to && engine_->GrowIndex() == faster::Status::kOk;
}

void Driver::WatchCheckpoints(double now) {
  if (now < next_checkpoint_) return;
  if (!StartCheckpoint(options_.checkpoints[checkpoints_started_ % options_.checkpoints.size()])) return;
  ++checkpoints_started_;
  // A checkpoint that took longer than the interval delays the next one; missed ones are not made up for.
  while (next_checkpoint_ <= now) next_checkpoint_ += options_.checkpoint_every;
}

bool Driver::StartCheckpoint(const CheckpointChoice& choice) {
  faster::Token token;
  log_->Requested(choice);
  if (engine_->Checkpoint(choice.kind, choice.backend, &token) != faster::Status::kOk) {
    log_->Refused();
    return false;
  }
  log_->Named(token);
  return checkpoint_runs_ = true;
}

faster::Status Driver::CheckpointAndWait(const CheckpointChoice& choice) {
  while (!StartCheckpoint(choice)) {
    (void)engine_->Poll();  // the sessions of the last one have not all said that it is over
    if (Interrupted()) return faster::Status::kAborted;
    Sleep(0.0001);
  }
  while (!engine_->Poll()) {
    if (Interrupted()) return faster::Status::kAborted;
    Sleep(0.0002);
  }
  checkpoint_runs_ = false;
  return log_->events().back().status;
}

}  // namespace workloads::ycsb
