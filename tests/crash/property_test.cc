// The property of the whole testbed, with RapidCheck: whatever sessions, operations, checkpoints, geometry
// and faults, and wherever it is crashed, the engine comes back as a prefix of every session.
//
// RapidCheck generates and shrinks what is done (the Scenario); each one is run under several schedules. The
// smallest failing scenario is stored as a folder that `./cpr replay` shows. RC_PARAMS sets how many and with
// which seed.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>

#include "experiments/common/cli.h"
#include "experiments/common/results.h"
#include "experiments/crash/execution.h"
#include "experiments/crash/finding.h"
#include "faults/sched/policy.h"

namespace experiments {

// How RapidCheck prints what it drew; the whole scenario follows in its log.
std::ostream& operator<<(std::ostream& out, const Action& action) { return out << ActionText(action); }
std::ostream& operator<<(std::ostream& out, const CrashPoint& crash) {
  return out << "crash " << crash.delay << (crash.events ? " events" : " steps") << " after anchor "
             << static_cast<int>(crash.anchor);
}
std::ostream& operator<<(std::ostream& out, const SubjectConfig& config) {
  return out << "values of " << config.value_bytes << " bytes, blocks of " << config.block_bytes;
}

namespace {

using Anchor = CrashPoint::Anchor;

constexpr uint32_t kKeys = 4;
constexpr const char* kPolicies[] = {"random:0.1", "random:0.01", "pct:3", "random:0.003"};

rc::Gen<Action> OperationGen() {
  return rc::gen::map(rc::gen::tuple(rc::gen::weightedElement<Verb>({{6, Verb::kRmw},
                                                                     {4, Verb::kUpsert},
                                                                     {3, Verb::kRead},
                                                                     {2, Verb::kDelete},
                                                                     {1, Verb::kRefresh},
                                                                     {1, Verb::kComplete},
                                                                     {1, Verb::kCompleteWait},
                                                                     {1, Verb::kPause},
                                                                     {1, Verb::kAwaitPhase},
                                                                     {1, Verb::kClose},
                                                                     {1, Verb::kOpen},
                                                                     {1, Verb::kContinue}}),
                                     rc::gen::inRange<uint32_t>(0, kKeys)),
                      [](const std::tuple<Verb, uint32_t>& drawn) {
                        return Action{std::get<0>(drawn), std::get<1>(drawn), {}};
                      });
}

rc::Gen<Action> RequestGen() {
  return rc::gen::map(
      rc::gen::tuple(rc::gen::inRange(0, kCheckpointKinds + 3), rc::gen::inRange<uint32_t>(0, 12)),
      [](const std::tuple<int, uint32_t>& drawn) {
        const int what = std::get<0>(drawn);
        if (what < kCheckpointKinds) return Action{Verb::kCheckpoint, 0, KindOf(what)};
        if (what == kCheckpointKinds) return Action{Verb::kAwaitOperations, std::get<1>(drawn), {}};
        return Action{Verb::kAwaitCheckpoint, 0, {}};
      });
}

rc::Gen<CrashPoint> CrashGen() {
  return rc::gen::map(rc::gen::tuple(rc::gen::inRange(1, 6), rc::gen::inRange<uint32_t>(1, kPhaseNames),
                                     rc::gen::inRange<uint32_t>(0, 2), rc::gen::arbitrary<bool>(),
                                     rc::gen::inRange<uint32_t>(0, 400)),
                      [](const std::tuple<int, uint32_t, uint32_t, bool, uint32_t>& drawn) {
                        CrashPoint crash;
                        crash.anchor = static_cast<Anchor>(std::get<0>(drawn));
                        crash.phase = std::get<1>(drawn);
                        crash.checkpoint = std::get<2>(drawn);
                        crash.events = std::get<3>(drawn);
                        crash.delay = crash.events ? std::get<4>(drawn) / 40 : std::get<4>(drawn) * 4;
                        return crash;
                      });
}

rc::Gen<SubjectConfig> GeometryGen() {
  return rc::gen::map(
      rc::gen::tuple(rc::gen::arbitrary<bool>(), rc::gen::inRange(0, 3), rc::gen::inRange(0, 4),
                     rc::gen::inRange(1, 3), rc::gen::arbitrary<bool>()),
      [](const std::tuple<bool, int, int, int, bool>& drawn) {
        SubjectConfig config;
        config.value_bytes = std::get<0>(drawn) ? 256 : 8;
        config.block_bytes = std::get<0>(drawn) ? 512 : 64u << std::get<1>(drawn);
        config.hash = static_cast<HashMode>(std::get<2>(drawn));
        config.mutable_pages = static_cast<uint32_t>(std::get<3>(drawn));
        config.refresh_interval = std::get<4>(drawn) ? 4 : 1;
        return config;
      });
}

rc::Gen<std::string> FaultsGen() {
  return rc::gen::weightedElement<std::string>({{12, ""},
                                                {1, "eio:write:*:2nd"},
                                                {1, "eio:sync:*:1st"},
                                                {1, "short:write:*:1st"},
                                                {1, "eio:meta:*:2nd"}});
}

Scenario ScenarioFrom(const SubjectConfig& geometry, const std::vector<std::vector<Action>>& sessions,
                      const std::vector<Action>& requests, const CrashPoint& crash,
                      const std::vector<std::vector<Action>>& afterwards, const std::string& faults,
                      bool on_disk) {
  Scenario scenario;
  scenario.name = "property";
  scenario.geometry = geometry;
  scenario.keys = scenario.preload = kKeys;
  scenario.filler = !on_disk ? 0 : geometry.value_bytes == 256 ? 4 : 46;
  scenario.faults = faults;
  scenario.incarnations.resize(2);
  const auto add = [](Incarnation* incarnation, const std::vector<std::vector<Action>>& scripts,
                      bool replays) {
    for (const std::vector<Action>& script : scripts) {
      Actor actor;
      actor.name = "session " + std::to_string(incarnation->actors.size() + 1);
      if (replays) actor.actions.push_back({Verb::kReplay, 0, {}});
      actor.actions.insert(actor.actions.end(), script.begin(), script.end());
      incarnation->actors.push_back(actor);
    }
  };
  add(&scenario.incarnations[0], sessions, false);
  scenario.incarnations[0].actors.push_back({"driver", requests, false});
  scenario.incarnations[0].crash = crash;
  add(&scenario.incarnations[1], afterwards, true);
  return scenario;
}

// Runs scenarios under some schedules and stores what fails; a later failure replaces an earlier one, so that
// after shrinking the smallest is left.
class Hunter {
 public:
  Hunter() {
    std::string error;
    const char* path = std::getenv("CPR_SUBJECT");
    loaded_ = library_.Load(path != nullptr ? path : PROPERTY_SUBJECT, &error);
    if (!loaded_) ADD_FAILURE() << error;
    scheduler_.reset(faults::Scheduler::Create());
    execution_ = std::make_unique<Execution>(&library_, scheduler_.get());
    folder_ = std::string(std::getenv("TMPDIR") != nullptr ? std::getenv("TMPDIR") : "/tmp") +
              "/cpr-property-failure";
  }
  // "" or what is violated.
  std::string Hunt(const Scenario& scenario) {
    for (uint64_t seed = 1; loaded_ && seed <= 4; ++seed) {
      const char* name = kPolicies[seed - 1];
      std::string error;
      const std::unique_ptr<faults::Policy> policy = faults::MakePolicy(name, &error);
      std::vector<faults::TapeEntry> tape(1 << 16);
      How how;
      how.seed = seed;
      how.policy = policy.get();
      how.tape = tape.data();
      how.tape_capacity = tape.size();
      const ExecutionResult& result = execution_->Run(scenario, how);
      if (!result.violation && !result.harness_error) continue;
      tape.resize(std::min<size_t>(tape.size(), result.tape_entries));
      Store(scenario, how, name, result, tape);
      return result.rule + ": " + result.what;
    }
    return "";
  }
  const std::string& folder() const { return folder_; }

 private:
  void Store(const Scenario& scenario, const How& how, const char* policy, const ExecutionResult& result,
             const std::vector<faults::TapeEntry>& tape) {
    StoredExecution stored;
    stored.scenario = scenario;
    stored.run = {how.seed,        policy,      true,        false, result.hash, library_.identity(),
                  library_.path(), result.rule, result.what, "",    ""};
    stored.has_tape = true;
    faults::Scheduler::Options options;
    stored.tape.header = faults::MakeTapeHeader(options, how.seed, "", scenario.name);
    stored.tape.entries = tape;
    std::string error;
    if (!StoreExecution(folder_, stored, &error) ||
        !StoreVerdict(folder_, result, execution_->history(), &error)) {
      ADD_FAILURE() << error;
    }
  }

  SubjectLibrary library_;
  bool loaded_ = false;
  std::unique_ptr<faults::Scheduler> scheduler_;
  std::unique_ptr<Execution> execution_;
  std::string folder_;
};

TEST(CrashProperty, EverySessionComesBackAsAPrefix) {
  static Hunter hunter;
  const bool good = rc::check("every session comes back as a prefix", [] {
    const auto scripts = rc::gen::container<std::vector<std::vector<Action>>>(
        rc::gen::container<std::vector<Action>>(OperationGen()));
    const auto sessions = *rc::gen::resize(6, scripts);
    const auto requests = *rc::gen::resize(6, rc::gen::container<std::vector<Action>>(RequestGen()));
    const auto afterwards = *rc::gen::resize(3, scripts);
    const Scenario scenario = ScenarioFrom(*GeometryGen(), sessions, requests, *CrashGen(), afterwards,
                                           *FaultsGen(), *rc::gen::arbitrary<bool>());
    RC_PRE(CheckScenario(scenario).empty());
    const std::string wrong = hunter.Hunt(scenario);
    RC_LOG() << ScenarioJson(scenario);
    if (!wrong.empty()) RC_FAIL(wrong);
  });
  EXPECT_TRUE(good) << "the smallest failing scenario; replay it with:\n./cpr replay "
                    << ShellQuote(hunter.folder());
}

}  // namespace
}  // namespace experiments
