// Child processes that can be stopped: each in a process group of its own, output to a file or a string, with
// a time limit, and ended when this process is asked to stop (Ctrl-C). Thread-safe: every call is
// independent.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace experiments {

// Set by SIGINT and SIGTERM; every running child is then ended within a second.
extern std::atomic<bool> g_stop;
void StopOnSignals();

struct ProcessOptions {
  std::filesystem::path directory;       // working directory; empty: ours
  std::filesystem::path log;             // stdout and stderr, appended
  std::vector<std::string> environment;  // NAME=VALUE, on top of ours
  double limit_seconds = 0;              // 0: none
};

struct ProcessResult {
  int status = -1;    // exit status, 128 + signal, or 127 if the program could not be started
  std::string error;  // why it could not be started
  bool timed_out = false;
  double cpu_seconds = 0;  // user and system, children included
  double wall_seconds = 0;
  uint64_t resident_bytes = 0;  // the most it had in memory
  bool ok() const { return status == 0 && !timed_out; }
};

ProcessResult RunProcess(const std::vector<std::string>& argv, const ProcessOptions& options);

// Copies a program, which may be started when this returns: "" or what went wrong. A copy written by this
// process would be open for writing in every child that another thread starts meanwhile, and Linux refuses to
// execute such a file (ETXTBSY) for as long as one of them lives; so a child writes it, which has none.
std::string CopyProgram(const std::filesystem::path& from, const std::filesystem::path& to);

// The last lines of a file, at most `lines` of them.
std::string TailOfFile(const std::filesystem::path& file, int lines);

}  // namespace experiments
