// SimStorage: a faster::Storage over DiskModel for code that runs on the fibers of a Scheduler.
//
// LIVES. Reset() is an empty disk and the first life. Crash() is the power cut: what was in flight may have
// arrived, queues, jobs, handles and locks are gone. Reopen() begins the next life on what the disk holds
// now. Handles of an earlier life answer kIoError. A clean restart needs neither: just open the storage
// again.
//
// SCHEDULING. Every call is a Point before it takes effect: kIoSubmit for reads and writes, kIoSync for both
// kinds of sync, kIoMeta for the rest. Asynchronous reads and writes wait in one queue for `device_fibers`
// daemons, made when first needed; each of them takes what Choose(kIoPick, waiting) says, 0 being the oldest,
// at a kIoComplete point, and calls the callback after another one. Jobs run on daemons of their own and may
// block (more than `job_fibers` at a time wait for each other). A blocking call takes effect after its point.
// Outside a fiber, or without a scheduler, there are no points, choices are 0 and everything happens at once.
//
// DATA. A write is copied when submitted. If its buffer has changed by the time it is performed, which of the
// two the device took is a choice (0: the later) and `changed_in_flight` counts it. Which fault a request
// meets is decided when it is submitted; see fault_plan.h. Files end at max_file_bytes (kNoSpace).
//
// CHECKS on the code under test, reported through Scheduler::Fail: a file destroyed with I/O in flight.
//
// NOT thread-safe: one OS thread, any of its fibers. Memory comes from ModelHeap (never the fibers' arena);
// only what List returns belongs to the caller's heap. Files of a life that crashed need not be destroyed;
// all handles must be gone or forgotten when Reset() is called. COST: one call without faults ~100 ns beside
// its points.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "faster/device/storage.h"
#include "faults/device/disk_model.h"
#include "faults/device/fault_plan.h"
#include "faults/device/model_heap.h"
#include "faults/sched/scheduler.h"

namespace faults {

enum class IoEventKind : uint8_t {
  kSubmitRead,
  kSubmitWrite,
  kReadDone,
  kWriteDone,
  kSync,
  kSyncDirectory,
  kOpen,
  kCreateDirectory,
  kRemove,
  kRename,
  kList,
  kSize,
  kTruncate,
  kLock,
  kJob,
  kCrash,
  kReopen
};
std::string_view IoEventKindName(IoEventKind kind);

struct IoEvent {
  uint64_t step;  // scheduler step
  int32_t fiber;  // -1: outside
  uint32_t life;
  IoEventKind kind;
  faster::Status status;
  FaultKind fault;
  uint32_t path;     // SimStorage::path_name()
  uint64_t request;  // asynchronous I/O: the same in kSubmit* and k*Done; else 0
  uint64_t offset;
  uint64_t length;  // asked for, or transferred when done
};

struct IoStatistics {  // since Reset()
  uint64_t reads = 0, writes = 0, syncs = 0, directory_syncs = 0, meta = 0, jobs = 0, crashes = 0;
  uint64_t submitted = 0,
           completed = 0;  // asynchronous; equal when nothing is in flight and nothing was lost
  uint64_t lost_in_crash = 0;
  uint64_t reordered = 0;  // completed before an older one
  uint64_t faults = 0;
  uint64_t changed_in_flight = 0;
};

class SimFile;
class SimLock;

class SimStorage : public faster::Storage {
 public:
  struct Options {
    DiskModel::Options disk;
    unsigned device_fibers = 2;
    unsigned job_fibers = 6;
    uint64_t max_file_bytes = 64u << 20;
    size_t event_log = 512;  // events kept, the newest
  };

  SimStorage() = default;
  ~SimStorage() override;

  // A new execution. `scheduler` and `faults` (may be null) must outlive it; the plan's counts are restarted.
  void Reset(const Options& options, Scheduler* scheduler, FaultPlan* faults);
  void Crash();   // call it outside the fibers, after Run() returned
  void Reopen();  // the next life; call it after Crash()

  faster::Status Open(std::string_view path, faster::OpenMode mode,
                      std::unique_ptr<faster::File>* file) override;
  faster::Status CreateDirectory(std::string_view path) override;
  faster::Status Remove(std::string_view path) override;
  faster::Status Rename(std::string_view from, std::string_view to) override;
  faster::Status List(std::string_view directory, std::vector<std::string>* names) override;
  faster::Status SyncDirectory(std::string_view directory) override;
  faster::Status Lock(std::string_view directory, std::unique_ptr<faster::DirectoryLock>* lock) override;
  void Schedule(void (*job)(void* argument), void* argument) override;

  const IoStatistics& statistics() const { return statistics_; }
  DiskModel& disk() { return disk_; }
  const DiskModel& disk() const { return disk_; }
  uint32_t life() const { return life_; }
  // Grows with whatever a crash could tell from a crash before: writes submitted and done, syncs, changes of
  // names.
  uint64_t changes() const { return disk_.sequence() + changes_; }
  size_t in_flight() const { return queue_.size() + blocking_.size(); }

  // For reports: files and what is not durable or undecided, and the I/O in flight (after Crash(): that of
  // the moment of the crash).
  std::string DescribeDisk() const;
  std::vector<IoEvent> Events() const;  // oldest first
  std::string_view path_name(uint32_t path) const { return paths_[path]; }

 private:
  friend class SimFile;
  friend class SimLock;

  struct Request {
    uint64_t id;
    SimFile* file;
    DiskModel::Inode inode;
    uint32_t path;
    bool write;
    bool allowed;  // the handle may write
    FaultKind fault;
    uint64_t offset;
    uint64_t length;
    void* buffer;
    int32_t copy;  // index in copies_, -1: none
    faster::IoCallback done;
    void* context;
  };
  struct Job {
    void (*run)(void*);
    void* argument;
  };

  // sim_storage.cc
  bool OnFiber() const;
  uint32_t Choose(ChoiceKind kind, uint32_t count);
  void Point(PointKind kind, const void* object, uint64_t value);
  faster::Status Meta(IoEventKind kind, IoOperation operation, std::string_view path, bool* perform);
  faster::Status Done(IoEventKind kind, std::string_view path, faster::Status injected,
                      faster::Status status);
  FaultKind DecideFault(IoOperation operation, std::string_view path);
  uint32_t InternPath(std::string_view path);
  void Log(IoEventKind kind, faster::Status status, FaultKind fault, uint32_t path, uint64_t request,
           uint64_t offset, uint64_t length);
  void Release(SimFile* file);
  void Release(SimLock* lock);
  void ForgetHandles();
  static void JobMain(void* storage);
  void JobLoop();

  // sim_requests.cc
  const void* ObjectOf(DiskModel::Inode inode) const { return &objects_[static_cast<size_t>(inode) % 256]; }
  void Submit(Request request);
  faster::Status Blocking(Request request, uint64_t* bytes);
  faster::Status Perform(Request& request, uint64_t* bytes);
  faster::Status PerformRead(Request& request, uint64_t* bytes);
  faster::Status PerformWrite(Request& request, uint64_t* bytes);
  faster::Status FailedWrite(const Request& request, const uint8_t* bytes);
  const uint8_t* CapturedBytes(const Request& request);
  uint64_t ShortLength(uint64_t length);
  size_t Pick();
  int32_t NewCopy(const void* bytes, uint64_t length);
  void StartDevices();
  static void DeviceMain(void* storage);
  void DeviceLoop();
  void DescribeRequests(const ModelVector<Request>& requests, std::string* text) const;

  Options options_;
  Scheduler* scheduler_ = nullptr;
  FaultPlan* faults_ = nullptr;
  Chooser chooser_;
  DiskModel disk_;
  bool alive_ = false;
  uint32_t life_ = 0;
  uint64_t next_request_ = 1;
  ModelVector<Request> queue_;     // asynchronous, oldest first
  ModelVector<Request> blocking_;  // submitted by callers that wait for them at their point
  ModelVector<Request> at_crash_;
  ModelVector<ModelVector<uint8_t>> copies_;
  ModelVector<int32_t> free_copies_;
  ModelVector<Job> jobs_;
  unsigned idle_job_fibers_ = 0;
  unsigned job_fibers_ = 0;
  unsigned device_fibers_ = 0;
  ModelVector<SimFile*> files_;
  ModelVector<SimLock*> locks_;
  ModelVector<ModelString> paths_;
  size_t paths_used_ = 0;
  ModelVector<IoEvent> events_;  // a ring
  uint64_t events_logged_ = 0;
  IoStatistics statistics_;
  uint64_t changes_ = 0;    // beside those of the disk itself
  char objects_[256] = {};  // addresses that stand for files in points and channels
  char queue_channel_ = 0;
  char jobs_channel_ = 0;
};

}  // namespace faults
