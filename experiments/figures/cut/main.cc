// figure-cut: how far the cuts of CPR are from points in real time, how long a commit takes and what a crash
// would lose (ours; no paper measures it).
#include "experiments/figures/cut/cut_run.h"
#include "experiments/figures/program.h"

namespace {

namespace figures = experiments::figures;
using figures::Outcome;

struct Settings {
  uint64_t sessions, keys, refresh_interval;
  double period_ms, seconds, poll_us;
  std::string backend, shift;
  bool sync;
};

void Declare(figures::Program* p, Settings* s) {
  p->AddNumber("sessions", "a thread each", &s->sessions, 1, 64);
  p->AddNumber("keys", "counters that they add to, drawn uniformly", &s->keys, 1, 100'000'000);
  p->AddNumber("refresh_interval", "operations between looks at the phase", &s->refresh_interval, 1, 1 << 20);
  p->AddReal("period_ms", "between requests of checkpoints of the log", &s->period_ms, 0.1, 1e6);
  p->AddReal("seconds", "of load", &s->seconds, 0.05, 1e5);
  p->AddReal("poll_us", "between polls of a running checkpoint", &s->poll_us, 0, 1e6);
  p->AddChoice("backend", "how the log is written", &s->backend, {"foldover", "snapshot"});
  p->AddChoice("shift", "how versions are kept apart", &s->shift, {"fine", "coarse"});
  p->AddFlag("sync", "files are synced", &s->sync);
}

Outcome Measure(const Settings& s, const figures::Cell& cell, figures::Output* output, std::string* problem) {
  std::string folder;
  if (!output->WorkFolder(&folder, problem)) return Outcome::kRefused;
  figures::CutPlan plan;
  plan.sessions = static_cast<uint32_t>(s.sessions);
  plan.keys = s.keys;
  plan.refresh_interval = static_cast<uint32_t>(s.refresh_interval);
  plan.period_ns = static_cast<uint64_t>(s.period_ms * 1e6);
  plan.duration_ns = static_cast<uint64_t>(s.seconds * 1e9);
  plan.poll_ns = static_cast<uint64_t>(s.poll_us * 1e3);
  plan.snapshot = s.backend == "snapshot";
  plan.sync = s.sync;
  plan.shift = s.shift == "fine" ? faster::ShiftScheme::kFine : faster::ShiftScheme::kCoarse;
  plan.seed = cell.seed;
  figures::CutResult result;
  if (!RunCuts(plan, folder, &result, problem))
    return result.violated ? Outcome::kViolated : Outcome::kRefused;
  output->Threads(s.sessions);
  for (const auto& [name, value] : MetricsOf(result.cuts, result.losses)) output->Metric(name, value);
  output->Metric("unplaced", static_cast<double>(result.unplaced));
  const double rate = static_cast<double>(result.operations) / result.seconds;
  output->Metric("mops", rate / 1e6);
  // What a cut spans, in operations of one session at its average rate.
  for (const auto& [name, value] : MetricsOf(result.cuts, {}))
    if (name == "spread_us")
      output->Metric("spread_operations", value * 1e-6 * rate / static_cast<double>(s.sessions));
  for (const auto& [name, value] : MetricsOf(result.cuts, result.losses)) {
    // A crash at any moment, half a period after a request on average, when its commit was not yet durable.
    if (name == "lost_ms") {
      double commit = 0;
      for (const auto& [other, ms] : MetricsOf(result.cuts, {}))
        if (other == "commit_ms") commit = ms;
      output->Metric("lost_over_expected", value / (s.period_ms / 2 + commit));
    }
  }
  return Outcome::kMeasured;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  figures::Program program("figure-cut", "The cuts of CPR in real time, and what a crash would lose.");
  Declare(&program, &settings);
  return program.Run(argc, argv,
                     [&](const figures::Cell& cell, figures::Output* output, std::string* problem) {
                       return Measure(settings, cell, output, problem);
                     });
}
