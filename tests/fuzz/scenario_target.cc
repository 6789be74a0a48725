// A scenario file of the crash campaign, and the texts in it (actions, fault plans).
#include "experiments/crash/scenario.h"
#include "faults/device/fault_plan.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::Text(data, size);
  std::string error;
  experiments::Scenario scenario;
  if (experiments::ParseScenario(text, &scenario, &error)) {
    const std::string written = experiments::ScenarioJson(scenario);
    experiments::Scenario again;
    fuzz::Require(experiments::ParseScenario(written, &again, &error), "what was written is read: " + error);
    fuzz::Require(experiments::ScenarioJson(again) == written, "writing and reading lose nothing");
    static_cast<void>(experiments::CheckScenario(scenario));
    static_cast<void>(experiments::StepLimit(scenario));
  } else {
    fuzz::Require(!error.empty(), "an error is said");
  }
  faults::FaultPlan plan;
  if (faults::FaultPlan::Parse(text, &plan, &error)) {
    faults::FaultPlan again;
    fuzz::Require(faults::FaultPlan::Parse(plan.Text(), &again, &error), "a plan is read again: " + error);
    fuzz::Require(again.Text() == plan.Text(), "and is the same");
  }
  experiments::Action action;
  if (experiments::ParseAction(text, &action, &error)) {
    experiments::Action again;
    fuzz::Require(experiments::ParseAction(experiments::ActionText(action), &again, &error),
                  "an action is read again: " + error);
  }
  return 0;
}
