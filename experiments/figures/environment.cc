#include "experiments/figures/environment.h"

#include <sched.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "experiments/common/cli.h"
#include "experiments/common/results.h"

#ifndef CPR_BUILD_FLAGS
#define CPR_BUILD_FLAGS ""
#endif

namespace experiments::figures {
namespace {

std::string ValueOf(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t from = line.find_first_not_of(" \t", colon + 1);
    return from == std::string::npos ? "" : line.substr(from);
  }
  return "";
}

uint64_t KilobytesOf(const std::string& key) {
  return std::strtoull(ValueOf("/proc/meminfo", key).c_str(), nullptr, 10);
}

// The type of the mount that holds the folder: the longest mount point above it.
std::string FileSystemOf(const std::string& folder) {
  char* real = realpath(folder.c_str(), nullptr);
  const std::string path = real == nullptr ? folder : real;
  std::free(real);
  std::ifstream in("/proc/self/mountinfo");
  std::string best, type;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, point, word;
    words >> id >> parent >> device >> root >> point;
    while (words >> word && word != "-") continue;
    words >> word;  // the type follows the dash
    const bool above = path == point || point == "/" ||
                       (path.starts_with(point) && path.size() > point.size() && path[point.size()] == '/');
    if (above && point.size() >= best.size()) best = point, type = word;
  }
  return type;
}

std::string Captured(const std::string& command) {
  std::string text;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  char buffer[256];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) text += buffer;
  const int status = pclose(pipe);
  if (status != 0) return "";
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

std::string Gigabytes(uint64_t bytes) {
  char text[40];
  std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) * 1e-9);
  return text;
}

}  // namespace

uint64_t UsableCores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return static_cast<uint64_t>(CPU_COUNT(&allowed));
}

nlohmann::ordered_json EnvironmentJson(const std::string& folder) {
  utsname name = {};
  uname(&name);
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  const std::string git = "git -C " + ShellQuote(ProjectRoot()) + " ";
  const std::string commit = Captured(git + "rev-parse HEAD 2>/dev/null");
  nlohmann::ordered_json json;
  json["time"] = UtcTime();
  json["cpu"] = ValueOf("/proc/cpuinfo", "model name");
  json["cores"] = UsableCores();
  json["memory_bytes"] = KilobytesOf("MemTotal") * 1024;
  json["kernel"] = std::string(name.sysname) + " " + name.release;
  json["file_system"] = FileSystemOf(folder);
  json["compiler"] = "g++ " __VERSION__;
  json["flags"] = CPR_BUILD_FLAGS;
  json["commit"] = commit;
  json["modified"] = !commit.empty() && !Captured(git + "status --porcelain -uno 2>/dev/null").empty();
  json["load_average_before"] = load;
  return json;
}

std::string Lacking(const Definition& definition, bool quick, const std::string& folder) {
  const Scale& scale = definition.scale(quick);
  const uint64_t memory = KilobytesOf("MemAvailable") * 1024;
  if (memory < scale.memory_bytes) {
    return definition.figure + " needs " + Gigabytes(scale.memory_bytes) + " of memory, " +
           Gigabytes(memory) + " are available" +
           (quick ? "" : " (--quick needs " + Gigabytes(definition.quick.memory_bytes) + ")");
  }
  struct statvfs file_system = {};
  if (statvfs(folder.c_str(), &file_system) != 0) return "cannot look at the file system of " + folder;
  const uint64_t disk = uint64_t{file_system.f_bavail} * file_system.f_frsize;
  if (disk >= scale.disk_bytes) return "";
  return definition.figure + " needs " + Gigabytes(scale.disk_bytes) + " of disk in " + folder + ", " +
         Gigabytes(disk) + " are free" +
         (quick ? "" : " (--quick needs " + Gigabytes(definition.quick.disk_bytes) + ")");
}

}  // namespace experiments::figures
