#include "faults/device/sim_storage.h"

#include <algorithm>
#include <array>

#include "faster/device/path.h"
#include "faults/device/sim_handles.h"

namespace faults {

using faster::OpenMode;
using faster::Status;

std::string_view IoEventKindName(IoEventKind kind) {
  constexpr std::array<std::string_view, 17> kNames = {
      "submit read", "submit write",   "read", "write",
      "sync",        "sync directory", "open", "create directory",
      "remove",      "rename",         "list", "size",
      "truncate",    "lock",           "job",  "crash",
      "reopen"};
  return kNames[static_cast<size_t>(kind)];
}

SimStorage::~SimStorage() { ForgetHandles(); }

void SimStorage::ForgetHandles() {
  for (SimFile* file : files_) SimFile::operator delete(file);
  for (SimLock* lock : locks_) SimLock::operator delete(lock);
  files_.clear();
  locks_.clear();
}

void SimStorage::Reset(const Options& options, Scheduler* scheduler, FaultPlan* faults) {
  ForgetHandles();
  queue_.clear();
  blocking_.clear();
  options_ = options;
  scheduler_ = scheduler;
  faults_ = faults;
  if (faults != nullptr) faults->Restart();
  chooser_ = {[](void* self, ChoiceKind kind, uint32_t count) {
                return static_cast<SimStorage*>(self)->Choose(kind, count);
              },
              this};
  disk_.Reset(options.disk, chooser_);
  disk_.ForgetStatistics();
  life_ = 0;
  next_request_ = 1;
  paths_used_ = 0;
  events_.resize(options.event_log);
  events_logged_ = 0;
  statistics_ = {};
  at_crash_.clear();
  Crash();
  statistics_.crashes = 0;
  events_logged_ = 0;
  Reopen();
}

void SimStorage::Crash() {
  alive_ = false;
  ModelVector<DiskModel::InFlightWrite> writes;
  at_crash_.clear();
  for (const ModelVector<Request>* requests : {&queue_, &blocking_}) {
    for (const Request& request : *requests) {
      at_crash_.push_back(request);
      if (!request.write || !request.allowed) continue;
      const void* bytes = request.copy < 0 ? request.buffer : copies_[request.copy].data();
      writes.push_back({request.inode, request.offset, request.length, static_cast<const uint8_t*>(bytes)});
    }
  }
  disk_.Crash(writes.data(), writes.size());
  statistics_.lost_in_crash += queue_.size();
  ++statistics_.crashes;
  queue_.clear();
  blocking_.clear();
  jobs_.clear();
  free_copies_.clear();
  for (size_t i = copies_.size(); i-- > 0;) free_copies_.push_back(static_cast<int32_t>(i));
  for (SimLock* lock : locks_) lock->held_ = false;
  device_fibers_ = job_fibers_ = idle_job_fibers_ = 0;
  Log(IoEventKind::kCrash, Status::kOk, FaultKind::kNone, InternPath(""), 0, 0, writes.size());
}

void SimStorage::Reopen() {
  ++life_;
  alive_ = true;
  Log(IoEventKind::kReopen, Status::kOk, FaultKind::kNone, InternPath(""), 0, 0, 0);
}

// --- The scheduler --------------------------------------------------------------------------------------

bool SimStorage::OnFiber() const { return scheduler_ != nullptr && scheduler_->current_fiber() >= 0; }

uint32_t SimStorage::Choose(ChoiceKind kind, uint32_t count) {
  return count > 1 && OnFiber() ? scheduler_->Choose(kind, count) : 0;
}

void SimStorage::Point(PointKind kind, const void* object, uint64_t value) {
  if (OnFiber()) scheduler_->Point(kind, object, value);
}

FaultKind SimStorage::DecideFault(IoOperation operation, std::string_view path) {
  if (faults_ == nullptr) return FaultKind::kNone;
  const FaultKind fault = faults_->Decide(operation, path, chooser_);
  if (fault != FaultKind::kNone) ++statistics_.faults;
  return fault;
}

uint32_t SimStorage::InternPath(std::string_view path) {
  for (size_t i = 0; i < paths_used_; ++i) {
    if (std::string_view(paths_[i]) == path) return static_cast<uint32_t>(i);
  }
  if (paths_used_ == paths_.size()) paths_.emplace_back();
  paths_[paths_used_].assign(path);
  return static_cast<uint32_t>(paths_used_++);
}

void SimStorage::Log(IoEventKind kind, Status status, FaultKind fault, uint32_t path, uint64_t request,
                     uint64_t offset, uint64_t length) {
  changes_ += kind == IoEventKind::kSubmitWrite || kind == IoEventKind::kWriteDone ||
              kind == IoEventKind::kSync || kind == IoEventKind::kSyncDirectory;
  if (events_.empty()) return;
  events_[events_logged_++ % events_.size()] = {scheduler_ == nullptr ? 0 : scheduler_->step(),
                                                scheduler_ == nullptr ? -1 : scheduler_->current_fiber(),
                                                life_,
                                                kind,
                                                status,
                                                fault,
                                                path,
                                                request,
                                                offset,
                                                length};
}

// --- Names ----------------------------------------------------------------------------------------------

// The point of a call on names, and the fault it meets: returns what to answer if not kOk, and whether the
// operation takes place all the same.
Status SimStorage::Meta(IoEventKind kind, IoOperation operation, std::string_view path, bool* perform) {
  *perform = false;
  if (!alive_) return Status::kIoError;
  const bool sync = operation == IoOperation::kDirectorySync;
  ++(sync ? statistics_.directory_syncs : statistics_.meta);
  const FaultKind fault = DecideFault(operation, path);
  Point(sync ? PointKind::kIoSync : PointKind::kIoMeta, &objects_[0], static_cast<uint64_t>(kind));
  *perform = true;
  if (fault == FaultKind::kNoSpace) {
    *perform = false;
    return Status::kNoSpace;
  }
  if (fault == FaultKind::kIoError) {
    *perform = !sync && Choose(ChoiceKind::kIoFate, 2) == 1;
    return Status::kIoError;
  }
  return Status::kOk;
}

Status SimStorage::Done(IoEventKind kind, std::string_view path, Status injected, Status status) {
  const bool injects = injected != Status::kOk;
  if (injects) status = injected;
  Log(kind, status, injects ? FaultKind::kIoError : FaultKind::kNone, InternPath(path), 0, 0, 0);
  return status;
}

Status SimStorage::Open(std::string_view path, OpenMode mode, std::unique_ptr<faster::File>* file) {
  bool perform;
  const Status injected = Meta(IoEventKind::kOpen, IoOperation::kMeta, path, &perform);
  DiskModel::Inode inode = DiskModel::kNone;
  Status status = injected;
  if (perform) status = disk_.Open(path, mode, &inode);
  if (injected == Status::kOk && status == Status::kOk) {
    SimFile* opened = new SimFile(this, inode, InternPath(path), mode != OpenMode::kRead);
    files_.push_back(opened);
    file->reset(opened);
  }
  return Done(IoEventKind::kOpen, path, injected, status);
}

Status SimStorage::CreateDirectory(std::string_view path) {
  bool perform;
  const Status injected = Meta(IoEventKind::kCreateDirectory, IoOperation::kMeta, path, &perform);
  Status status = injected;
  if (perform) status = disk_.CreateDirectory(path);
  return Done(IoEventKind::kCreateDirectory, path, injected, status);
}

Status SimStorage::Remove(std::string_view path) {
  bool perform;
  const Status injected = Meta(IoEventKind::kRemove, IoOperation::kMeta, path, &perform);
  Status status = injected;
  if (perform) status = disk_.Remove(path);
  return Done(IoEventKind::kRemove, path, injected, status);
}

Status SimStorage::Rename(std::string_view from, std::string_view to) {
  bool perform;
  const Status injected = Meta(IoEventKind::kRename, IoOperation::kMeta, from, &perform);
  Status status = injected;
  if (perform) status = disk_.Rename(from, to);
  return Done(IoEventKind::kRename, to, injected, status);
}

Status SimStorage::List(std::string_view directory, std::vector<std::string>* names) {
  names->clear();
  bool perform;
  const Status injected = Meta(IoEventKind::kList, IoOperation::kMeta, directory, &perform);
  Status status = injected;
  ModelVector<ModelString> found;
  if (perform) status = disk_.List(directory, &found);
  if (injected == Status::kOk) {
    for (const ModelString& name : found) names->emplace_back(name.data(), name.size());
  }
  return Done(IoEventKind::kList, directory, injected, status);
}

Status SimStorage::SyncDirectory(std::string_view directory) {
  const uint64_t sequence = disk_.sequence();  // what happens at the point below is not covered (D8)
  bool perform;
  const Status injected = Meta(IoEventKind::kSyncDirectory, IoOperation::kDirectorySync, directory, &perform);
  Status status = injected;
  if (perform) status = disk_.SyncDirectory(directory, sequence);
  return Done(IoEventKind::kSyncDirectory, directory, injected, status);
}

Status SimStorage::Lock(std::string_view directory, std::unique_ptr<faster::DirectoryLock>* lock) {
  bool perform;
  const Status injected = Meta(IoEventKind::kLock, IoOperation::kMeta, directory, &perform);
  DiskModel::Inode inode = DiskModel::kNone;
  Status status = injected;
  if (perform && injected == Status::kOk) {
    status = disk_.FindDirectory(directory, &inode);
    for (const SimLock* held : locks_) {
      if (status == Status::kOk && held->held_ && held->directory_ == inode) status = Status::kBusy;
    }
    if (status == Status::kOk) {
      locks_.push_back(new SimLock(this, inode));
      lock->reset(locks_.back());
    }
  }
  return Done(IoEventKind::kLock, directory, injected, status);
}

void SimStorage::Release(SimLock* lock) { locks_.erase(std::find(locks_.begin(), locks_.end(), lock)); }

void SimStorage::Release(SimFile* file) {
  files_.erase(std::find(files_.begin(), files_.end(), file));
  for (ModelVector<Request>* requests : {&queue_, &blocking_}) {
    for (Request& request : *requests) {
      if (request.file == file) request.file = nullptr;
    }
  }
  if (file->in_flight_ > 0 && file->Alive() && OnFiber()) {
    scheduler_->Fail("a File was destroyed while I/O on it was in flight");
  }
}

// --- Jobs -----------------------------------------------------------------------------------------------

void SimStorage::Schedule(void (*job)(void* argument), void* argument) {
  if (!alive_) return;
  ++statistics_.jobs;
  if (!OnFiber()) return job(argument);
  Point(PointKind::kHarness, &jobs_channel_, jobs_.size());
  Log(IoEventKind::kJob, Status::kOk, FaultKind::kNone, InternPath(""), 0, 0, 0);
  const bool need_fiber = idle_job_fibers_ <= jobs_.size();
  jobs_.push_back({job, argument});
  if (need_fiber && job_fibers_ < std::max(1u, options_.job_fibers)) {
    ++job_fibers_;
    scheduler_->Spawn(&JobMain, this, "job", true);
  } else {
    scheduler_->Notify(&jobs_channel_);
  }
}

void SimStorage::JobMain(void* storage) { static_cast<SimStorage*>(storage)->JobLoop(); }

void SimStorage::JobLoop() {
  for (;;) {
    while (jobs_.empty()) {
      ++idle_job_fibers_;
      scheduler_->Wait(&jobs_channel_);
      --idle_job_fibers_;
    }
    const Job job = jobs_.front();
    jobs_.erase(jobs_.begin());
    job.run(job.argument);
  }
}

}  // namespace faults
