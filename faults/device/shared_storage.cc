#include "faults/device/shared_storage.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <system_error>
#include <utility>

#include "faster/device/path.h"

namespace faults {

using faster::File;
using faster::OpenMode;
using faster::Status;
using Operation = SharedJournal::NameOperation;

// One file's contents, shared by all its handles.
class SharedInode {
 public:
  SharedInode(DiskModel::Inode id, std::unique_ptr<File> opened, uint64_t bytes)
      : inode(id), file(std::move(opened)), size(bytes) {}
  const DiskModel::Inode inode;
  const std::unique_ptr<File> file;
  std::mutex mutex;  // serialises changes: an entry's saved bytes must be those its write replaces
  uint64_t size;
  std::vector<char> saved;  // scratch
};

class SharedFile : public File {
 public:
  SharedFile(SharedStorage* storage, std::shared_ptr<SharedInode> inode, bool writable)
      : storage_(storage), inode_(std::move(inode)), writable_(writable) {}

  void ReadAsync(uint64_t offset, void* buffer, uint64_t length, faster::IoCallback done,
                 void* context) override {
    storage_->pool_.Submit({this, buffer, offset, length, done, context, false});
  }
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, faster::IoCallback done,
                  void* context) override {
    storage_->pool_.Submit({this, const_cast<void*>(buffer), offset, length, done, context, true});
  }
  Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
    if (!storage_->asynchronous_) return inode_->file->Read(offset, buffer, length, bytes);
    Waiter waiter;
    inode_->file->ReadAsync(offset, buffer, length, &Waiter::Done, &waiter);
    return waiter.Wait(bytes);
  }
  Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override {
    *bytes = 0;
    if (!writable_) return Status::kInvalidArgument;
    std::lock_guard<std::mutex> lock(inode_->mutex);
    const Status status = Save(offset, length);
    if (status != Status::kOk) return status;
    const Status written = WriteObject(offset, buffer, length, bytes);
    if (written == Status::kOk && *bytes > 0) inode_->size = std::max(inode_->size, offset + *bytes);
    return written;
  }
  Status Sync() override {
    std::lock_guard<std::mutex> lock(inode_->mutex);  // no write of this file is half done
    storage_->journal_->SetSynced(static_cast<uint32_t>(inode_->inode), storage_->journal_->NextSequence());
    return Status::kOk;
  }
  Status Size(uint64_t* bytes) override {
    std::lock_guard<std::mutex> lock(inode_->mutex);
    *bytes = inode_->size;
    return Status::kOk;
  }
  Status Truncate(uint64_t bytes) override {
    if (!writable_) return Status::kInvalidArgument;
    std::lock_guard<std::mutex> lock(inode_->mutex);
    if (bytes == inode_->size) return Status::kOk;
    const uint64_t cut = bytes < inode_->size ? inode_->size - bytes : 0;
    Status status = Save(std::min(bytes, inode_->size), cut);
    if (status != Status::kOk) return status;
    status = inode_->file->Truncate(bytes);
    if (status == Status::kOk) inode_->size = bytes;
    return status;
  }

 private:
  struct Waiter {  // for the end of an asynchronous call
    std::mutex mutex;
    std::condition_variable wake;
    bool ended = false;
    Status status;
    uint64_t bytes;
    static void Done(void* context, Status status, uint64_t bytes) {
      auto* const self = static_cast<Waiter*>(context);
      std::lock_guard lock(self->mutex);
      self->status = status;
      self->bytes = bytes;
      self->ended = true;
      self->wake.notify_one();
    }
    Status Wait(uint64_t* moved) {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] { return ended; });
      *moved = status == Status::kOk ? bytes : 0;
      return status;
    }
  };
  Status WriteObject(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) {
    if (!storage_->asynchronous_) return inode_->file->Write(offset, buffer, length, bytes);
    Waiter waiter;
    inode_->file->WriteAsync(offset, buffer, length, &Waiter::Done, &waiter);
    return waiter.Wait(bytes);
  }

  // Journals what a change of [offset, offset + length) is about to replace.
  Status Save(uint64_t offset, uint64_t length) {
    const uint64_t size = inode_->size;
    const uint64_t wanted = offset < size ? std::min(length, size - offset) : 0;
    if (inode_->saved.size() < wanted) inode_->saved.resize(wanted);
    if (wanted > 0) {
      const Status status = faster::ReadFully(*inode_->file, offset, inode_->saved.data(), wanted);
      if (status != Status::kOk) return status;
    }
    const SharedJournal::Entry entry{0, 0, offset, length, wanted, size, static_cast<uint32_t>(inode_->inode),
                                     0};
    return storage_->Journal(entry, inode_->saved.data()) ? Status::kOk : Status::kNoSpace;
  }

  SharedStorage* const storage_;
  const std::shared_ptr<SharedInode> inode_;
  const bool writable_;
};

class SharedLock : public faster::DirectoryLock {
 public:
  SharedLock(SharedStorage* storage, DiskModel::Inode directory) : storage_(storage), directory_(directory) {}
  ~SharedLock() override {
    std::lock_guard<std::mutex> lock(storage_->names_mutex_);
    storage_->locks_.erase(directory_);
  }

 private:
  SharedStorage* const storage_;
  const DiskModel::Inode directory_;
};

SharedStorage::SharedStorage(std::string_view root, SharedJournal* journal,
                             const faster::PosixStorageOptions& options,
                             std::unique_ptr<faster::Storage> objects)
    : root_(root),
      journal_(journal),
      asynchronous_(objects != nullptr),
      objects_(asynchronous_ ? std::move(objects)
                             : std::make_unique<faster::PosixStorage>(root_ + ".objects", options)),
      pool_(options.threads, options.max_queued) {
  start_status_ = Start();
}

SharedStorage::~SharedStorage() { pool_.Drain(); }

bool SharedStorage::Journal(SharedJournal::Entry entry, const void* saved) {
  std::lock_guard<std::mutex> lock(journal_mutex_);
  entry.sequence = journal_->NextSequence();
  return journal_->Append(entry, saved);
}

Status SharedStorage::AppendName(Operation operation, std::string_view path, std::string_view second) {
  return journal_->AppendName(operation, path, second) ? Status::kOk : Status::kNoSpace;
}

// --- Start: what is in ROOT is durable; each of its files gets a second name, ROOT.objects/N -------------

Status SharedStorage::Start() {
  std::error_code error;
  std::filesystem::remove_all(root_ + ".objects", error);
  if (error) return faster::StatusFromErrno(error.value());
  Status status = objects_->CreateDirectory("");
  if (status != Status::kOk) return status;
  // A second process on this root is refused as soon as it tries: the objects are one process' own.
  status = objects_->Lock("", &process_lock_);
  if (status != Status::kOk) return status;
  status = Adopt("");
  if (status == Status::kOk) journal_->MarkReady();
  return status;
}

Status SharedStorage::Adopt(const std::string& directory) {
  const std::string prefix = directory.empty() ? std::string() : directory + "/";
  std::error_code error;
  std::vector<std::pair<std::string, bool>> found;
  for (std::filesystem::directory_iterator entry(root_ + "/" + directory, error), end; !error && entry != end;
       entry.increment(error)) {
    found.emplace_back(prefix + entry->path().filename().string(), entry->is_directory());
  }
  if (error) return faster::StatusFromErrno(error.value());
  std::sort(found.begin(), found.end());
  for (const auto& [path, is_directory] : found) {
    Status status;
    if (is_directory) {
      status = names_.CreateDirectory(path);
      if (status == Status::kOk) status = AppendName(Operation::kCreateDirectory, path);
      if (status == Status::kOk) status = Adopt(path);
    } else {
      DiskModel::Inode inode;
      status = names_.Open(path, OpenMode::kCreate, &inode);
      if (status == Status::kOk) status = AppendName(Operation::kOpen, path);
      const std::string object = root_ + ".objects/" + std::to_string(inode);
      if (status == Status::kOk && ::link((root_ + "/" + path).c_str(), object.c_str()) < 0) {
        status = faster::StatusFromErrno(errno);
      }
    }
    if (status != Status::kOk) return status;
  }
  const Status status = names_.SyncDirectory(directory, names_.sequence());
  return status == Status::kOk ? AppendName(Operation::kSyncDirectory, directory) : status;
}

// --- Names: first the model says what happens, then the journal has it -----------------------------------

Status SharedStorage::OpenInode(DiskModel::Inode inode, std::shared_ptr<SharedInode>* opened) {
  if (static_cast<uint32_t>(inode) >= journal_->max_files()) return Status::kNoSpace;
  std::weak_ptr<SharedInode>& known = inodes_[inode];
  *opened = known.lock();
  if (*opened != nullptr) return Status::kOk;
  std::unique_ptr<File> file;
  Status status = objects_->Open(std::to_string(inode), OpenMode::kCreate, &file);
  if (status != Status::kOk) return status;
  uint64_t size = 0;
  status = file->Size(&size);
  if (status != Status::kOk) return status;
  *opened = std::make_shared<SharedInode>(inode, std::move(file), size);
  known = *opened;
  return Status::kOk;
}

Status SharedStorage::Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) {
  if (start_status_ != Status::kOk) return start_status_;
  std::shared_ptr<SharedInode> inode;
  {
    std::lock_guard<std::mutex> lock(names_mutex_);
    const uint64_t before = names_.sequence();
    DiskModel::Inode id;
    Status status = names_.Open(path, mode, &id);
    if (status != Status::kOk) return status;
    if (names_.sequence() != before) status = AppendName(Operation::kOpen, path);  // it was created
    if (status == Status::kOk) status = OpenInode(id, &inode);
    if (status != Status::kOk) return status;
  }
  auto opened = std::make_unique<SharedFile>(this, std::move(inode), mode != OpenMode::kRead);
  if (mode == OpenMode::kTruncate) {
    const Status status = opened->Truncate(0);
    if (status != Status::kOk) return status;
  }
  *file = std::move(opened);
  return Status::kOk;
}

Status SharedStorage::CreateDirectory(std::string_view path) {
  if (start_status_ != Status::kOk) return start_status_;
  std::lock_guard<std::mutex> lock(names_mutex_);
  const uint64_t before = names_.sequence();
  const Status status = names_.CreateDirectory(path);
  if (status != Status::kOk || names_.sequence() == before) return status;
  return AppendName(Operation::kCreateDirectory, path);
}

Status SharedStorage::Remove(std::string_view path) {
  if (start_status_ != Status::kOk) return start_status_;
  std::lock_guard<std::mutex> lock(names_mutex_);
  const Status status = names_.Remove(path);
  return status == Status::kOk ? AppendName(Operation::kRemove, path) : status;
}

Status SharedStorage::Rename(std::string_view from, std::string_view to) {
  if (start_status_ != Status::kOk) return start_status_;
  std::lock_guard<std::mutex> lock(names_mutex_);
  const Status status = names_.Rename(from, to);
  return status == Status::kOk ? AppendName(Operation::kRename, from, to) : status;
}

Status SharedStorage::List(std::string_view directory, std::vector<std::string>* names) {
  names->clear();
  if (start_status_ != Status::kOk) return start_status_;
  std::lock_guard<std::mutex> lock(names_mutex_);
  ModelVector<ModelString> found;
  const Status status = names_.List(directory, &found);
  for (const ModelString& name : found) names->emplace_back(name.data(), name.size());
  return status;
}

Status SharedStorage::SyncDirectory(std::string_view directory) {
  if (start_status_ != Status::kOk) return start_status_;
  std::lock_guard<std::mutex> lock(names_mutex_);
  const Status status = names_.SyncDirectory(directory, names_.sequence());
  return status == Status::kOk ? AppendName(Operation::kSyncDirectory, directory) : status;
}

Status SharedStorage::Lock(std::string_view directory, std::unique_ptr<faster::DirectoryLock>* lock) {
  if (start_status_ != Status::kOk) return start_status_;
  std::lock_guard<std::mutex> guard(names_mutex_);
  DiskModel::Inode inode;
  const Status status = names_.FindDirectory(directory, &inode);
  if (status != Status::kOk) return status;
  if (!locks_.emplace(inode, true).second) return Status::kBusy;
  *lock = std::make_unique<SharedLock>(this, inode);
  return Status::kOk;
}

void SharedStorage::Schedule(void (*job)(void* argument), void* argument) { jobs_.Schedule(job, argument); }

}  // namespace faults
