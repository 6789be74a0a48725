#include "experiments/crash/shrink_runner.h"

#include <link.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "experiments/crash/worker.h"
#include "faults/sched/policy.h"

namespace experiments {
namespace {

constexpr size_t kTapeCapacity = 1 << 21;
constexpr size_t kScenarioBytes = 8 << 20;

enum class Question : uint8_t { kFollow, kRepeat, kDraw, kCampaign };

template <size_t n>
void Put(char (&to)[n], const std::string& text) {
  std::snprintf(to, n, "%s", text.c_str());
}

// The engine's library as it lies in memory.
struct CodeRange {
  const char* path;
  uintptr_t base, high;
};

int FindRange(dl_phdr_info* info, size_t, void* context) {
  CodeRange* range = static_cast<CodeRange*>(context);
  if (info->dlpi_name == nullptr || std::strcmp(info->dlpi_name, range->path) != 0) return 0;
  range->base = info->dlpi_addr;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    if (part.p_type == PT_LOAD && (part.p_flags & PF_X) != 0)
      range->high = std::max<uintptr_t>(range->high, info->dlpi_addr + part.p_vaddr + part.p_memsz);
  }
  return 1;
}

// A policy with a seed of its own: that of the execution is also the engine's.
class Seeded final : public faults::Policy {
 public:
  Seeded(std::unique_ptr<faults::Policy> policy, uint64_t seed) : policy_(std::move(policy)), seed_(seed) {}
  void Begin(uint64_t) override { policy_->Begin(seed_); }
  int PickThread(uint64_t step, int current, uint64_t runnable, faults::PointKind kind) override {
    return policy_->PickThread(step, current, runnable, kind);
  }
  uint32_t Choose(uint64_t step, faults::ChoiceKind kind, uint32_t count) override {
    return policy_->Choose(step, kind, count);
  }
  uint64_t NextAsk(uint64_t step) override { return policy_->NextAsk(step); }
  void OnYield(int fiber) override { policy_->OnYield(fiber); }
  void OnSpawn(int fiber) override { policy_->OnSpawn(fiber); }
  void OnEnd(uint64_t steps) override { policy_->OnEnd(steps); }
  bool asks_on_wake() const override { return policy_->asks_on_wake(); }

 private:
  const std::unique_ptr<faults::Policy> policy_;
  const uint64_t seed_;
};

std::unique_ptr<faults::Policy> DrawingPolicy(const std::string& name, uint64_t seed, uint64_t steps) {
  std::string ignored;  // the shrinker's names are good
  std::unique_ptr<faults::Policy> policy = faults::MakePolicy(name, &ignored, steps);
  if (auto* drawing = dynamic_cast<faults::DrawingPolicy*>(policy.get())) {
    for (const faults::ChoiceKind kind : {faults::ChoiceKind::kSectorFate, faults::ChoiceKind::kIoPick})
      drawing->set_rate(kind, 0.1);
  }
  return std::make_unique<Seeded>(std::move(policy), seed);
}

bool ReadByte(int file) {
  char byte;
  ssize_t got;
  while ((got = read(file, &byte, 1)) < 0 && errno == EINTR) {
  }
  return got == 1;
}

bool WriteByte(int file) {
  const char byte = 1;
  ssize_t put;
  while ((put = write(file, &byte, 1)) < 0 && errno == EINTR) {
  }
  return put == 1;
}

}  // namespace

// Shared with the child. Questions are written by the parent, answers by the child.
struct ShrinkRunner::Board {
  Question question;
  bool usual, places, find_code, plain_points, spurious_cas;
  bool has_tape;
  uint64_t seed, step_limit;
  char policy[64];
  uint64_t draw_seed, draw_steps;
  uint64_t tape_given;  // kRepeat: so many entries of `given` are the tape
  uint32_t scenario_bytes;
  uint32_t lanes, decisions, places_given;

  bool begun, ended;
  TrialFigures figures;
  char rule[32], what[1024];
  uint64_t tape_entries;

  ScheduleLog log;
  Lane lane[kMaxLanes];
  Decision decision[kMaxDecisions];
  Place place[kMaxLives];
  faults::TapeEntry given[kTapeCapacity];
  faults::TapeEntry tape[kTapeCapacity];
  char scenario[kScenarioBytes];
};

ShrinkRunner::~ShrinkRunner() {
  EndChild();
  if (board_ != nullptr) munmap(board_, sizeof(Board));
}

bool ShrinkRunner::Open(std::string* error) {
  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    *error = std::string("cannot map shared memory: ") + std::strerror(errno);
    return false;
  }
  board_ = static_cast<Board*>(memory);
  signal(SIGPIPE, SIG_IGN);  // a child that is gone is noticed when it is asked
  return StartChild(error);
}

bool ShrinkRunner::StartChild(std::string* error) {
  int questions[2] = {-1, -1}, answers[2] = {-1, -1};
  if (pipe(questions) != 0 || pipe(answers) != 0) {
    *error = std::string("cannot make a pipe: ") + std::strerror(errno);
    return false;
  }
  std::fflush(nullptr);
  child_ = fork();
  if (child_ < 0) {
    *error = std::string("cannot start a process: ") + std::strerror(errno);
    child_ = 0;
    return false;
  }
  if (child_ == 0) {
    close(questions[1]);
    close(answers[0]);
    Serve(questions[0], answers[1]);
  }
  close(questions[0]);
  close(answers[1]);
  to_child_ = questions[1];
  from_child_ = answers[0];
  return true;
}

void ShrinkRunner::EndChild() {
  if (child_ <= 0) return;
  kill(child_, SIGKILL);
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  child_ = 0;
  close(to_child_);
  close(from_child_);
}

// ---- the child ----

void ShrinkRunner::Serve(int questions, int answers) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGINT, SIG_IGN);
  const rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  faults::Scheduler* const scheduler = faults::Scheduler::Create();
  if (scheduler == nullptr) _exit(2);
  Execution execution(library_, scheduler);
  Follower follower(scheduler, &board_->log);
  while (ReadByte(questions)) {
    Answer(&execution, &follower);
    if (!WriteByte(answers)) break;
  }
  _exit(0);
}

// What decides an execution that the follower only watches; it lives as long as that.
struct ShrinkRunner::Source {
  CampaignPlan plan;
  std::unique_ptr<Recipe> recipe;
  std::unique_ptr<faults::Policy> policy;
};

// Sets the follower and `how` up for the question on the board.
void ShrinkRunner::Prepare(Follower* follower, Scenario* scenario, How* how, Source* source) {
  const Board& board = *board_;
  std::string ignored;
  how->seed = board.seed;
  how->plain_points = board.plain_points;
  how->spurious_cas = board.spurious_cas;
  switch (board.question) {
    case Question::kFollow: {
      Schedule schedule;
      schedule.lanes.assign(board.lane, board.lane + board.lanes);
      schedule.decisions.assign(board.decision, board.decision + board.decisions);
      schedule.crashes.assign(board.place, board.place + board.places_given);
      return follower->Follow(schedule, board.usual, board.places);
    }
    case Question::kCampaign:
      source->plan.has_file = true;
      source->plan.from_file = *scenario;
      source->recipe = std::make_unique<Recipe>(source->plan);
      source->recipe->Prepare(board.seed, scenario, how, &ignored);
      return follower->Watch(how->policy);
    case Question::kDraw:
      source->policy = DrawingPolicy(board.policy, board.draw_seed, board.draw_steps);
      break;
    case Question::kRepeat:
      if (board.has_tape)
        source->policy = std::make_unique<faults::Replay>(board.given, board.tape_given);
      else
        source->policy = faults::MakePolicy(board.policy, &ignored);
      break;
  }
  follower->Watch(source->policy.get());
}

void ShrinkRunner::Answer(Execution* execution, Follower* follower) {
  Board& board = *board_;
  Scenario scenario;
  std::string error;
  board.begun = true;
  if (!ParseScenario(std::string(board.scenario, board.scenario_bytes), &scenario, &error)) {
    board.figures.harness_error = true;
    Put(board.what, error);
    board.ended = true;
    return;
  }
  How how;
  Source source;
  Prepare(follower, &scenario, &how, &source);
  CodeRange range = {library_->path().c_str(), 0, 0};
  if (board.find_code) dl_iterate_phdr(FindRange, &range);
  follower->LookFor(range.base, range.high);
  how.policy = follower;
  how.follower = follower;
  how.step_limit = board.step_limit;
  how.tape = board.tape;
  how.tape_capacity = kTapeCapacity;
  board.plain_points = how.plain_points;
  board.spurious_cas = how.spurious_cas;
  const ExecutionResult& result = execution->Run(scenario, how);
  TrialFigures& trial = board.figures;
  trial.harness_error = result.harness_error;
  trial.violation = result.violation && !result.undecided;
  trial.has_key = result.verdict.has_key;
  trial.key = result.verdict.key;
  trial.hash = result.hash;
  trial.steps = result.steps;
  trial.cell = result.cell;
  Put(board.rule, result.rule);
  Put(board.what, result.what);
  board.tape_entries = result.tape_entries;
  board.ended = true;
}

// ---- the parent ----

bool ShrinkRunner::PutScenario(const Scenario& scenario) {
  const std::string text = ScenarioJson(scenario, -1);
  if (text.size() > kScenarioBytes) return false;
  std::memcpy(board_->scenario, text.data(), text.size());
  board_->scenario_bytes = static_cast<uint32_t>(text.size());
  return true;
}

Trial ShrinkRunner::Dead(bool hung, int status) const {
  Trial trial;
  if (!hung && WIFEXITED(status) && !board_->begun) {
    trial.harness_error = true;
    trial.what = "this machine cannot run the scheduler";
    return trial;
  }
  trial.violation = trial.died = true;
  trial.incarnation = board_->log.incarnation;
  trial.rule = hung ? "stuck" : "crash";
  if (hung)
    trial.what =
        "an execution did not end in " + std::to_string(static_cast<int>(patience_)) + " s of real time";
  else if (WIFSIGNALED(status))
    trial.what = std::string("the process died of ") + strsignal(WTERMSIG(status));
  else
    trial.what = "the process exited with status " + std::to_string(WEXITSTATUS(status));
  return trial;
}

Trial ShrinkRunner::Ask() {
  ++runs_;
  Board& board = *board_;
  Trial trial;
  board.begun = board.ended = false;
  board.figures = {};
  board.step_limit = step_limit_;
  board.tape_entries = 0;
  std::string error;
  if (child_ == 0 && !StartChild(&error)) {
    trial.harness_error = true;
    trial.what = error;
    return trial;
  }
  pollfd answer = {from_child_, POLLIN, 0};
  int ready = -1;
  if (WriteByte(to_child_)) {
    while ((ready = poll(&answer, 1, static_cast<int>(patience_ * 1000))) < 0 && errno == EINTR) {
    }
  }
  if (ready > 0 && ReadByte(from_child_) && board.ended) {
    static_cast<TrialFigures&>(trial) = board.figures;
    trial.rule = board.rule;
    trial.what = board.what;
    trial.incarnation = board.log.incarnation;
    return trial;
  }
  const bool hung = ready == 0;
  if (hung) kill(child_, SIGKILL);
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = 0;
  close(to_child_);
  close(from_child_);
  return Dead(hung, status);
}

Trial ShrinkRunner::Follow(const Story& story, const FollowOptions& options) {
  Board& board = *board_;
  const Schedule& schedule = story.schedule;
  if (!PutScenario(story.scenario) || schedule.lanes.size() > kMaxLanes ||
      schedule.decisions.size() > kMaxDecisions) {
    return {};
  }
  board.question = Question::kFollow;
  board.usual = options.usual;
  board.places = options.places;
  board.find_code = options.find_code;
  board.plain_points = story.plain_points;
  board.spurious_cas = story.spurious_cas;
  board.seed = story.seed;
  std::copy(schedule.lanes.begin(), schedule.lanes.end(), board.lane);
  std::copy(schedule.decisions.begin(), schedule.decisions.end(), board.decision);
  board.lanes = static_cast<uint32_t>(schedule.lanes.size());
  board.decisions = static_cast<uint32_t>(schedule.decisions.size());
  board.places_given = static_cast<uint32_t>(std::min<size_t>(schedule.crashes.size(), kMaxLives));
  std::copy_n(schedule.crashes.begin(), board.places_given, board.place);
  return Ask();
}

Trial ShrinkRunner::Repeat(const StoredExecution& stored) {
  Board& board = *board_;
  Trial trial;
  trial.harness_error = true;
  trial.what = "its tape is too long to be shrunk";
  if (!PutScenario(stored.scenario) || stored.tape.entries.size() > kTapeCapacity) return trial;
  board.question = Question::kRepeat;
  board.find_code = false;
  board.plain_points = stored.run.plain_points;
  board.spurious_cas = stored.run.spurious_cas;
  board.seed = stored.run.seed;
  board.has_tape = stored.has_tape;
  board.tape_given = stored.has_tape ? stored.tape.entries.size() : 0;
  std::copy(stored.tape.entries.begin(), stored.tape.entries.end(), board.given);
  const std::string policy = stored.run.policy.empty() ? "random:0.01" : stored.run.policy;
  Put(board.policy, policy.substr(0, policy.find('+')));
  std::string error;
  if (!stored.has_tape && faults::MakePolicy(board.policy, &error) == nullptr) {
    trial.what = error;
    return trial;
  }
  return Ask();
}

Trial ShrinkRunner::DrawAsCampaign(const Scenario& scenario, uint64_t seed) {
  Board& board = *board_;
  if (!PutScenario(scenario)) return {};
  board.question = Question::kCampaign;
  board.find_code = false;
  board.seed = seed;
  return Ask();
}

Trial ShrinkRunner::Draw(const Story& story, const std::string& policy, uint64_t seed, uint64_t steps) {
  Board& board = *board_;
  if (!PutScenario(story.scenario)) return {};
  board.question = Question::kDraw;
  board.find_code = false;
  board.plain_points = story.plain_points;
  board.spurious_cas = story.spurious_cas;
  board.seed = story.seed;
  board.draw_seed = seed;
  board.draw_steps = steps;
  Put(board.policy, policy);
  return Ask();
}

bool ShrinkRunner::TakeSchedule(Story* story) const {
  const ScheduleLog& log = board_->log;
  if (log.overflow) return false;
  log.CopyTo(&story->schedule);
  const size_t lives = story->scenario.incarnations.size();
  story->schedule.crashes.resize(std::min<size_t>(lives, kMaxLives));
  for (size_t i = 0; i + 1 < lives && i < kMaxLives; ++i) {
    if (log.crashed[i]) story->scenario.incarnations[i].crash = log.crash[i];
  }
  story->seed = board_->seed;
  story->plain_points = board_->plain_points;
  story->spurious_cas = board_->spurious_cas;
  return true;
}

const faults::TapeEntry* ShrinkRunner::tape() const { return board_->tape; }
size_t ShrinkRunner::tape_entries() const { return std::min<size_t>(board_->tape_entries, kTapeCapacity); }

}  // namespace experiments
