// cpr-ycsb: YCSB on the engine at full speed, with checkpoints while it runs.
//
// Exit status: 0; 1 an operation failed, a value was torn, a checkpoint failed, or a verified key is wrong;
// 2 wrong usage or machine; 130 interrupted, with valid results of what was done.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "experiments/common/cli.h"
#include "experiments/ycsb/crash.h"
#include "experiments/ycsb/options.h"
#include "experiments/ycsb/output.h"
#include "experiments/ycsb/report_output.h"
#include "workloads/key_file.h"
#include "workloads/peers/peers.h"

namespace experiments::ycsb {
namespace {

using workloads::ycsb::CheckpointLog;
using workloads::ycsb::Driver;
using workloads::ycsb::DriverOptions;
using workloads::ycsb::Engine;

std::atomic<bool> g_interrupted{false};

void OnSignal(int signal) {
  g_interrupted = true;
  std::signal(signal, SIG_DFL);  // the second one ends the process
}

int Complain(const std::string& what) {
  std::fprintf(stderr, "cpr ycsb: %s\n", what.c_str());
  return 2;
}

// Every opening of a store needs a seed of its own (faster/core/config.h).
uint64_t FreshSeed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

// Memory of this process that is in memory; 0 if the kernel does not say.
uint64_t ResidentBytes() {
  uint64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

void SleepSeconds(uint64_t seconds) {
  for (uint64_t tenth = 0; tenth < seconds * 10 && !g_interrupted; ++tenth)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

bool OpenStore(const Options& options, faster::Storage* storage, CheckpointLog* log, Engine* engine,
               std::string* error) {
  faster::StoreConfig config = options.spec.Store();
  config.seed = FreshSeed();
  faster::Diagnosis why;
  faster::RecoveryResult recovered;
  const faster::Status status = options.load ? engine->Create(config, storage, log, &why)
                                             : engine->Recover(config, storage, log, &recovered, &why);
  if (status == faster::Status::kOk) return true;
  *error = std::string(options.load ? "cannot make the store: " : "cannot recover the store: ") +
           std::string(StatusName(status)) + (why.expected.empty() ? "" : ": " + why.Text());
  return false;
}

bool Perform(const Options& options, Engine* engine, CheckpointLog* log, RunOutcome* outcome,
             std::string* error) {
  DriverOptions settings;
  settings.checkpoint_every = options.checkpoint_every;
  settings.checkpoints = {options.checkpoint};
  settings.limit_load = !options.run;  // a run on part of the records would measure something else
  settings.status = options.status;
  settings.label = options.label;
  settings.interrupted = &g_interrupted;
  settings.status_style = StatusStyleOf(options);
  settings.keep_points = options.report.keeps_points();
  settings.keep_intended = options.report.intervals != workloads::ycsb::Intervals::kOperation;
  settings.points_are_intended = options.report.intervals == workloads::ycsb::Intervals::kIntended;
  Driver driver(options.spec, engine, log, settings);
  if (!driver.ReadKeyFiles(options.load, options.run, error)) return false;
  if (options.run) driver.Prepare();
  if (options.load && !g_interrupted) {
    const uint64_t before = ResidentBytes();
    if (!driver.Load(&outcome->load, error)) return false;
    outcome->loaded = true;
    outcome->resident_bytes = std::max(ResidentBytes(), before) - before;
    outcome->log = engine->Log();
    outcome->log_bytes = outcome->log.tail - outcome->log.begin;
    outcome->index_bytes = engine->IndexBytes();
    // A load alone is for a later run, which recovers this.
    if (!options.run && options.ours && !options.dir.empty() &&
        driver.CheckpointAndWait({}) != faster::Status::kOk && !g_interrupted) {
      *error = "the checkpoint of the loaded store failed";
      return false;
    }
  }
  if (options.load && options.run) SleepSeconds(options.spec.sleep_after_load);
  if (options.run && !g_interrupted) {
    if (!driver.Run(&outcome->run, error)) return false;
    outcome->ran = true;
    outcome->checkpoints = log->events();
  }
  outcome->log = engine->Log();
  outcome->interrupted = g_interrupted;
  return true;
}

int Verdict(const RunOutcome& outcome) {
  const uint64_t errors = outcome.load.measurements.errors() + outcome.run.measurements.errors();
  const uint64_t torn = outcome.load.torn + outcome.run.torn;
  uint64_t failed = 0;
  for (const auto& event : outcome.checkpoints) failed += event.ended >= 0 && !event.durable();
  if (errors + torn + failed == 0) return outcome.interrupted ? 130 : 0;
  std::fprintf(stderr, "cpr ycsb: %llu operations failed, %llu values were torn, %llu checkpoints failed\n",
               static_cast<unsigned long long>(errors), static_cast<unsigned long long>(torn),
               static_cast<unsigned long long>(failed));
  return 1;
}

int ConvertKeyFile(const Options& options) {
  workloads::Conversion done;
  std::string error;
  if (!workloads::ConvertKeys(options.convert_keys, options.convert_to, &done, &error))
    return Complain(error);
  std::printf("%llu keys of %s are in %s; %llu other lines\n", static_cast<unsigned long long>(done.keys),
              options.convert_keys.c_str(), options.convert_to.c_str(),
              static_cast<unsigned long long>(done.other_lines));
  return 0;
}

int RunWorkload(const Options& options) {
  const nlohmann::ordered_json environment = EnvironmentJson();
  ResultFolder folder;
  std::string error;
  if (!CheckReportFiles(options, &error)) return Complain(error);
  if (!folder.Create(ProjectRoot(), "ycsb", options.out, &error)) return Complain(error);
  const std::string data = options.dir.empty() ? folder.File("data") : options.dir;
  std::error_code code;
  if (!options.load && !std::filesystem::is_directory(data, code)) {
    return Complain("there is no folder " + data + " with a store that was loaded before");
  }
  if (!MakeFolder(data, &error)) return Complain(error);
  error = CheckStorage(options.storage, data);
  if (!error.empty()) return Complain(error);
  RunOutcome outcome;
  int status = 0;
  {
    const std::unique_ptr<faster::Storage> storage = MakeStorage(options.storage, data);
    CheckpointLog log;
    const workloads::peers::Peer* peer = workloads::peers::FindPeer(options.db);
    const std::unique_ptr<Engine> engine =
        peer != nullptr ? peer->make(options.spec.stored_bytes, data)
                        : Engine::Make(options.spec.stored_bytes, options.spec.value_lengths);
    const bool good = OpenStore(options, storage.get(), &log, engine.get(), &error) &&
                      Perform(options, engine.get(), &log, &outcome, &error);
    if (good) {
      const bool printed = PrintReport(options, outcome, &error);
      status = Verdict(outcome);
      if (!printed || !WriteResults(folder, options, environment, outcome, &error))
        status = Complain(error);
      else if (PrintsText(options))
        std::printf("# results: %s\n", folder.path().c_str());
      std::fflush(stdout);
    } else {
      status = Complain(error);
    }
    if (outcome.interrupted) {  // a checkpoint may still be writing; nobody waits for it
      std::error_code ignored;
      if (options.dir.empty() && !options.keep) std::filesystem::remove_all(data, ignored);
      _exit(status);
    }
  }
  code.clear();
  if (options.dir.empty() && !options.keep) std::filesystem::remove_all(data, code);
  return code ? Complain("cannot remove " + data + ": " + code.message()) : status;
}

}  // namespace
}  // namespace experiments::ycsb

int main(int argc, char** argv) {
  using namespace experiments::ycsb;
  Options options;
  std::string error;
  if (!ParseOptions({argv + 1, argv + argc}, &options, &error)) return Complain(error);
  if (options.help) {
    std::fputs(options.help_text.c_str(), stdout);
    return 0;
  }
  if (!options.convert_keys.empty()) return ConvertKeyFile(options);
  for (const std::string& note : Notes(options)) std::fprintf(stderr, "cpr ycsb: %s\n", note.c_str());
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  return options.crash_after > 0 ? RunAndKill(options, &g_interrupted) : RunWorkload(options);
}
