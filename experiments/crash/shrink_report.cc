#include "experiments/crash/shrink_report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "experiments/common/cli.h"
#include "experiments/common/progress.h"
#include "experiments/common/results.h"

namespace experiments {
namespace {

using Json = nlohmann::ordered_json;
using Anchor = CrashPoint::Anchor;
using Type = Decision::Type;

struct SizeRow {
  const char* name;  // of the table
  const char* key;   // of the JSON form
  uint64_t StorySize::*member;
};
constexpr SizeRow kRows[] = {
    {"operations", "operations", &StorySize::operations},
    {"other actions", "actions", &StorySize::actions},
    {"sessions", "sessions", &StorySize::sessions},
    {"preemptions", "preemptions", &StorySize::preemptions},
    {"other switches", "picks", &StorySize::picks},
    {"faults", "faults", &StorySize::faults},
    {"sector fates", "fates", &StorySize::fates},
    {"other choices", "choices", &StorySize::choices},
    {"crashes", "crashes", &StorySize::crashes},
    {"keys written before", "preloaded", &StorySize::preloaded},
};

Json SizeJson(const StorySize& size, uint64_t steps) {
  Json json;
  for (const SizeRow& row : kRows) json[row.key] = size.*row.member;
  json["steps"] = steps;
  return json;
}

std::string Ordinal(uint64_t number) {
  const bool teen = number % 100 / 10 == 1;
  const char* end = teen               ? "th"
                    : number % 10 == 1 ? "st"
                    : number % 10 == 2 ? "nd"
                    : number % 10 == 3 ? "rd"
                                       : "th";
  return std::to_string(number) + end;
}

// The actor behind a lane, null for another fiber's.
const Actor* FindActor(const Scenario& scenario, const Lane& lane) {
  if (lane.incarnation >= scenario.incarnations.size()) return nullptr;
  for (const Actor& actor : scenario.incarnations[lane.incarnation].actors) {
    if (actor.name == lane.name) return &actor;
  }
  return nullptr;
}

std::string LaneText(const Story& story, uint32_t lane) {
  const Lane& named = story.schedule.lanes[lane];
  const bool numbered = FindActor(story.scenario, named) == nullptr && named.ordinal != 0;
  return "'" + std::string(named.name) + "'" + (numbered ? " no. " + std::to_string(named.ordinal + 1) : "");
}

std::string PlaceText(const Story& story, const Decision& decision) {
  const Actor* const actor = FindActor(story.scenario, story.schedule.lanes[decision.lane]);
  if (actor == nullptr || decision.action >= actor->actions.size()) return "";
  return " in `" + ActionText(actor->actions[decision.action]) + "`";
}

std::string ChoiceText(const Story& story, const Decision& decision) {
  const std::string nth = Ordinal(decision.at + 1);
  const std::string life =
      story.scenario.incarnations.size() < 2
          ? ""
          : " of life " + std::to_string(story.schedule.lanes[decision.lane].incarnation + 1);
  switch (decision.kind) {
    case faults::ChoiceKind::kSectorFate:
      return "the " + nth + " sector, size or name that recovery asks for" + life +
             " is not the newest one (alternative " + std::to_string(decision.value) + " of " +
             std::to_string(decision.count - 1) + ")";
    case faults::ChoiceKind::kIoPick:
      return "the device completes request " + std::to_string(decision.value + 1) + " of " +
             std::to_string(decision.count) + " waiting ones first (" + nth + " time)" + life;
    case faults::ChoiceKind::kIoFate:
      return "the " + nth + " fault" + life + " has effect " + std::to_string(decision.value) + " of " +
             std::to_string(decision.count - 1);
    case faults::ChoiceKind::kCasFailure:
      return "a weak compare-exchange of " + LaneText(story, decision.lane) + PlaceText(story, decision) +
             " fails";
    default:
      return std::string("choice ") + ChoiceKindName(decision.kind) + " of " +
             LaneText(story, decision.lane) + ": " + std::to_string(decision.value);
  }
}

std::string PreloadText(const Scenario& scenario) {
  std::string text;
  if (scenario.preload > 0)
    text += "keys 0 to " + std::to_string(scenario.preload - 1) + " are written before";
  if (scenario.filler > 0)
    text += (text.empty() ? "" : "; ") + std::to_string(scenario.filler) + " more keys fill the log";
  return text;
}

}  // namespace

std::string SourceLine(const std::string& library, uint64_t offset) {
  if (offset == 0) return "";
  char hex[32];
  std::snprintf(hex, sizeof hex, "0x%llx", static_cast<unsigned long long>(offset - 1));
  const std::string command = "addr2line -i -e " + ShellQuote(library) + " " + hex + " 2>/dev/null";
  FILE* const lines = popen(command.c_str(), "r");
  if (lines == nullptr) return "";
  char line[4096];
  std::string found;
  // Of inlined calls the innermost that is not the standard library's.
  while (std::fgets(line, sizeof line, lines) != nullptr) {
    std::string text = line;
    text = text.substr(0, text.find_first_of("\n "));
    const bool system = text.starts_with("/usr/") || text.starts_with("??");
    if (found.empty() && !system) found = text;
  }
  pclose(lines);
  return found.substr(found.rfind('/') + 1);
}

std::string CrashInWords(const CrashPoint& crash) {
  const std::string delay = std::to_string(crash.delay) + (crash.events       ? " events"
                                                           : crash.delay == 1 ? " step"
                                                                              : " steps");
  const std::string checkpoint = Ordinal(crash.checkpoint + 1) + " checkpoint";
  switch (crash.anchor) {
    case Anchor::kNone:
      return "no crash";
    case Anchor::kEnd:
      return "crash when all is done";
    case Anchor::kStart:
      return "crash " + delay + " after the start";
    case Anchor::kRequest:
      return "crash " + delay + " after the " + checkpoint + " is requested";
    case Anchor::kDurable:
      return "crash " + delay + " after the " + checkpoint + " is durable";
    case Anchor::kPhase:
      break;
  }
  const bool growth = crash.phase >= kFirstGrowthPhase;
  return "crash " + delay + " after the " +
         (growth ? Ordinal(crash.checkpoint + 1) + " growth" : checkpoint) + " enters " +
         kPhaseName[crash.phase % kPhaseNames];
}

std::string DecisionInWords(const Story& story, const Decision& decision, const std::string& library) {
  if (decision.type == Type::kChoice) return ChoiceText(story, decision);
  const std::string who = LaneText(story, decision.lane) + PlaceText(story, decision);
  if (decision.type == Type::kPick) {
    const bool start = std::string(story.schedule.lanes[decision.lane].name) == "harness";
    return (start ? std::string("at the start ") : "where " + who + " waits, ") +
           LaneText(story, decision.to) + " goes on instead of the next";
  }
  const std::string line = SourceLine(library, decision.code);
  return who + " is stopped after " + std::to_string(decision.at) + " steps" +
         (line.empty() ? "" : " at " + line) + ", " + LaneText(story, decision.to) + " goes on";
}

std::vector<std::string> StoryInWords(const Story& story, const std::string& library) {
  std::vector<std::string> lines;
  const Scenario& scenario = story.scenario;
  const std::string before = PreloadText(scenario);
  if (!before.empty()) lines.push_back(before);
  if (!scenario.faults.empty()) lines.push_back("faults while sessions work: " + scenario.faults);
  if (!scenario.recovery_faults.empty())
    lines.push_back("faults in the first try of a recovery: " + scenario.recovery_faults);
  for (size_t i = 0; i < scenario.incarnations.size(); ++i) {
    const Incarnation& incarnation = scenario.incarnations[i];
    lines.push_back("life " + std::to_string(i + 1) +
                    (i == 0 ? ", a new store"
                            : ", recovered from the " +
                                  std::string(incarnation.named ? "checkpoint named" : "latest checkpoint")));
    for (const CrashPoint& crash : incarnation.recovery_crashes)
      lines.push_back("  the recovery: " + CrashInWords(crash));
    for (const Actor& actor : incarnation.actors) {
      std::string line = "  '" + actor.name + "': ";
      for (const Action& action : actor.actions)
        line += (&action == actor.actions.data() ? "" : ", ") + ActionText(action);
      lines.push_back(line + (actor.actions.empty() ? "nothing" : ""));
    }
    for (const Decision& decision : story.schedule.decisions) {
      if (decision.usual || story.schedule.lanes[decision.lane].incarnation != i) continue;
      lines.push_back("  * " + DecisionInWords(story, decision, library));
    }
    if (i + 1 < scenario.incarnations.size()) lines.push_back("  " + CrashInWords(incarnation.crash));
  }
  return lines;
}

std::string ShrinkText(const ShrinkReport& report) {
  char line[200];
  std::snprintf(line, sizeof line, "shrunk in %.1f s by %s executions%s\n\n%-22s%10s%10s\n", report.seconds,
                Grouped(report.runs).c_str(), report.minimal ? "" : "; the limit ended it, more may go", "",
                "before", "after");
  std::string text = line;
  const auto row = [&](const char* name, uint64_t before, uint64_t after) {
    std::snprintf(line, sizeof line, "%-22s%10s%10s\n", name, Grouped(before).c_str(),
                  Grouped(after).c_str());
    text += line;
  };
  for (const SizeRow& entry : kRows) row(entry.name, report.before.*entry.member, report.after.*entry.member);
  row("steps", report.steps_before, report.steps_after);
  text += "\nThe story:\n";
  for (const std::string& words : report.story) text += "  " + words + "\n";
  text += "  -> " + report.rule + ": " + report.what + "\n";
  if (!report.same_key) text += "\nThe witness is of another key than before: " + report.what_before + "\n";
  text += "\nEach of these by itself decides; without it:\n";
  size_t idle = 0;
  for (const Flip& flip : report.flips) {
    if (flip.then.empty())
      ++idle;
    else
      text += "  " + flip.what + "\n    -> " + flip.then + "\n";
  }
  if (idle != 0) text += "\nWithout one of these it fails all the same:\n";
  for (const Flip& flip : report.flips) {
    if (flip.then.empty()) text += "  " + flip.what + "\n";
  }
  if (report.untried != 0) text += "\nNo time for " + Grouped(report.untried) + " more\n";
  if (!report.emitted.empty()) {
    text += "\nwritten to " + report.emitted + "; under schedules drawn anew it fails in " +
            Grouped(report.emitted_failures) + " of " + Grouped(report.emitted_runs) + " executions\n";
    if (report.emitted_failures == 0) text += "so a test that hunts it would not find this failure\n";
  }
  return text + "\nresults in " + report.folder + "\n" + report.replay + "\n";
}

std::string ShrinkJson(const ShrinkReport& report) {
  Json json;
  json["format"] = 1;
  json["rule"] = report.rule;
  json["what"] = report.what;
  json["what_before"] = report.what_before;
  json["same_key"] = report.same_key;
  json["before"] = SizeJson(report.before, report.steps_before);
  json["after"] = SizeJson(report.after, report.steps_after);
  json["seconds"] = report.seconds;
  json["executions"] = report.runs;
  json["minimal"] = report.minimal;
  json["story"] = report.story;
  json["untried"] = report.untried;
  json["flips"] = Json::array();
  json["idle"] = Json::array();
  for (const Flip& flip : report.flips) {
    if (flip.then.empty())
      json["idle"].push_back(flip.what);
    else
      json["flips"].push_back({{"decision", flip.what}, {"then", flip.then}});
  }
  if (!report.emitted.empty()) {
    json["emitted"] = {
        {"file", report.emitted}, {"executions", report.emitted_runs}, {"failures", report.emitted_failures}};
  }
  json["folder"] = report.folder;
  json["replay"] = report.replay;
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace experiments
