#include "experiments/figures/time_series/course.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "workloads/pinning.h"
#include "workloads/ycsb/driver.h"

namespace experiments::figures::time_series {

using workloads::ycsb::CheckpointLog;
using workloads::ycsb::Client;
using workloads::ycsb::Engine;
using workloads::ycsb::LoadPlan;
using workloads::ycsb::Measurements;
using workloads::ycsb::OperationStream;
using workloads::ycsb::RunPlan;
using workloads::ycsb::ThreadState;
using workloads::ycsb::WorkloadSpec;

namespace {

using Clock = CheckpointLog::Clock;

constexpr double kLongestWait = 120;  // seconds, for the checkpoint that runs when the course ends
constexpr double kPollSeconds = 0.0002;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}
void Sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

}  // namespace

struct Course::Worker {
  std::unique_ptr<Client> client;
  ThreadState state;
  std::vector<uint64_t> keys;
  std::thread thread;
  Measurements answer, before;  // latencies: what was handed over now, and at the sample before
};

// The watching thread's view of one run.
class Course::Watch {
 public:
  Watch(Course* course, const CoursePlan& plan, CourseResult* result)
      : course_(*course), plan_(plan), result_(*result), start_(Clock::now()) {
    course_.log_.SetOrigin(start_);
    first_ = Done();
    next_sample_ = plan.sample_seconds;
    if (plan.latency) Ask();
  }

  void Until(double end) {
    for (double now = 0; now < end; now = SecondsSince(start_)) {
      Checkpoints(now);
      if (now >= next_sample_) TakeSample(now);
      double wait = std::max(next_sample_ - now, 0.0);
      if (mark_ < plan_.marks.size()) wait = std::min(wait, std::max(plan_.marks[mark_] - now, 0.0));
      if (running_) wait = std::min(wait, kPollSeconds);
      Sleep(std::clamp(wait, 0.00005, 0.002));
    }
  }
  // After the course: the last checkpoint may still run.
  bool Finish() {
    while (running_ && SecondsSince(start_) < plan_.seconds + kLongestWait) {
      running_ = !course_.engine_->Poll();
      if (running_) Sleep(kPollSeconds);
    }
    return !running_;
  }

 private:
  uint64_t Done() const {
    uint64_t done = 0;
    for (const auto& worker : course_.workers_) done += worker->state.done.load(std::memory_order_relaxed);
    return done;
  }
  void Checkpoints(double now) {
    if (running_) running_ = !course_.engine_->Poll();
    if (running_ || mark_ == plan_.marks.size() || now < plan_.marks[mark_]) return;
    faster::Token token;
    course_.log_.Requested(plan_.checkpoint);
    if (course_.engine_->Checkpoint(plan_.checkpoint.kind, plan_.checkpoint.backend, &token) !=
        faster::Status::kOk) {
      course_.log_.Refused();  // sessions have not yet said that the last one is over: asked again soon
      return;
    }
    course_.log_.Named(token);
    running_ = true;
    ++mark_;
  }

  void Ask() {
    for (const auto& worker : course_.workers_)
      worker->state.wanted.store(&worker->answer, std::memory_order_release);
  }
  bool Answered() const {
    return std::all_of(course_.workers_.begin(), course_.workers_.end(), [](const auto& worker) {
      return worker->state.wanted.load(std::memory_order_acquire) == nullptr;
    });
  }
  // Of all operations timed since the sample before.
  workloads::LatencyHistogram Latencies() {
    workloads::LatencyHistogram all;
    for (const auto& worker : course_.workers_) {
      const Measurements since = worker->answer.Since(worker->before);
      for (int i = 0; i < workloads::ycsb::kMetrics; ++i)
        all.Merge(since.of(static_cast<workloads::ycsb::Metric>(i)).nanoseconds);
      worker->before = worker->answer;
    }
    return all;
  }

  void TakeSample(double now) {
    if (plan_.latency && !asked_) {
      Ask();
      asked_ = true;
    }
    // Threads answer within 64 operations, if they are not descheduled: the sample is of when they have.
    if (plan_.latency && !Answered()) return;
    asked_ = false;
    Sample sample;
    sample.seconds = now;
    sample.operations = Done() - first_;
    const Sample before = result_.samples.empty() ? Sample{} : result_.samples.back();
    sample.mops = static_cast<double>(sample.operations - before.operations) /
                  std::max(now - before.seconds, 1e-6) * 1e-6;
    sample.latency_mean_ns = sample.latency_p99_ns = NAN;
    if (plan_.latency) {
      const workloads::LatencyHistogram latencies = Latencies();
      if (latencies.count() > 0) {
        sample.latency_mean_ns = latencies.mean();
        sample.latency_p99_ns = static_cast<double>(latencies.Percentile(99));
      }
    }
    const faster::SystemState state = course_.engine_->State();
    sample.phase = state.phase;
    sample.version = state.version;
    sample.log = course_.engine_->Log();
    result_.samples.push_back(sample);
    while (next_sample_ <= now) next_sample_ += plan_.sample_seconds;
  }

  Course& course_;
  const CoursePlan& plan_;
  CourseResult& result_;
  const Clock::time_point start_;
  uint64_t first_ = 0;
  double next_sample_ = 0;
  size_t mark_ = 0;
  bool running_ = false;
  bool asked_ = false;
};

void Course::Observer::OnPhase(faster::CheckpointKind kind, faster::Phase phase, uint64_t version) {
  log_->OnPhase(kind, phase, version);
  if (phase == faster::Phase::kInProgress && hold_in_progress > 0) Sleep(hold_in_progress);
}

std::unique_ptr<Course> Course::Make(const WorkloadSpec& spec, faster::Storage* storage, std::string* error) {
  std::unique_ptr<Course> course(new Course(spec));
  course->engine_ = Engine::Make(spec.stored_bytes);
  faster::Diagnosis why;
  const faster::Status status = course->engine_->Create(spec.Store(), storage, &course->observer_, &why);
  if (status != faster::Status::kOk) {
    *error = "cannot make the store: " + std::string(StatusName(status)) +
             (why.expected.empty() ? "" : ": " + why.Text());
    return nullptr;
  }
  if (!course->Load(error)) return nullptr;
  return course;
}

Course::Course(const WorkloadSpec& spec) : spec_(spec) {}

Course::~Course() {
  workers_.clear();  // with their sessions
  engine_.reset();
}

bool Course::OpenSessions(std::string* error) {
  workers_.clear();
  for (uint32_t i = 0; i < spec_.threads; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    workers_.back()->client = engine_->Start();
    if (workers_.back()->client != nullptr) continue;
    *error = "the store has no room for session " + std::to_string(i + 1);
    return false;
  }
  return true;
}

// Records are shared out in equal parts; the last thread takes the rest.
bool Course::Load(std::string* error) {
  if (!OpenSessions(error)) return false;
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    worker.thread = std::thread([&, i] {
      workloads::PinTo(i);
      LoadPlan plan;
      const uint64_t part = spec_.record_count / spec_.threads;
      plan.first = part * i;
      plan.count = i + 1 == workers_.size() ? spec_.record_count - plan.first : part;
      plan.hashed = spec_.hashed_keys;
      worker.client->Load(plan, &worker.state);
      worker.keys = workloads::ycsb::ThreadKeys(spec_, i, true);
    });
  }
  std::vector<std::vector<uint64_t>> keys;
  uint64_t errors = 0;
  for (const auto& worker : workers_) {
    worker->thread.join();
    errors += worker->state.measurements.errors();
    keys.push_back(std::move(worker->keys));
  }
  if (errors != 0) {
    *error = std::to_string(errors) + " records could not be loaded";
    return false;
  }
  if (!OpenSessions(error)) return false;
  for (size_t i = 0; i < workers_.size(); ++i) workers_[i]->keys = std::move(keys[i]);
  return true;
}

bool Course::Run(const CoursePlan& plan, CourseResult* result, std::string* error) {
  std::atomic<bool> stop{false};
  observer_.hold_in_progress = plan.hold_in_progress;
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    worker.thread = std::thread([&, i] {
      workloads::PinTo(i);
      const OperationStream stream(spec_.mix, workloads::ycsb::ThreadSeed(spec_, i), &worker.keys);
      RunPlan run;
      run.stream = &stream;
      run.count = ~uint64_t{0};
      run.session = static_cast<uint32_t>(i);
      run.stop = &stop;
      worker.client->Run(run, &worker.state);
    });
  }
  Sleep(plan.warm_up);
  result->before = engine_->Log();
  Watch watch(this, plan, result);
  watch.Until(plan.seconds);
  result->after = engine_->Log();
  // Sessions go on until the last checkpoint is over: it needs them.
  const bool ended = watch.Finish();
  stop = true;
  for (const auto& worker : workers_) worker->thread.join();
  for (const auto& worker : workers_)
    result->failed += worker->state.measurements.errors() + worker->state.torn;
  result->checkpoints = log_.events();
  if (!ended) *error = "a checkpoint did not end within two minutes of the course's end";
  return ended;
}

}  // namespace experiments::figures::time_series
