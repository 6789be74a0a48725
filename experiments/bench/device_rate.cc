#include "experiments/bench/device_rate.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <vector>

#include "experiments/bench/report.h"
#include "experiments/common/progress.h"

namespace experiments::bench {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPiece = size_t{4} << 20;
constexpr size_t kAlignment = 4096;

bool Failed(const std::string& what, const std::string& path, std::string* error) {
  *error = "cannot " + what + " " + path + ": " + std::strerror(errno);
  return false;
}

bool ForEachFile(const std::string& folder, const std::function<bool(int file)>& visit, std::string* error) {
  std::error_code code;
  for (fs::recursive_directory_iterator at(folder, code), end; !code && at != end; at.increment(code)) {
    if (!at->is_regular_file()) continue;
    const std::string path = at->path().string();
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return Failed("open", path, error);
    const bool good = visit(file);
    if (!good) Failed("read", path, error);
    close(file);
    if (!good) return false;
  }
  if (code) *error = "cannot list " + folder + ": " + code.message();
  return !code;
}

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Piece = std::unique_ptr<uint64_t, Free>;

// Bytes that neither the file system nor the device can make smaller.
Piece Noise() {
  Piece noise(static_cast<uint64_t*>(std::aligned_alloc(kAlignment, kPiece)));
  uint64_t state = 88172645463325252ull;
  for (size_t i = 0; noise != nullptr && i < kPiece / 8; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    noise.get()[i] = state;
  }
  return noise;
}

// Past the page cache where the file system lets it.
bool WriteAndSync(int file, const Piece& noise, uint64_t bytes) {
  for (uint64_t done = 0; done < bytes && !Interrupted();) {
    const uint64_t length = std::min<uint64_t>(kPiece, bytes - done);
    if (length % kAlignment != 0 || done % kAlignment != 0) fcntl(file, F_SETFL, 0);
    const ssize_t wrote = write(file, noise.get(), length);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    done += static_cast<uint64_t>(wrote);
  }
  return fdatasync(file) == 0;
}

}  // namespace

uint64_t FreeBytes(const std::string& folder) {
  struct statvfs room;
  if (statvfs(folder.c_str(), &room) != 0) return 0;
  return static_cast<uint64_t>(room.f_bavail) * room.f_frsize;
}

uint64_t AvailableMemory() {
  std::ifstream in("/proc/meminfo");
  std::string name, unit;
  for (uint64_t kilobytes; in >> name >> kilobytes; std::getline(in, unit)) {
    if (name == "MemAvailable:") return kilobytes << 10;
  }
  return static_cast<uint64_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t ResidentBytes() {
  uint64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

bool TimeSequentialWrite(const std::string& folder, uint64_t bytes, double* seconds, std::string* error) {
  error->clear();
  const Piece noise = Noise();
  if (noise == nullptr) return *error = "no memory for what is to be written", false;
  const std::string path = folder + "/sequential";
  Settle(folder);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  int file = open(path.c_str(), kFlags | O_DIRECT, 0644);
  if (file < 0) file = open(path.c_str(), kFlags, 0644);
  if (file < 0) return Failed("create", path, error);
  const double start = MonotonicSeconds();
  const bool good = WriteAndSync(file, noise, bytes);
  *seconds = MonotonicSeconds() - start;
  if (!good) Failed("write", path, error);
  close(file);
  unlink(path.c_str());
  return good && !Interrupted();
}

bool TimeSequentialRead(const std::string& folder, Transfer* transfer, std::string* error) {
  error->clear();
  std::vector<char> buffer(kPiece);
  const double start = MonotonicSeconds();
  const auto read_all = [&](int file) {
    ssize_t got;
    while ((got = read(file, buffer.data(), buffer.size())) > 0 && !Interrupted())
      transfer->bytes += static_cast<uint64_t>(got);
    return got >= 0;
  };
  const bool good = ForEachFile(folder, read_all, error);
  transfer->seconds = MonotonicSeconds() - start;
  return good && !Interrupted();
}

bool Drop(const std::string& folder, std::string* error) {
  Settle(folder);
  return ForEachFile(
      folder, [](int file) { return posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0; }, error);
}

void Settle(const std::string& folder) {
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return;
  syncfs(directory);
  close(directory);
}

}  // namespace experiments::bench
