// SegmentedFile: the main log on disk as files `log.<n>`, each of `segment_bytes` log bytes.
//
// OPEN FILES. Segments are opened when they are used. At most `open_limit` of them are open, besides those
// with a transfer in flight; the one used longest ago is closed. What was written to a segment is synced
// before it is closed: an error that the device reports later would have nobody to hear it. So that no
// operation has to wait for that, a job of the storage begins to sync the oldest ones when more than half of
// the limit wait for a sync. A sync that fails there fails the next Sync().
//
// Sync() makes durable all writes that had completed before it, names of new segments included. After a
// failed one whatever was written since the last good one has to be written again (see storage.h).
//
// ERRORS: as the device's. To a read, a segment that is not there is one without bytes, kShortIo: an address
// led to it, and "not found" would be taken for an answer about a key.
//
// No range of one call may cross a segment. Thread-safe. Destroy it when no transfer is in flight. COST of a
// transfer: a mutex twice, no allocation once as many have been in flight at the same time; of one that finds
// its segment closed: an open, and a sync if all others are in use or unsynced.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/device/storage.h"

namespace faster {

class SegmentedFile {
 public:
  // `mode` kRead: of a log that is only looked at; writes are kInvalidArgument. Else kReadWrite.
  SegmentedFile(Storage* storage, std::string directory, uint64_t segment_bytes, uint32_t open_limit,
                OpenMode mode = OpenMode::kReadWrite);
  ~SegmentedFile();

  void WriteAsync(LogAddress at, const void* from, uint64_t length, IoCallback done, void* context);
  void ReadAsync(LogAddress at, void* to, uint64_t length, IoCallback done, void* context);
  Status Read(LogAddress at, void* to, uint64_t length);           // blocking, whole
  Status Write(LogAddress at, const void* from, uint64_t length);  // blocking, whole
  // Syncs every segment written since its last successful sync, then the directory if names are new.
  Status Sync();
  // Nobody needs what is below `until` any more, and the files may be gone: an open one would keep its space.
  void CloseBelow(LogAddress until);

  std::string PathOf(LogAddress at) const;
  uint64_t OffsetOf(LogAddress at) const { return at % segment_bytes_; }
  uint64_t segment_bytes() const { return segment_bytes_; }
  size_t open_files();
  void Poll() { storage_->Poll(); }

 private:
  struct Segment {
    uint64_t index;
    std::unique_ptr<File> file;
    uint64_t last_use = 0;
    std::atomic<uint32_t> users{0};  // raised under the mutex only; not closed while there are any
    bool dirty = false;              // a write has completed that no sync covers
    bool removed = false;
  };
  struct Transfer {
    SegmentedFile* log;
    Segment* segment;
    IoCallback done;
    void* context;
    bool write;
    Transfer* next;  // free ones
  };
  using Closing = std::vector<std::unique_ptr<Segment>>;  // destroyed without the mutex

  Segment* Acquire(LogAddress at, bool for_write, Transfer** transfer, Status* status);
  static void Release(Segment* segment) { segment->users.fetch_sub(1, std::memory_order_release); }
  Segment* Find(uint64_t index);
  Segment* OpenSegment(LogAddress at, bool for_write, Status* status);
  void MakeRoom(std::unique_lock<std::mutex>* lock);
  Segment* Oldest(bool dirty, uint32_t* how_many);
  void Detach(Segment* segment, Closing* closing);
  void DetachRemoved(Closing* closing);
  bool SyncOldest(uint32_t spare);
  Status SyncOne(Segment* segment);
  void CleanIfMany(std::unique_lock<std::mutex>* lock);
  static void Clean(void* self);
  static void OnTransferred(void* context, Status status, uint64_t bytes);

  Storage* const storage_;
  const std::string directory_;
  const uint64_t segment_bytes_;
  const uint32_t open_limit_;
  const OpenMode mode_;
  // One sync of segments at a time: a Sync() must not return while one of the job, which may fail, is on its
  // way. Taken before mutex_.
  std::mutex sync_mutex_;
  std::mutex mutex_;                            // guards what follows; never held during I/O on a segment
  std::vector<std::unique_ptr<Segment>> open_;  // by index
  std::vector<bool> named_;                     // by index: written before, so its name was or will be synced
  bool names_dirty_ = false;
  Status failed_ = Status::kOk;  // of a sync that no Sync() has told of
  uint64_t uses_ = 0;
  std::deque<Transfer> transfers_;
  Transfer* free_transfers_ = nullptr;
  std::atomic<bool> cleaning_{false};
};

}  // namespace faster
