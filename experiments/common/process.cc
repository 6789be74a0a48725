#include "experiments/common/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <fstream>
#include <set>
#include <thread>

#include "experiments/common/progress.h"

namespace experiments {

std::atomic<bool> g_stop{false};

namespace {

constexpr double kGraceSeconds = 0.6;  // between the polite signal and the other one

void OnSignal(int) { g_stop.store(true); }

double Seconds(const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) * 1e-6; }

std::vector<std::string> Environment(const std::vector<std::string>& extra) {
  std::set<std::string> replaced;
  for (const std::string& entry : extra) replaced.insert(entry.substr(0, entry.find('=')));
  std::vector<std::string> all = extra;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string text = *entry;
    if (replaced.count(text.substr(0, text.find('='))) == 0) all.push_back(text);
  }
  return all;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Returns the error number of posix_spawn.
int Spawn(const std::vector<std::string>& argv, const ProcessOptions& options, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string log = options.log.empty() ? "/dev/null" : options.log.string();
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  if (!options.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGINT);
  sigaddset(&defaults, SIGTERM);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  const std::vector<std::string> environment = Environment(options.environment);
  int error = posix_spawnp(pid, argv[0].c_str(), &actions, &attributes, Pointers(argv).data(),
                           Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

void StopOnSignals() {
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

ProcessResult RunProcess(const std::vector<std::string>& argv, const ProcessOptions& options) {
  ProcessResult result;
  const double begin = MonotonicSeconds();
  pid_t pid = 0;
  if (int error = Spawn(argv, options, &pid); error != 0) {
    result.error = argv[0] + ": " + strerror(error);
    if (!options.log.empty()) std::ofstream(options.log, std::ios::app) << result.error << "\n";
    result.status = 127;
    return result;
  }
  double asked_to_end = 0;
  for (;;) {
    int status = 0;
    rusage usage = {};
    pid_t ended = wait4(pid, &status, WNOHANG, &usage);
    if (ended == pid) {
      result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      result.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
      result.resident_bytes = static_cast<uint64_t>(usage.ru_maxrss) * 1024;
      break;
    }
    const double now = MonotonicSeconds();
    const bool over = options.limit_seconds > 0 && now - begin > options.limit_seconds;
    if (asked_to_end == 0 && (over || g_stop.load())) {
      result.timed_out = over;
      kill(-pid, SIGINT);
      asked_to_end = now;
    } else if (asked_to_end != 0 && now - asked_to_end > kGraceSeconds) {
      kill(-pid, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(-pid, SIGKILL);  // what it left behind in its group
  result.wall_seconds = MonotonicSeconds() - begin;
  return result;
}

std::string CopyProgram(const std::filesystem::path& from, const std::filesystem::path& to) {
  const ProcessResult copied =
      RunProcess({"cp", "--remove-destination", "--", from.string(), to.string()}, {});
  if (copied.ok()) return "";
  return to.string() + ": could not be copied from " + from.string() + " (cp ended with status " +
         std::to_string(copied.status) + ")";
}

std::string TailOfFile(const std::filesystem::path& file, int lines) {
  std::ifstream in(file);
  std::deque<std::string> tail;
  for (std::string line; std::getline(in, line);) {
    tail.push_back(line);
    if (int(tail.size()) > lines) tail.pop_front();
  }
  std::string text;
  for (const std::string& line : tail) text += line + "\n";
  return text;
}

}  // namespace experiments
