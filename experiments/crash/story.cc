#include "experiments/crash/story.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

namespace experiments {
namespace {

constexpr uint32_t kGone = ~0u;
using Type = Decision::Type;

// The actor whose lane this is; null: another fiber's.
const Actor* ActorOf(const Scenario& scenario, const Lane& lane) {
  if (lane.incarnation >= scenario.incarnations.size()) return nullptr;
  uint32_t ordinal = lane.ordinal;
  for (const Actor& actor : scenario.incarnations[lane.incarnation].actors) {
    if (std::strncmp(actor.name.c_str(), lane.name, sizeof lane.name - 1) != 0) continue;
    if (ordinal-- == 0) return &actor;
  }
  return nullptr;
}

// Old action -> new one for the actions of one actor; for one that is gone, the next that is left.
struct Moves {
  std::vector<uint32_t> to;
  std::vector<bool> gone;
  uint32_t left = 0;
};

Moves MovesOf(const std::vector<bool>& stays) {
  Moves moves;
  moves.gone.resize(stays.size());
  for (size_t i = 0; i < stays.size(); ++i) {
    moves.to.push_back(moves.left);
    moves.gone[i] = !stays[i];
    moves.left += stays[i];
  }
  return moves;
}

// Of a decision or a crash: false if it has no place any more. One whose action is gone is early in the next
// one, if it `may_go_on` there.
template <class At>
bool Move(const Moves& moves, bool may_go_on, At* at) {
  if (at->action >= moves.to.size()) return true;
  const bool gone = moves.gone[at->action];
  at->action = moves.to[at->action];
  if (!gone) return true;
  at->at = 1;
  return may_go_on && at->action < moves.left;
}

void CrashAtRest(Story* story, size_t incarnation) {
  story->schedule.crashes[incarnation].set = false;
  story->scenario.incarnations[incarnation].crash = {};
  story->scenario.incarnations[incarnation].crash.anchor = CrashPoint::Anchor::kEnd;
}

// The operations that `replay` in this actor of incarnation `i` does again, if all of them were lost.
std::vector<Action> Replayed(const Scenario& scenario, size_t i, const Actor& actor) {
  std::vector<Action> operations;
  if (i == 0) return operations;
  for (const Actor& before : scenario.incarnations[i - 1].actors) {
    if (before.name != actor.name) continue;
    for (const Action& action : before.actions) {
      if (action.verb <= Verb::kInsert) operations.push_back(action);
    }
  }
  return operations;
}

size_t Rules(const std::string& plan) { return FaultRules(plan).size(); }

}  // namespace

bool IsOperation(Verb verb) { return verb <= Verb::kTruncate; }

bool UsesSession(Verb verb) {
  return verb <= Verb::kCompleteWait || verb == Verb::kOpen || verb == Verb::kContinue ||
         verb == Verb::kReplay;
}

std::vector<std::string> FaultRules(const std::string& plan) {
  std::vector<std::string> rules;
  for (size_t from = 0; from < plan.size();) {
    const size_t comma = std::min(plan.find(',', from), plan.size());
    rules.push_back(plan.substr(from, comma - from));
    from = comma + 1;
  }
  return rules;
}

std::string JoinRules(const std::vector<std::string>& rules) {
  std::string plan;
  for (const std::string& rule : rules) plan += (plan.empty() ? "" : ",") + rule;
  return plan;
}

StorySize SizeOf(const Story& story) {
  StorySize size;
  std::set<std::string> sessions;
  const Scenario& scenario = story.scenario;
  for (size_t i = 0; i < scenario.incarnations.size(); ++i) {
    const Incarnation& incarnation = scenario.incarnations[i];
    size.crashes += incarnation.recovery_crashes.size();
    size.crashes += incarnation.crash.anchor != CrashPoint::Anchor::kNone;
    for (const Actor& actor : incarnation.actors) {
      for (const Action& action : actor.actions) {
        ++(IsOperation(action.verb) ? size.operations : size.actions);
        if (action.verb == Verb::kReplay) size.operations += Replayed(scenario, i, actor).size();
        if (UsesSession(action.verb)) sessions.insert(actor.name);
      }
    }
  }
  size.sessions = sessions.size();
  size.faults = Rules(scenario.faults) + Rules(scenario.recovery_faults);
  size.preloaded = scenario.preload + scenario.filler;
  for (const Decision& decision : story.schedule.decisions) {
    if (decision.usual) continue;
    if (decision.type == Type::kPreempt)
      ++size.preemptions;
    else if (decision.type == Type::kPick)
      ++size.picks;
    else
      ++(decision.kind == faults::ChoiceKind::kSectorFate ? size.fates : size.choices);
  }
  return size;
}

bool Smaller(const StorySize& a, const StorySize& b) {
  const auto rank = [](const StorySize& s) {
    const uint64_t weight = 3 * s.preemptions + 2 * (s.operations + s.faults + s.fates) + s.picks +
                            s.choices + s.actions + s.sessions + s.crashes;
    return std::make_pair(weight, s.preloaded);
  };
  return rank(a) < rank(b);
}

std::vector<ActionRef> ActionsOf(const Scenario& scenario) {
  std::vector<ActionRef> actions;
  for (size_t i = 0; i < scenario.incarnations.size(); ++i) {
    for (size_t a = 0; a < scenario.incarnations[i].actors.size(); ++a) {
      for (size_t k = 0; k < scenario.incarnations[i].actors[a].actions.size(); ++k)
        actions.push_back({i, a, k});
    }
  }
  return actions;
}

Story KeepActions(const Story& story, const std::vector<size_t>& kept) {
  Story result = story;
  const std::vector<ActionRef> all = ActionsOf(story.scenario);
  std::vector<bool> stays(all.size());
  for (const size_t index : kept) stays[index] = true;
  std::vector<std::pair<const Actor*, Moves>> moves;
  size_t next = 0;
  for (size_t i = 0; i < story.scenario.incarnations.size(); ++i) {
    for (size_t a = 0; a < story.scenario.incarnations[i].actors.size(); ++a) {
      const Actor& actor = story.scenario.incarnations[i].actors[a];
      std::vector<bool> here(stays.begin() + static_cast<ptrdiff_t>(next),
                             stays.begin() + static_cast<ptrdiff_t>(next + actor.actions.size()));
      next += actor.actions.size();
      std::vector<Action>& left = result.scenario.incarnations[i].actors[a].actions;
      left.clear();
      for (size_t k = 0; k < here.size(); ++k) {
        if (here[k]) left.push_back(actor.actions[k]);
      }
      moves.emplace_back(&actor, MovesOf(here));
    }
  }
  const auto moves_of = [&](uint32_t lane) -> const Moves* {
    const Actor* const actor = ActorOf(story.scenario, story.schedule.lanes[lane]);
    for (const auto& entry : moves) {
      if (entry.first == actor) return &entry.second;
    }
    return nullptr;
  };
  std::erase_if(result.schedule.decisions, [&](Decision& decision) {
    const Moves* const there = moves_of(decision.lane);
    return there != nullptr && !Move(*there, decision.type == Type::kPreempt, &decision);
  });
  for (size_t i = 0; i + 1 < result.scenario.incarnations.size() && i < result.schedule.crashes.size(); ++i) {
    Place& place = result.schedule.crashes[i];
    const Moves* const there = place.set ? moves_of(place.lane) : nullptr;
    if (there != nullptr && !Move(*there, true, &place)) CrashAtRest(&result, i);
  }
  return result;
}

Story WithoutActor(const Story& story, size_t incarnation, size_t actor) {
  Story result = story;
  const Actor* const gone = &story.scenario.incarnations[incarnation].actors[actor];
  std::vector<Actor>& actors = result.scenario.incarnations[incarnation].actors;
  actors.erase(actors.begin() + static_cast<ptrdiff_t>(actor));
  const auto of_it = [&](uint32_t lane) {
    return ActorOf(story.scenario, story.schedule.lanes[lane]) == gone;
  };
  std::erase_if(result.schedule.decisions, [&](const Decision& decision) { return of_it(decision.lane); });
  for (size_t i = 0; i + 1 < result.scenario.incarnations.size() && i < result.schedule.crashes.size(); ++i) {
    if (result.schedule.crashes[i].set && of_it(result.schedule.crashes[i].lane)) CrashAtRest(&result, i);
  }
  return result;
}

Story WithoutIncarnation(const Story& story, size_t incarnation) {
  Story result = story;
  std::vector<Incarnation>& lives = result.scenario.incarnations;
  const bool last = incarnation + 1 == lives.size();
  lives.erase(lives.begin() + static_cast<ptrdiff_t>(incarnation));
  if (lives.empty()) return result;
  if (last) lives.back().crash = {};
  lives.front().named = false;
  lives.front().back = 0;
  lives.front().recovery_crashes.clear();
  for (Lane& lane : result.schedule.lanes) {
    if (lane.incarnation == incarnation)
      lane.incarnation = kGone;
    else if (lane.incarnation > incarnation && lane.incarnation != kGone)
      --lane.incarnation;
  }
  std::vector<Place>& crashes = result.schedule.crashes;
  if (incarnation < crashes.size()) crashes.erase(crashes.begin() + static_cast<ptrdiff_t>(incarnation));
  if (last && !crashes.empty()) crashes.back().set = false;
  return result;
}

Story EndingWith(const Story& story, size_t incarnation) {
  Story result = story;
  result.scenario.incarnations.resize(incarnation + 1);
  result.scenario.incarnations.back().crash = {};
  result.schedule.crashes.resize(std::min(result.schedule.crashes.size(), incarnation + 1));
  if (result.schedule.crashes.size() == incarnation + 1) result.schedule.crashes.back().set = false;
  return result;
}

bool WithoutReplays(const Story& story, Story* result) {
  bool any = false;
  *result = story;
  for (size_t i = 0; i < story.scenario.incarnations.size(); ++i) {
    for (Actor& actor : result->scenario.incarnations[i].actors) {
      std::vector<Action> actions;
      for (const Action& action : actor.actions) {
        if (action.verb != Verb::kReplay) {
          actions.push_back(action);
          continue;
        }
        any = true;
        // Of the result: a life before may have had replays of its own.
        const std::vector<Action> again = Replayed(result->scenario, i, actor);
        actions.insert(actions.end(), again.begin(), again.end());
      }
      actor.actions = std::move(actions);
    }
  }
  return any;
}

Story WithFewKeys(const Story& story) {
  Story result = story;
  std::set<uint32_t> used;
  for (const ActionRef& ref : ActionsOf(story.scenario)) {
    const Action& action = story.scenario.incarnations[ref.incarnation].actors[ref.actor].actions[ref.action];
    if (action.verb <= Verb::kInsert) used.insert(action.number);
  }
  for (Incarnation& incarnation : result.scenario.incarnations) {
    for (Actor& actor : incarnation.actors) {
      for (Action& action : actor.actions) {
        if (action.verb > Verb::kInsert) continue;
        action.number = static_cast<uint32_t>(std::distance(used.begin(), used.find(action.number)));
      }
    }
  }
  // Keys written before and used by nobody are of no interest; the others keep being there.
  const auto preloaded = std::distance(used.begin(), used.lower_bound(story.scenario.preload));
  result.scenario.preload = static_cast<uint32_t>(preloaded);
  result.scenario.keys = std::max<uint32_t>(1, static_cast<uint32_t>(used.size()));
  return result;
}

std::vector<size_t> Deviations(const Schedule& schedule) {
  std::vector<size_t> indexes;
  for (size_t i = 0; i < schedule.decisions.size(); ++i) {
    if (!schedule.decisions[i].usual) indexes.push_back(i);
  }
  return indexes;
}

Story KeepDecisions(const Story& story, const std::vector<size_t>& kept) {
  Story result = story;
  result.schedule.decisions.clear();
  size_t next = 0;
  for (size_t i = 0; i < story.schedule.decisions.size(); ++i) {
    const bool chosen = next < kept.size() && kept[next] == i;
    next += chosen;
    if (chosen || story.schedule.decisions[i].usual)
      result.schedule.decisions.push_back(story.schedule.decisions[i]);
  }
  return result;
}

}  // namespace experiments
