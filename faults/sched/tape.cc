#include "faults/sched/tape.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace faults {
namespace {

constexpr char kMagic[8] = {'C', 'P', 'R', 'T', 'A', 'P', 'E', '\n'};
constexpr uint64_t kUnknown = ~0ull;

uint64_t Mix(uint64_t hash, const void* data, size_t bytes) {
  const unsigned char* p = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < bytes; ++i) hash = (hash ^ p[i]) * 0x100000001b3ull;
  return hash ^ (hash >> 29);
}

uint64_t Checksum(TapeHeader header, const TapeEntry* entries, size_t count) {
  header.checksum = 0;
  uint64_t hash = Mix(0xcbf29ce484222325ull, &header, sizeof header);
  return Mix(hash, entries, count * sizeof(TapeEntry));
}

bool Refuse(std::string* error, const std::string& path, const std::string& why) {
  *error = "tape " + path + ": " + why;
  return false;
}

// Reads the whole file; tapes are small (a few KiB), so a limit guards against a wrong file.
bool ReadAll(const std::string& path, std::string* bytes, std::string* error) {
  FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return Refuse(error, path, std::strerror(errno));
  char buffer[1 << 16];
  size_t n;
  while ((n = std::fread(buffer, 1, sizeof buffer, file)) > 0) {
    bytes->append(buffer, n);
    if (bytes->size() > (1u << 30)) break;
  }
  const bool bad = std::ferror(file) != 0;
  std::fclose(file);
  if (bad) return Refuse(error, path, "cannot be read");
  if (bytes->size() > (1u << 30)) return Refuse(error, path, "larger than 1 GiB");
  return true;
}

bool CheckHeader(const TapeHeader& h, const std::string& path, std::string* error) {
  if (std::memcmp(h.magic, kMagic, sizeof kMagic) != 0)
    return Refuse(error, path, "not a tape (wrong magic)");
  if (h.version != kTapeVersion) {
    return Refuse(error, path,
                  "format version " + std::to_string(h.version) + ", this program reads version " +
                      std::to_string(kTapeVersion));
  }
  if (h.header_bytes != sizeof(TapeHeader)) return Refuse(error, path, "header has a wrong size");
  if (h.commit[sizeof h.commit - 1] != 0 || h.label[sizeof h.label - 1] != 0) {
    return Refuse(error, path, "header text is not terminated");
  }
  if (h.plain_points > 1 || h.spurious_cas > 1) return Refuse(error, path, "header flag is neither 0 nor 1");
  if (h.arena_bytes < 4096 || h.arena_bytes > (2ull << 30)) {
    return Refuse(error, path, "arena size " + std::to_string(h.arena_bytes) + " is out of range");
  }
  return true;
}

bool CheckEntries(const std::vector<TapeEntry>& entries, const std::string& path, std::string* error) {
  for (size_t i = 0; i < entries.size(); ++i) {
    const TapeEntry& e = entries[i];
    const char* why = nullptr;
    if (e.kind >= kChoiceKinds)
      why = "unknown kind of choice";
    else if (e.unused != 0)
      why = "reserved byte is not 0";
    else if (e.value == 0 || e.value >= e.count)
      why = "choice is out of its range";
    else if (i > 0 && e.step <= entries[i - 1].step)
      why = "steps do not ascend";
    if (why != nullptr) return Refuse(error, path, "entry " + std::to_string(i) + ": " + why);
  }
  return true;
}

}  // namespace

TapeHeader MakeTapeHeader(const Scheduler::Options& options, uint64_t seed, const std::string& commit,
                          const std::string& label) {
  TapeHeader h;
  std::memset(&h, 0, sizeof h);
  std::memcpy(h.magic, kMagic, sizeof kMagic);
  h.version = kTapeVersion;
  h.header_bytes = sizeof h;
  std::memcpy(h.commit, commit.data(), std::min(commit.size(), sizeof h.commit - 1));
  std::memcpy(h.label, label.data(), std::min(label.size(), sizeof h.label - 1));
  h.seed = seed;
  h.step_limit = options.step_limit;
  h.crash_step = options.crash_step;
  h.crash_event = options.crash_event;
  h.arena_bytes = options.arena_bytes;
  h.plain_points = options.plain_points;
  h.spurious_cas = options.spurious_cas;
  h.entries = kUnknown;
  h.checksum = Checksum(h, nullptr, 0);
  return h;
}

void ApplyTapeOptions(const TapeHeader& header, Scheduler::Options* options) {
  options->step_limit = header.step_limit;
  options->crash_step = header.crash_step;
  options->crash_event = header.crash_event;
  options->arena_bytes = header.arena_bytes;
  options->plain_points = header.plain_points != 0;
  options->spurious_cas = header.spurious_cas != 0;
}

bool SaveTape(const std::string& path, const Tape& tape, std::string* error) {
  TapeHeader header = tape.header;
  header.entries = tape.entries.size();
  header.checksum = Checksum(header, tape.entries.data(), tape.entries.size());
  FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return Refuse(error, path, std::strerror(errno));
  bool ok = std::fwrite(&header, sizeof header, 1, file) == 1;
  if (!tape.entries.empty()) {
    ok = ok && std::fwrite(tape.entries.data(), sizeof(TapeEntry), tape.entries.size(), file) ==
                   tape.entries.size();
  }
  ok = std::fclose(file) == 0 && ok;
  return ok || Refuse(error, path, std::string("cannot be written: ") + std::strerror(errno));
}

bool LoadTape(const std::string& path, Tape* tape, std::string* error) {
  std::string bytes;
  if (!ReadAll(path, &bytes, error)) return false;
  if (bytes.size() < sizeof(TapeHeader)) return Refuse(error, path, "too short for a tape");
  std::memcpy(&tape->header, bytes.data(), sizeof(TapeHeader));
  if (!CheckHeader(tape->header, path, error)) return false;
  const size_t rest = bytes.size() - sizeof(TapeHeader);
  if (rest % sizeof(TapeEntry) != 0) return Refuse(error, path, "ends in the middle of an entry");
  size_t count = rest / sizeof(TapeEntry);
  const bool known = tape->header.entries != kUnknown;
  if (known && tape->header.entries != count) {
    return Refuse(error, path,
                  "header says " + std::to_string(tape->header.entries) + " entries, the file has " +
                      std::to_string(count));
  }
  tape->entries.resize(count);
  if (count != 0) std::memcpy(tape->entries.data(), bytes.data() + sizeof(TapeHeader), rest);
  if (tape->header.checksum != Checksum(tape->header, tape->entries.data(), known ? count : 0)) {
    return Refuse(error, path, "checksum does not match");
  }
  if (!known) {
    size_t used = 0;
    while (used < count && tape->entries[used].value != 0) ++used;
    tape->entries.resize(used);
  }
  return CheckEntries(tape->entries, path, error);
}

MappedTape::~MappedTape() {
  if (map_ != nullptr) munmap(map_, bytes_);
}

bool MappedTape::Open(const std::string& path, size_t capacity, std::string* error) {
  const size_t bytes = sizeof(TapeHeader) + capacity * sizeof(TapeEntry);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return Refuse(error, path, std::strerror(errno));
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    const int code = errno;
    close(fd);
    return Refuse(error, path, std::strerror(code));
  }
  void* map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int code = errno;
  close(fd);
  if (map == MAP_FAILED) return Refuse(error, path, std::strerror(code));
  if (map_ != nullptr) munmap(map_, bytes_);
  map_ = map;
  bytes_ = bytes;
  entries_ = reinterpret_cast<TapeEntry*>(static_cast<char*>(map) + sizeof(TapeHeader));
  capacity_ = capacity;
  return true;
}

void MappedTape::Restart(const TapeHeader& header, size_t used) {
  std::memset(entries_, 0, std::min(used, capacity_) * sizeof(TapeEntry));
  std::memcpy(map_, &header, sizeof header);
}

}  // namespace faults
