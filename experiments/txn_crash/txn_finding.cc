#include "experiments/txn_crash/txn_finding.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/common/cli.h"
#include "experiments/common/results.h"
#include "faults/sched/policy.h"

namespace experiments {
namespace {

using Json = nlohmann::ordered_json;

std::string HexText(uint64_t word) {
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(word));
  return text;
}

// A member of "run"; false if it is there with another type.
bool Take(const Json& run, const char* name, std::string* value) {
  const auto found = run.find(name);
  if (found == run.end()) return true;
  if (found->is_string()) *value = found->get<std::string>();
  return found->is_string();
}
bool Take(const Json& run, const char* name, bool* value) {
  const auto found = run.find(name);
  if (found == run.end()) return true;
  if (found->is_boolean()) *value = found->get<bool>();
  return found->is_boolean();
}
bool Take(const Json& run, const char* name, uint64_t* value) {
  const auto found = run.find(name);
  if (found == run.end()) return true;
  if (found->is_number_unsigned()) *value = found->get<uint64_t>();
  return found->is_number_unsigned();
}
bool TakeHex(const Json& run, const char* name, uint64_t* word) {
  std::string text;
  if (!Take(run, name, &text)) return false;
  if (text.empty()) return true;
  char* end = nullptr;
  *word = std::strtoull(text.c_str(), &end, 16);
  return *end == 0;
}

int RunAgain(const TxnReplayOptions& options, const TxnStored& stored, const TxnLibrary& library) {
  const std::unique_ptr<faults::Scheduler> scheduler(faults::Scheduler::Create());
  if (scheduler == nullptr) {
    std::fprintf(stderr, "cpr: this machine cannot run the scheduler\n");
    return 2;
  }
  std::string error;
  std::unique_ptr<faults::Policy> policy;
  if (stored.has_tape) {
    policy = std::make_unique<faults::Replay>(stored.tape.entries.data(), stored.tape.entries.size());
  } else {
    const std::string name = stored.policy.empty() ? "random:0.01" : stored.policy;
    policy = faults::MakePolicy(name.substr(0, name.find('+')), &error);
    if (policy == nullptr) {
      std::fprintf(stderr, "cpr: %s\n", error.c_str());
      return 2;
    }
  }
  How how;
  how.seed = stored.seed;
  how.policy = policy.get();
  how.plain_points = stored.plain_points;
  how.spurious_cas = stored.spurious_cas;
  TxnExecution execution(&library, scheduler.get());
  const TxnExecutionResult& result = execution.Run(stored.scenario, how);
  if (!options.quiet) {
    std::fputs(TxnExplain(execution.history(), result.verdict).c_str(), stdout);
    if (!result.detail.empty()) std::printf("%s\n", result.detail.c_str());
  }
  const bool same = stored.hash == 0 || stored.hash == result.hash;
  std::printf("trace hash %s%s\n", HexText(result.hash).c_str(),
              stored.hash == 0 ? ""
              : same           ? ", as recorded"
                               : (", recorded " + HexText(stored.hash)).c_str());
  if (!same || result.harness_error) {
    const bool other = stored.subject != 0 && stored.subject != library.identity();
    std::fprintf(stderr, "cpr: not the same execution%s%s\n",
                 result.harness_error ? (": " + result.what).c_str() : "",
                 other ? " (the subject is not the build that was recorded)" : "");
    return 3;
  }
  std::printf("%s\n",
              result.violation ? (result.rule + " violated: " + result.what).c_str() : "no violation");
  return result.violation ? 1 : 0;
}

}  // namespace

std::string DefaultTxnSubjectPath() {
  std::error_code code;
  return (std::filesystem::read_symlink("/proc/self/exe", code).parent_path() / "txn_subject.so").string();
}

std::string TxnReplayCommand(const std::string& folder) { return "./cpr replay " + ShellQuote(folder); }

bool StoreTxn(const std::string& folder, const TxnStored& stored, const std::string& story,
              std::string* error) {
  Json json;
  json["format"] = 1;
  Json& run = json["run"];
  run = {{"seed", stored.seed},
         {"policy", stored.policy},
         {"plain_points", stored.plain_points},
         {"spurious_cas", stored.spurious_cas},
         {"subject", HexText(stored.subject)},
         {"subject_path", stored.subject_path},
         {"rule", stored.rule},
         {"what", stored.what},
         {"phase", stored.phase}};
  if (stored.hash != 0) run["hash"] = HexText(stored.hash);
  json["scenario"] = Json::parse(TxnScenarioJson(stored.scenario));
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  return MakeFolder(folder, error) && WriteWholeFile(folder + "/txn.json", text, error) &&
         WriteWholeFile(folder + "/story.txt", story, error) &&
         WriteWholeFile(folder + "/replay.txt", TxnReplayCommand(folder) + "\n", error) &&
         (!stored.has_tape || faults::SaveTape(folder + "/tape", stored.tape, error));
}

bool LoadTxn(const std::string& path, TxnStored* stored, std::string* error) {
  std::error_code code;
  const std::string file = std::filesystem::is_directory(path, code) ? path + "/txn.json" : path;
  std::string text;
  if (!ReadWholeFile(file, &text, error)) return false;
  const Json json = Json::parse(text, nullptr, false);
  std::string wrong;
  if (json.is_discarded()) wrong = "is not JSON";
  const bool wrapped = json.is_object() && json.contains("scenario");
  if (wrong.empty())
    static_cast<void>(ParseTxnScenario(wrapped ? json["scenario"].dump() : text, &stored->scenario, &wrong));
  if (wrong.empty() && wrapped) {
    const Json run = json.value("run", Json::object());
    const bool good = run.is_object() && Take(run, "seed", &stored->seed) &&
                      Take(run, "policy", &stored->policy) &&
                      Take(run, "plain_points", &stored->plain_points) &&
                      Take(run, "spurious_cas", &stored->spurious_cas) &&
                      TakeHex(run, "hash", &stored->hash) && TakeHex(run, "subject", &stored->subject) &&
                      Take(run, "subject_path", &stored->subject_path) && Take(run, "rule", &stored->rule) &&
                      Take(run, "what", &stored->what) && Take(run, "phase", &stored->phase);
    if (!good) wrong = "run: has a member of the wrong type";
  }
  if (!wrong.empty()) {
    *error = file + ": " + wrong;
    return false;
  }
  const std::string tape = std::filesystem::path(file).parent_path() / "tape";
  stored->has_tape = wrapped && std::filesystem::exists(tape, code);
  return !stored->has_tape || faults::LoadTape(tape, &stored->tape, error);
}

// In a child process, since the execution may be one that kills its process.
int ReplayTxn(const TxnReplayOptions& options) {
  TxnStored stored;
  TxnLibrary library;
  std::string error, subject = options.subject;
  if (!LoadTxn(options.path, &stored, &error)) {
    std::fprintf(stderr, "cpr: %s\n", error.c_str());
    return 2;
  }
  std::error_code code;
  if (subject.empty() && std::filesystem::exists(stored.subject_path, code)) subject = stored.subject_path;
  if (subject.empty()) subject = DefaultTxnSubjectPath();
  if (!library.Load(subject, &error)) {
    std::fprintf(stderr, "cpr: %s\n", error.c_str());
    return 2;
  }
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) {
    std::fprintf(stderr, "cpr: cannot start a process: %s\n", std::strerror(errno));
    return 2;
  }
  if (pid == 0) {
    const rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    alarm(120);  // an execution takes milliseconds
    const int status = RunAgain(options, stored, library);
    std::fflush(nullptr);
    _exit(status);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
  std::printf("crash violated: the process died of %s\n", strsignal(WTERMSIG(status)));
  return 1;
}

}  // namespace experiments
