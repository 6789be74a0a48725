#include "experiments/crash/replay.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/common/results.h"
#include "experiments/crash/page.h"
#include "faults/sched/policy.h"

namespace experiments {
namespace {

std::string HexText(uint64_t word) {
  char text[24];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(word));
  return text;
}

// Runs `body` in a child and returns its exit status, or 128 + the signal that killed it.
template <class Body>
int InChild(Body body) {
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
    const int status = body();
    std::fflush(nullptr);
    _exit(status);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct Again {
  std::unique_ptr<faults::Scheduler> scheduler;
  std::unique_ptr<faults::Policy> policy;
  std::unique_ptr<Execution> execution;
  const ExecutionResult* result = nullptr;
};

// The execution by its tape, or by its seed and policy if there is none. False: *error.
bool RunAgain(const StoredExecution& stored, const SubjectLibrary& library, bool story, Again* again,
              std::string* error) {
  again->scheduler.reset(faults::Scheduler::Create());
  if (again->scheduler == nullptr) {
    *error = "this machine cannot run the scheduler";
    return false;
  }
  How how;
  how.seed = stored.run.seed;
  how.plain_points = stored.run.plain_points;
  how.spurious_cas = stored.run.spurious_cas;
  how.tells_story = story;
  if (stored.has_tape) {
    again->policy = std::make_unique<faults::Replay>(stored.tape.entries.data(), stored.tape.entries.size());
  } else {
    std::string name = stored.run.policy.empty() ? "random:0.01" : stored.run.policy;
    name = name.substr(0, name.find('+'));
    again->policy = faults::MakePolicy(name, error);
    if (again->policy == nullptr) return false;
  }
  how.policy = again->policy.get();
  again->execution = std::make_unique<Execution>(&library, again->scheduler.get());
  again->result = &again->execution->Run(stored.scenario, how);
  return true;
}

int ReplayInThisProcess(const ReplayOptions& options, const StoredExecution& stored,
                        const SubjectLibrary& library) {
  std::string error;
  Again again;
  if (!RunAgain(stored, library, !options.quiet || !options.html.empty(), &again, &error)) {
    std::fprintf(stderr, "cpr: %s\n", error.c_str());
    return 2;
  }
  const ExecutionResult& result = *again.result;
  if (!options.quiet && !options.json) {
    std::fputs(StoryText(stored, result, *again.execution).c_str(), stdout);
  }
  if (!options.html.empty() &&
      !WriteWholeFile(options.html, ExecutionPage(stored, result, *again.execution), &error)) {
    std::fprintf(stderr, "cpr: %s\n", error.c_str());
    return 2;
  }
  const bool same = stored.run.hash == 0 || stored.run.hash == result.hash;
  if (options.json) {
    const nlohmann::ordered_json json = {{"hash", HexText(result.hash)},
                                         {"recorded", HexText(stored.run.hash)},
                                         {"same", same},
                                         {"violation", result.violation},
                                         {"rule", result.rule},
                                         {"what", result.what}};
    std::printf("%s\n", json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  } else {
    std::printf("trace hash %s%s\n", HexText(result.hash).c_str(),
                stored.run.hash == 0 ? ""
                : same               ? ", as recorded"
                                     : (", recorded " + HexText(stored.run.hash)).c_str());
  }
  if (!same || result.harness_error) {
    const bool other = stored.run.subject != 0 && stored.run.subject != library.identity();
    std::fprintf(stderr, "cpr: not the same execution%s%s\n",
                 result.harness_error ? (": " + result.what).c_str() : "",
                 other ? " (the subject is not the build that was recorded)" : "");
    return 3;
  }
  if (!options.json) {
    std::printf("%s\n",
                result.violation ? (result.rule + " violated: " + result.what).c_str() : "no violation");
  }
  return result.violation ? 1 : 0;
}

}  // namespace

bool LoadSubjectOf(const ReplayOptions& options, const StoredExecution& stored, SubjectLibrary* library,
                   std::string* error) {
  std::error_code code;
  std::string path = options.subject;
  if (!options.subject_given && !stored.run.subject_path.empty() &&
      std::filesystem::exists(stored.run.subject_path, code)) {
    path = stored.run.subject_path;
  }
  return library->Load(path, error);
}

std::string StoryText(const StoredExecution& stored, const ExecutionResult& result, Execution& execution) {
  std::string text = "scenario " + stored.scenario.name + ", seed " + std::to_string(stored.run.seed) + ", " +
                     std::to_string(result.steps) + " steps, " + std::to_string(result.switches) +
                     " switches\n\n";
  struct Line {
    uint64_t step;
    std::string text;
  };
  std::vector<Line> lines;
  char head[96];
  for (const StoryLine& line : execution.story()) {
    std::snprintf(head, sizeof head, "%8llu  %u  %-12s ", static_cast<unsigned long long>(line.step),
                  line.incarnation, line.lane.c_str());
    lines.push_back({line.step, head + line.text});
  }
  const faults::SimStorage& storage = execution.storage();
  for (const faults::IoEvent& event : storage.Events()) {
    std::snprintf(head, sizeof head, "%8llu     %-12s ", static_cast<unsigned long long>(event.step),
                  "  disk");
    std::string what =
        head + std::string(IoEventKindName(event.kind)) + " " + std::string(storage.path_name(event.path));
    if (event.length != 0)
      what += " [" + std::to_string(event.offset) + ", +" + std::to_string(event.length) + ")";
    if (event.status != faster::Status::kOk) what += " " + std::string(StatusName(event.status));
    lines.push_back({event.step, what});
  }
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.step < b.step; });
  for (const Line& line : lines) text += line.text + "\n";
  text += "\n";
  if (!result.verdict.ok)
    text += Explain(execution.history(), result.verdict) + "\n";
  else if (result.violation)
    text += result.rule + ": " + result.what + "\n";
  if (!result.detail.empty()) text += result.detail + "\n";
  return text;
}

int RunReplay(const ReplayOptions& options) {
  StoredExecution stored;
  SubjectLibrary library;
  std::string error;
  if (!LoadExecution(options.path, &stored, &error) || !LoadSubjectOf(options, stored, &library, &error)) {
    std::fprintf(stderr, "cpr: %s\n", error.c_str());
    return 2;
  }
  const int status = InChild([&] { return ReplayInThisProcess(options, stored, library); });
  if (status <= 3) return status;
  if (status < 128)
    std::printf("crash violated: the process exited with status %d\n", status);
  else
    std::printf("crash violated: the process died of %s\n", strsignal(status - 128));
  return 1;
}

bool WriteStory(const std::string& folder, const SubjectLibrary& library, bool verdict, std::string* error) {
  StoredExecution stored;
  if (!LoadExecution(folder, &stored, error)) return false;
  if (stored.run.hash == 0) return true;  // it killed its process: there is nothing to tell but that
  const int status = InChild([&] {
    Again again;
    std::string wrong;
    if (!RunAgain(stored, library, true, &again, &wrong)) return 2;
    if (again.result->hash != stored.run.hash) return 3;
    const bool good =
        WriteWholeFile(folder + "/story.txt", StoryText(stored, *again.result, *again.execution), &wrong) &&
        WriteWholeFile(folder + "/page.html", ExecutionPage(stored, *again.result, *again.execution),
                       &wrong) &&
        (!verdict || StoreVerdict(folder, *again.result, again.execution->history(), &wrong));
    return good ? 0 : 2;
  });
  if (status == 0) return true;
  *error = status == 3
               ? "finding " + folder + " was not the same execution when it was replayed"
               : "finding " + folder + " could not be replayed (status " + std::to_string(status) + ")";
  return false;
}

}  // namespace experiments
