#include "experiments/ycsb/crash.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <ctime>

#include "experiments/common/cli.h"
#include "experiments/common/dice.h"
#include "experiments/common/progress.h"
#include "experiments/common/results.h"
#include "experiments/process/killed_store.h"
#include "experiments/ycsb/output.h"

namespace experiments::ycsb {
namespace {

using process::KilledStore;
using process::KillPlan;
using process::KillReport;
using process::StoreOptions;

// With memory for all records, if the machine has it: reading every key need not wait for the disk.
faster::StoreConfig VerifyConfig(const workloads::ycsb::WorkloadSpec& spec) {
  faster::StoreConfig config = spec.Store();
  const uint64_t machine =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t wanted =
      std::min(std::bit_ceil(16 * spec.record_count * spec.record_bytes()), std::bit_floor(machine / 4));
  const uint64_t pages =
      std::clamp<uint64_t>(wanted >> spec.page_bits, config.buffer_pages, uint64_t{1} << 31);
  config.buffer_pages = static_cast<uint32_t>(std::bit_floor(pages));
  return config;
}

StoreOptions StoreOf(const Options& options, const std::string& root) {
  StoreOptions store;
  store.root = root;
  store.spec = options.spec;
  store.spec.max_seconds = 0;  // the kill ends the run
  store.spec.operation_count = uint64_t{1} << 40;
  store.config = options.spec.Store();
  store.verify_config = VerifyConfig(options.spec);
  store.storage = options.storage;
  store.cold = options.db == "f2";
  store.load = true;
  // The index of a full checkpoint and the log's pages between two syncs, with much to spare; sparse.
  store.journal_bytes =
      std::bit_ceil(4 * (options.spec.memory + options.spec.index_buckets * 128) + (uint64_t{64} << 20));
  store.seed = MixSeed(options.spec.seed, static_cast<uint64_t>(std::time(nullptr)));
  return store;
}

KillPlan PlanOf(const Options& options, uint64_t seed, const std::atomic<bool>* interrupted) {
  Dice dice(seed);
  KillPlan plan;
  plan.checkpoints = {options.checkpoint};
  plan.checkpoint_every = options.checkpoint_every;
  // Up to an interval more: a kill in step with the checkpoints would always meet the same phase.
  plan.kill_after = options.crash_after + options.checkpoint_every * dice.Below(1000) / 1000;
  plan.survive = options.survive == "all"    ? faults::CrashMode::kAll
                 : options.survive == "none" ? faults::CrashMode::kNone
                                             : faults::CrashMode::kRandom;
  plan.verify = options.verify;
  plan.interrupted = interrupted;
  return plan;
}

nlohmann::ordered_json ReportJson(const KillReport& report) {
  return {{"phase", PhaseName(report.phase)},
          {"checkpoint", CheckpointKindName(report.choice.kind)},
          {"log", LogBackendName(report.choice.backend)},
          {"checkpoints_completed", report.checkpoints_completed},
          {"sectors_unsynced", report.crash.sectors},
          {"sectors_old", report.crash.sectors_old},
          {"recovered", report.recovered},
          {"recovered_token", report.token.Text()},
          {"operations_committed", report.committed},
          {"operations_lost", report.lost},
          {"records_undone", report.records_undone},
          {"keys_verified", report.keys_verified},
          {"mismatches", report.mismatches},
          {"witnesses", report.witnesses},
          {"rule", report.rule},
          {"what", report.what},
          {"run_seconds", report.run_seconds},
          {"recover_and_verify_seconds", report.recover_seconds}};
}

void Print(const Options& options, const KillReport& report) {
  std::printf("killed in %s of a %s checkpoint after %.2f s (load included); %s checkpoints had completed\n",
              std::string(PhaseName(report.phase)).c_str(),
              std::string(CheckpointKindName(report.choice.kind)).c_str(), report.run_seconds,
              Grouped(report.checkpoints_completed).c_str());
  std::printf("unsynced: %s sectors, of which %s did not survive\n", Grouped(report.crash.sectors).c_str(),
              Grouped(report.crash.sectors_old).c_str());
  if (report.recovered) {
    std::printf("recovered checkpoint %s in %.2f s: %s operations committed, %s lost, %s records undone\n",
                report.token.Text().c_str(), report.recover_seconds, Grouped(report.committed).c_str(),
                Grouped(report.lost).c_str(), Grouped(report.records_undone).c_str());
  }
  if (options.verify && report.recovered) {
    std::printf("verified %s keys: %s mismatches\n", Grouped(report.keys_verified).c_str(),
                Grouped(report.mismatches).c_str());
  }
  for (const std::string& witness : report.witnesses) std::printf("  %s\n", witness.c_str());
}

std::string AgainCommand(const Options& options) {
  std::string command = "./cpr ycsb";
  for (const std::string& argument : options.arguments) command += " " + ShellQuote(argument);
  return command;
}

int Conclude(const Options& options, const ResultFolder& folder, const KillReport& report) {
  nlohmann::ordered_json json;
  json["valid"] = report.trouble.empty() && !report.interrupted;
  json["title"] = TitleOf(options);
  json["interrupted"] = report.interrupted;
  json["parameters"] = ParametersJson(options);
  json["kill"] = ReportJson(report);
  std::string error;
  if (!folder.Write("results.json", json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
                    &error)) {
    std::fprintf(stderr, "cpr ycsb: %s\n", error.c_str());
    return 2;
  }
  if (report.interrupted) return 130;
  if (!report.trouble.empty()) {
    std::fprintf(stderr, "cpr ycsb: %s\n", report.trouble.c_str());
    return 3;
  }
  if (options.json) {
    const std::string text = json["kill"].dump(1);
    std::printf("%s\n", text.c_str());
  } else {
    Print(options, report);
    std::printf("results: %s\n", folder.path().c_str());
  }
  if (!report.violation()) {
    if (!options.json) std::printf("PASS: every session came back as a prefix\n");
    return 0;
  }
  std::printf("FAIL: %s violated: %s\n%s\n", report.rule.c_str(), report.what.c_str(),
              AgainCommand(options).c_str());
  return 1;
}

}  // namespace

int RunAndKill(const Options& options, const std::atomic<bool>* interrupted) {
  ResultFolder folder;
  std::string error;
  if (!folder.Create(ProjectRoot(), "ycsb", options.out, &error)) {
    std::fprintf(stderr, "cpr ycsb: %s\n", error.c_str());
    return 2;
  }
  error = CheckStorage(options.storage, folder.path());
  if (!error.empty()) {
    std::fprintf(stderr, "cpr ycsb: %s\n", error.c_str());
    return 2;
  }
  const StoreOptions settings = StoreOf(options, folder.File("data"));
  const std::unique_ptr<KilledStore> store = KilledStore::Make(settings, &error);
  if (store == nullptr) {
    std::fprintf(stderr, "cpr ycsb: %s\n", error.c_str());
    return 2;
  }
  const KillReport report = store->Kill(PlanOf(options, settings.seed, interrupted));
  const int status = Conclude(options, folder, report);
  if (!options.keep && status != 1) store->RemoveFiles();  // after a violation the files are evidence
  return status;
}

}  // namespace experiments::ycsb
