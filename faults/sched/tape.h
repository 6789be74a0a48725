// Tape: the recorded choices of one execution, in memory and as a file.
//
// File form: TapeHeader, then TapeEntry after TapeEntry; little-endian as laid out in memory. A file that was
// mapped and recorded into (MapTape) may end in zeroed entries: an entry of value 0 ends the tape, because
// zeros are never recorded. LoadTape checks everything; any bytes may be wrong. Not thread-safe. Used outside
// fibers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "faults/sched/scheduler.h"

namespace faults {

struct TapeHeader {
  char magic[8];          // "CPRTAPE\n"
  uint32_t version;       // kTapeVersion
  uint32_t header_bytes;  // sizeof(TapeHeader)
  char commit[48];        // of the source; a tape belongs to one commit. Zero-terminated
  char label[64];         // the caller's: scenario, policy. Zero-terminated
  uint64_t seed;
  uint64_t step_limit;
  uint64_t crash_step;
  uint64_t crash_event;
  uint64_t arena_bytes;
  uint32_t plain_points;  // 0 or 1
  uint32_t spurious_cas;  // 0 or 1
  uint64_t hash;          // of the recorded execution; 0 = unknown (it did not end)
  uint64_t entries;       // ~0 = unknown: up to the first entry of value 0
  uint64_t checksum;  // of all the above with this field 0, and of the entries unless their number is unknown
};
constexpr uint32_t kTapeVersion = 1;

struct Tape {
  TapeHeader header = {};
  std::vector<TapeEntry> entries;
};

// A header for these options; strings too long are cut.
TapeHeader MakeTapeHeader(const Scheduler::Options& options, uint64_t seed, const std::string& commit,
                          const std::string& label);
void ApplyTapeOptions(const TapeHeader& header, Scheduler::Options* options);  // all but policy and buffers

// False: *error is one line that names the file and what is wrong.
bool SaveTape(const std::string& path, const Tape& tape, std::string* error);
bool LoadTape(const std::string& path, Tape* tape, std::string* error);

// A file of `capacity` entries to record into directly, so that the tape survives the death of this process.
class MappedTape {
 public:
  MappedTape() = default;
  ~MappedTape();
  MappedTape(const MappedTape&) = delete;
  MappedTape& operator=(const MappedTape&) = delete;
  bool Open(const std::string& path, size_t capacity, std::string* error);
  // Starts a new recording: writes the header, forgets the entries `used` by the last one.
  void Restart(const TapeHeader& header, size_t used);
  TapeEntry* entries() { return entries_; }
  size_t capacity() const { return capacity_; }

 private:
  void* map_ = nullptr;
  size_t bytes_ = 0;
  TapeEntry* entries_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace faults
