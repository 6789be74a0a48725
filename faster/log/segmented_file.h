// SegmentedFile: the main log on disk as files `log.<n>`, each of `segment_bytes` log bytes.
//
// Segments are opened on first use and stay open. Sync() makes durable what was written before it, names of
// new segments included. No range of one call may cross a segment. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/device/storage.h"

namespace faster {

class SegmentedFile {
 public:
  SegmentedFile(Storage* storage, std::string directory, uint64_t segment_bytes);

  // Its callback calls MarkWritten: only a write that has completed is covered by a sync, so only its
  // completion may call for one. (Marked at submission, a sync in between would clear the mark and miss the
  // write.)
  void WriteAsync(LogAddress at, const void* from, uint64_t length, IoCallback done, void* context);
  void MarkWritten(LogAddress at);
  void ReadAsync(LogAddress at, void* to, uint64_t length, IoCallback done, void* context);
  Status Read(LogAddress at, void* to, uint64_t length);           // blocking, whole
  Status Write(LogAddress at, const void* from, uint64_t length);  // blocking, whole
  // Syncs every segment written since its last successful sync, then the directory if names are new.
  Status Sync();

  std::string PathOf(LogAddress at) const;
  uint64_t OffsetOf(LogAddress at) const { return at % segment_bytes_; }

 private:
  struct Segment {
    std::unique_ptr<File> file;
    bool dirty = false;
  };
  File* Open(LogAddress at, bool for_write, Status* status);

  Storage* const storage_;
  const std::string directory_;
  const uint64_t segment_bytes_;
  std::mutex mutex_;  // guards segments_ and names_dirty_; never held during I/O on a segment
  std::vector<Segment> segments_;
  bool names_dirty_ = false;
};

}  // namespace faster
