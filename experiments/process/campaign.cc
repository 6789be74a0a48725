#include "experiments/process/campaign.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/common/progress.h"
#include "experiments/common/results.h"

namespace experiments::process {
namespace {

constexpr double kBigShare = 0.45;   // of the time
constexpr uint32_t kSmallLives = 4;  // kills of one small store at most
constexpr uint32_t kBigLives = 5;

class Runner {
 public:
  explicit Runner(const CampaignOptions& options)
      : options_(options), dice_(options.seed), start_(MonotonicSeconds()) {}

  CampaignResult Run() {
    while (!Over()) {
      const bool big = options_.big && big_seconds_ <= kBigShare * Elapsed();
      const double begun = MonotonicSeconds();
      KillOneStore(big);
      if (big) big_seconds_ += MonotonicSeconds() - begun;
    }
    result_.seconds = Elapsed();
    result_.interrupted = Interrupted();
    CheckCoverage();
    return result_;
  }

 private:
  double Elapsed() const { return MonotonicSeconds() - start_; }
  bool Interrupted() const { return options_.interrupted != nullptr && options_.interrupted->load(); }
  bool Over() const {
    return Interrupted() || !result_.doubts.empty() || result_.kills >= options_.executions ||
           Elapsed() >= options_.seconds || (options_.stop_at_first && !result_.findings.empty());
  }

  void KillOneStore(bool big) {
    const std::string root = options_.folder + "/store";
    StoreOptions store_options = big ? BigStore(root, dice_) : SmallStore(root, dice_);
    DrawProtocol(options_.protocol, dice_, big, &store_options);
    DrawStorage(options_.storage, dice_, &store_options);
    DrawCompany(dice_, big, &store_options);
    std::string error;
    const std::unique_ptr<KilledStore> store = KilledStore::Make(store_options, &error);
    if (store == nullptr) {
      result_.doubts.push_back(error);
      return;
    }
    ++result_.stores;
    const uint32_t lives = 1 + (big ? kBigLives - 1 : dice_.Below(kSmallLives));
    bool good = true;
    for (uint32_t life = 0; life < lives && good && !Over(); ++life) {
      KillPlan plan = DrawPlan(big);
      plan.interrupted = options_.interrupted;
      const KillReport report = store->Kill(plan);
      if (report.interrupted) break;
      Count(report, big);
      ShowProgress(report);
      good = report.trouble.empty() && !report.violation();
      if (report.violation()) Keep(report, store_options, life);
    }
    store->RemoveFiles();
  }

  KillPlan DrawPlan(bool big) {
    if (big) return PlanAtFullSpeed(options_.kinds, dice_);
    if (dice_.Chance(20)) return PlanAnywhere(options_.kinds, dice_);
    std::vector<std::pair<int, int>> rarest;
    uint64_t fewest = ~uint64_t{0};
    for (const int kind : options_.kinds) {
      for (int row = 0; row < kRows; ++row) {
        if (!Reachable(kind, row)) continue;
        const uint64_t crashes = result_.cells[kind][row].crashes;
        if (crashes < fewest) rarest.clear(), fewest = crashes;
        if (crashes == fewest) rarest.emplace_back(kind, row);
      }
    }
    const auto [kind, row] = rarest[dice_.Below(static_cast<uint32_t>(rarest.size()))];
    return PlanInCell(kind, row, options_.kinds, dice_);
  }

  static int RowOf(const KillReport& report) {
    // A growth is no checkpoint: what it was killed in counts as rest.
    if (report.phase != faster::Phase::kRest && !faster::IsGrowing(report.phase))
      return static_cast<int>(report.phase);
    return report.after_checkpoint ? kRestAfter : kRestBefore;
  }

  void Count(const KillReport& report, bool big) {
    if (!report.trouble.empty()) {
      result_.doubts.push_back(report.trouble);
      return;
    }
    ++result_.kills;
    result_.big_kills += big;
    result_.recoveries += report.recovered;
    result_.refused_rightly += !report.recovered && !report.violation();
    result_.own += report.own;
    result_.split += report.own && report.split;
    result_.pending += report.own && report.pending;
    result_.undone += report.own && report.records_undone != 0;
    result_.checkpoints += report.checkpoints_completed;
    result_.keys_verified += report.keys_verified;
    if (big) result_.big_keys_verified += report.keys_verified;
    result_.operations_committed += report.committed;
    result_.operations_lost += report.lost;
    result_.sectors += report.crash.sectors;
    result_.sectors_old += report.crash.sectors_old;
    result_.names_old += report.crash.names_old;
    result_.sizes_old += report.crash.sizes_old;
    CellTally& cell = result_.cells[KindOf(report.choice)][RowOf(report)];
    ++cell.executions;
    ++cell.crashes;
    cell.recoveries += report.recovered;
    cell.violations += report.violation();
  }

  void ShowProgress(const KillReport& report) {
    if (!progress_.Due()) return;
    progress_.Show(DurationText(Elapsed()) + ": " + Grouped(result_.kills) + " kills (" +
                   Grouped(result_.big_kills) + " of a million keys), " + Grouped(result_.recoveries) +
                   " recoveries, " + Grouped(result_.keys_verified) + " keys verified, " +
                   Grouped(result_.findings.size()) + " violations; last in " +
                   KindText(KindOf(report.choice)) + " " + RowText(RowOf(report)));
  }

  // The files as the recovery met them, and what was wrong, for a person to look at.
  void Keep(const KillReport& report, const StoreOptions& store, uint32_t life) {
    Finding finding;
    finding.rule = report.rule;
    finding.what = report.what;
    finding.kind = KindText(KindOf(report.choice));
    finding.phase = RowText(RowOf(report));
    finding.store = StoreText(store);
    finding.kill = result_.kills;
    finding.witnesses = report.witnesses;
    finding.folder = options_.folder + "/findings/" + std::to_string(result_.findings.size() + 1);
    if (result_.findings.empty()) {
      result_.first_violation_seconds = Elapsed();
      result_.first_violation_kills = result_.kills;
    }
    std::error_code code;
    std::filesystem::remove_all(finding.folder, code);
    std::string error;
    bool good = MakeFolder(finding.folder, &error);
    if (good) std::filesystem::rename(store.root, finding.folder + "/store", code);
    const nlohmann::ordered_json verdict = {{"rule", finding.rule},
                                            {"what", finding.what},
                                            {"kind", finding.kind},
                                            {"phase", finding.phase},
                                            {"store", finding.store},
                                            {"recovered_token", report.token.Text()},
                                            {"kill", finding.kill},
                                            {"life", life},
                                            {"seed", options_.seed},
                                            {"keys_verified", report.keys_verified},
                                            {"mismatches", report.mismatches},
                                            {"workload_seed", store.spec.seed},
                                            {"distribution", DistributionName(store.spec.keys.distribution)},
                                            {"sessions", report.sessions},
                                            {"witnesses", finding.witnesses}};
    good =
        good && !code &&
        WriteWholeFile(finding.folder + "/verdict.json",
                       verdict.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n", &error);
    if (!good) result_.doubts.push_back("cannot keep a finding: " + (code ? code.message() : error));
    result_.findings.push_back(finding);
  }

  void CheckCoverage() {
    if (!options_.coverage_required || result_.interrupted || !result_.findings.empty()) return;
    for (const int kind : options_.kinds) {
      for (int row = 0; row < kRows; ++row) {
        const bool hit = result_.cells[kind][row].crashes != 0;
        if (Reachable(kind, row) && !hit) {
          result_.doubts.push_back("no kill in " + KindText(kind) + " " + RowText(row) +
                                   ", which can be reached");
        } else if (!Reachable(kind, row) && hit) {
          result_.doubts.push_back("a kill in " + KindText(kind) + " " + RowText(row) +
                                   ", which cannot be reached");
        }
      }
    }
  }

  const CampaignOptions options_;
  Dice dice_;
  const double start_;
  double big_seconds_ = 0;
  CampaignResult result_;
  Progress progress_;
};

}  // namespace

CampaignResult RunCampaign(const CampaignOptions& options) { return Runner(options).Run(); }

}  // namespace experiments::process
