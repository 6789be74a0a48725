#include "experiments/txn_crash/txn_scenario.h"

#include <algorithm>

#include "experiments/common/dice.h"

namespace experiments {
namespace {

using Anchor = CrashPoint::Anchor;

TxnPlan DrawPlan(Dice* dice, uint32_t keys, uint32_t blind, uint32_t waits) {
  TxnPlan plan;
  if (dice->Chance(3)) return plan;
  plan.waits = dice->Chance(waits);
  if (plan.waits) return plan;
  const uint32_t count = std::min(keys, dice->Between(1, 4));
  while (plan.uses.size() < count) {
    const uint64_t key = dice->Below(keys);
    if (std::any_of(plan.uses.begin(), plan.uses.end(), [&](const auto& use) { return use.key == key; }))
      continue;
    const bool writes = dice->Chance(60);
    plan.uses.push_back({key, !writes || !dice->Chance(blind), writes});
  }
  return plan;
}

// Aimed: at the phases and the I/O of a commit and just after it became durable; sometimes at any step.
CrashPoint DrawCrash(Dice* dice, uint32_t scheme, uint32_t commits, uint32_t steps) {
  CrashPoint crash;
  if (commits > 0) crash.checkpoint = dice->Below(commits);
  if (commits > 1 && dice->Chance(50))
    crash.checkpoint = dice->Between(1, commits - 1);  // one before it counts
  const uint32_t what = dice->Below(100);
  if (commits == 0 || what < 10) {
    crash.anchor = Anchor::kStart;
    crash.delay = dice->Below(steps);
  } else if (what < 22) {
    crash.anchor = Anchor::kRequest;
    crash.events = dice->Chance(60);
    crash.delay = crash.events ? dice->Below(24) : dice->Skewed(steps);
  } else if (what < 55) {
    crash.anchor = Anchor::kPhase;
    crash.phase = scheme == 2 ? 3 : scheme == 1 ? dice->Between(2, 3) : dice->Between(1, 3);
    crash.events = dice->Chance(40);
    crash.delay = crash.events ? dice->Below(20) : dice->Skewed(600);
  } else if (what < 95) {
    crash.anchor = Anchor::kDurable;
    crash.delay = dice->Skewed(500);
  } else {
    crash.anchor = Anchor::kEnd;
  }
  return crash;
}

void DrawFaults(Dice* dice, TxnScenario* scenario) {
  static constexpr const char* kRules[] = {"eio:write:*",   "eio:sync:*",     "eio:dirsync:*",
                                           "short:write:*", "enospc:write:*", "slow:any:*"};
  scenario->faults = dice->Pick(kRules);
  if (dice->Chance(40))
    scenario->faults += ":p=1/" + std::to_string(dice->Between(4, 30));
  else
    scenario->faults += ":" + std::to_string(dice->Between(4, 12)) + "th";
}

}  // namespace

TxnScenario DrawTxnScenario(const std::vector<uint32_t>& schemes, uint64_t seed) {
  Dice dice(MixSeed(seed, 0x7a5c));
  TxnScenario scenario;
  TxnSubjectConfig& store = scenario.store;
  store.scheme = schemes[dice.Below(static_cast<uint32_t>(schemes.size()))];
  store.keys = dice.Between(1, 6);
  store.value_words = dice.Chance(60) ? dice.Between(1, 2) : dice.Between(3, 12);
  store.refresh_interval = dice.Chance(60) ? 1 : dice.Between(2, 4);
  store.log_ring_bytes = dice.Chance(70) ? 1 << 16 : 2048;
  static constexpr uint32_t kSectors[] = {512, 512, 512, 64, 4096};
  scenario.sector_bytes = dice.Pick(kSectors);
  scenario.sector_mix = dice.Chance(25);
  scenario.device_fibers = dice.Between(1, 3);
  scenario.tries = dice.Between(1, 4);
  if (dice.Chance(12)) DrawFaults(&dice, &scenario);
  static constexpr uint32_t kBlind[] = {0, 0, 20, 60};
  const uint32_t blind = dice.Pick(kBlind);
  const uint32_t waits = dice.Chance(30) ? 0 : dice.Between(5, 30);
  const uint32_t lives = dice.Between(2, 3), clients = dice.Between(2, 4);
  for (uint32_t l = 0; l < lives; ++l) {
    TxnLife life;
    const uint32_t transactions = dice.Between(2, 9);
    for (uint32_t c = 0; c < clients; ++c) {
      TxnActor actor;
      actor.closes = dice.Chance(60);
      for (uint32_t t = dice.Chance(10) ? 0 : dice.Between(1, transactions); t > 0; --t)
        actor.plans.push_back(DrawPlan(&dice, store.keys, blind, waits));
      life.actors.push_back(actor);
    }
    uint32_t at = 0;
    for (uint32_t k = dice.Chance(8) ? 0 : dice.Between(1, 3); k > 0; --k) {
      at += dice.Below(transactions + 2);
      life.commits.push_back(at);
    }
    if (l > 0 && dice.Chance(25)) {
      for (uint32_t n = dice.Between(1, 2); n > 0; --n) {
        CrashPoint crash;
        crash.anchor = Anchor::kStart;
        crash.events = dice.Chance(60);
        crash.delay = crash.events ? dice.Below(16) : dice.Skewed(600);
        life.recovery_crashes.push_back(crash);
      }
    }
    if (l + 1 < lives)
      life.crash = DrawCrash(&dice, store.scheme, static_cast<uint32_t>(life.commits.size()),
                             120 * transactions * clients);
    scenario.lives.push_back(life);
  }
  return scenario;
}

std::string TxnPlanText(const TxnPlan& plan) {
  std::string text;
  for (const TxnPlan::Use& use : plan.uses)
    text += std::string(text.empty() ? "" : " ") +
            (use.reads && use.writes ? "u"
             : use.writes            ? "w"
                                     : "r") +
            std::to_string(use.key);
  return !text.empty() ? text : plan.waits ? "await-phase" : "refresh";
}

bool ParseTxnPlan(const std::string& text, TxnPlan* plan) {
  plan->uses.clear();
  plan->waits = text == "await-phase";
  if (plan->waits || text == "refresh") return true;
  for (size_t at = 0; at < text.size();) {
    const char kind = text[at++];
    if (kind != 'r' && kind != 'w' && kind != 'u') return false;
    uint64_t key = 0;
    const size_t digits = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && at - digits < 9; ++at)
      key = key * 10 + static_cast<uint64_t>(text[at] - '0');
    if (at == digits || (at < text.size() && text[at++] != ' ')) return false;
    for (const TxnPlan::Use& use : plan->uses)
      if (use.key == key) return false;
    plan->uses.push_back({key, kind != 'w', kind != 'r'});
  }
  return !plan->uses.empty();
}

}  // namespace experiments
