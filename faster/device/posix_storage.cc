#include "faster/device/posix_storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "faster/device/path.h"

namespace faster {
namespace {

constexpr uint64_t kMaxTransfer = 0x7ffff000;
// Of memory, offset and length of a write past the page cache; what devices want is this or less. It is the
// size of a page, too: no page that is written so holds a byte of another write.
constexpr uint64_t kDirectAlignment = 4096;
constexpr uint64_t kMaxOffset = static_cast<uint64_t>(INT64_MAX);

template <class Call>
auto RetryOnInterrupt(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

Status StatusOf(int result) { return result < 0 ? StatusFromErrno(errno) : Status::kOk; }

bool OutOfRange(uint64_t offset, uint64_t length) {
  return offset > kMaxOffset || length > kMaxOffset - offset;
}

class PosixFile : public File {
 public:
  // `path` names it, and is empty if it is only read.
  PosixFile(int fd, std::string path, IoPool* pool) : fd_(fd), path_(std::move(path)), pool_(pool) {}
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile() override {
    ::close(fd_);
    if (direct_ >= 0) ::close(direct_);
  }

  void ReadAsync(uint64_t offset, void* buffer, uint64_t length, IoCallback done, void* context) override {
    pool_->Submit({this, buffer, offset, length, done, context, false});
  }
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                  void* context) override {
    pool_->Submit({this, const_cast<void*>(buffer), offset, length, done, context, true});
  }

  Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
    return Transfer(offset, length, bytes, [&](uint64_t at, uint64_t size) {
      return ::pread(fd_, static_cast<char*>(buffer) + at, size, static_cast<off_t>(offset + at));
    });
  }
  Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override {
    const bool direct = length >= PosixStorage::kDirectBytes && IsDirect();
    return Transfer(offset, length, bytes, [&](uint64_t at, uint64_t size) {
      const char* const from = static_cast<const char*>(buffer) + at;
      const auto to = static_cast<off_t>(offset + at);
      if (direct && ((offset + at) | size | reinterpret_cast<uintptr_t>(from)) % kDirectAlignment == 0) {
        const ssize_t written = ::pwrite(direct_, from, size, to);
        if (written >= 0 || errno != EINVAL) return written;  // else the device wants more alignment
      }
      return ::pwrite(fd_, from, size, to);
    });
  }
  // fdatasync writes the size too if it changed; an error is final for the data it covered, so it is not
  // retried (only EINTR is, which says that nothing was decided).
  Status Sync() override {
    return StatusOf(RetryOnInterrupt([&] { return ::fdatasync(fd_); }));
  }
  Status Size(uint64_t* bytes) override {
    struct stat info;
    if (::fstat(fd_, &info) < 0) return StatusFromErrno(errno);
    *bytes = static_cast<uint64_t>(info.st_size);
    return Status::kOk;
  }
  Status Truncate(uint64_t bytes) override {
    if (bytes > kMaxOffset) return Status::kNoSpace;
    return StatusOf(RetryOnInterrupt([&] { return ::ftruncate(fd_, static_cast<off_t>(bytes)); }));
  }

 private:
  template <class Call>
  static Status Transfer(uint64_t offset, uint64_t length, uint64_t* bytes, Call call) {
    *bytes = 0;
    if (OutOfRange(offset, length)) return Status::kInvalidArgument;
    uint64_t done = 0;
    while (done < length) {
      const ssize_t n = RetryOnInterrupt([&] { return call(done, std::min(length - done, kMaxTransfer)); });
      if (n < 0) return StatusFromErrno(errno);
      if (n == 0) break;
      done += static_cast<uint64_t>(n);
    }
    *bytes = done;
    return Status::kOk;
  }

  // Opens it for that, the first time. Another file may have come under the name.
  bool IsDirect() {
    std::call_once(direct_once_, [this] {
      if (path_.empty()) return;
      const int fd = RetryOnInterrupt([&] { return ::open(path_.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC); });
      struct stat ours, opened;
      if (fd >= 0 && ::fstat(fd_, &ours) == 0 && ::fstat(fd, &opened) == 0 && ours.st_dev == opened.st_dev &&
          ours.st_ino == opened.st_ino) {
        direct_ = fd;
      } else if (fd >= 0) {
        ::close(fd);
      }
    });
    return direct_ >= 0;
  }

  const int fd_;
  const std::string path_;
  std::once_flag direct_once_;
  int direct_ = -1;  // the same file past the page cache, after IsDirect()
  IoPool* const pool_;
};

class FlockLock : public DirectoryLock {
 public:
  explicit FlockLock(int fd) : fd_(fd) {}
  ~FlockLock() override { ::close(fd_); }  // closing the only descriptor releases the lock

 private:
  const int fd_;
};

}  // namespace

Status StatusFromErrno(int error) {
  switch (error) {
    case 0:
      return Status::kOk;
    case ENOENT:
      return Status::kNotFound;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Status::kNoSpace;
    case EEXIST:
    case ENOTEMPTY:
      return Status::kExists;
    case EBUSY:
    case EWOULDBLOCK:
      return Status::kBusy;
    case ENOMEM:
      return Status::kOutOfMemory;
    case ENOSYS:
    case EOPNOTSUPP:
      return Status::kUnsupported;
    case EACCES:
    case EPERM:
    case EROFS:
    case EINVAL:
    case EISDIR:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return Status::kInvalidArgument;
    default:
      return Status::kIoError;
  }
}

int OpenFlags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_CLOEXEC | O_RDONLY;
    case OpenMode::kReadWrite:
      return O_CLOEXEC | O_RDWR;
    case OpenMode::kCreate:
      return O_CLOEXEC | O_RDWR | O_CREAT;
    default:
      return O_CLOEXEC | O_RDWR | O_CREAT | O_TRUNC;
  }
}

PosixStorage::PosixStorage(std::string_view root, const PosixStorageOptions& options)
    : root_(root.empty() ? "." : root), pool_(options.threads, options.max_queued) {}

// First the completions, which may schedule jobs; then the jobs, which may do I/O; then the pool.
PosixStorage::~PosixStorage() { pool_.Drain(); }

std::string PosixStorage::Full(std::string_view path) const {
  std::string full = root_;
  if (!path.empty()) full.append("/").append(path);
  return full;
}

Status PosixStorage::Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) {
  if (path.empty() || !IsValidPath(path)) return Status::kInvalidArgument;
  const int flags = OpenFlags(mode);
  const std::string full = Full(path);
  const int fd = RetryOnInterrupt([&] { return ::open(full.c_str(), flags, 0666); });
  if (fd < 0) return StatusFromErrno(errno);
  struct stat info;
  if (::fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return Status::kInvalidArgument;
  }
  *file = std::make_unique<PosixFile>(fd, mode == OpenMode::kRead ? std::string() : full, &pool_);
  return Status::kOk;
}

Status PosixStorage::CreateDirectory(std::string_view path) {
  if (!IsValidPath(path)) return Status::kInvalidArgument;
  const std::string full = Full(path);
  if (::mkdir(full.c_str(), 0777) == 0) return Status::kOk;
  if (errno != EEXIST) return StatusFromErrno(errno);
  struct stat info;
  if (::stat(full.c_str(), &info) < 0) return StatusFromErrno(errno);
  return S_ISDIR(info.st_mode) ? Status::kOk : Status::kExists;
}

Status PosixStorage::Remove(std::string_view path) {
  if (path.empty() || !IsValidPath(path)) return Status::kInvalidArgument;
  const std::string full = Full(path);
  if (::unlink(full.c_str()) == 0) return Status::kOk;
  if (errno != EISDIR && errno != EPERM) return StatusFromErrno(errno);
  return StatusOf(::rmdir(full.c_str()));
}

Status PosixStorage::Rename(std::string_view from, std::string_view to) {
  if (from.empty() || to.empty() || !IsValidPath(from) || !IsValidPath(to)) return Status::kInvalidArgument;
  return StatusOf(::rename(Full(from).c_str(), Full(to).c_str()));
}

Status PosixStorage::List(std::string_view directory, std::vector<std::string>* names) {
  names->clear();
  if (!IsValidPath(directory)) return Status::kInvalidArgument;
  DIR* stream = ::opendir(Full(directory).c_str());
  if (stream == nullptr) return StatusFromErrno(errno);
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream);
    if (entry == nullptr) break;
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) {
      names->emplace_back(entry->d_name);
    }
  }
  const int error = errno;
  ::closedir(stream);
  std::sort(names->begin(), names->end());
  return StatusFromErrno(error);
}

Status PosixStorage::SyncDirectory(std::string_view directory) {
  if (!IsValidPath(directory)) return Status::kInvalidArgument;
  const std::string full = Full(directory);
  const int fd = RetryOnInterrupt([&] { return ::open(full.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) return StatusFromErrno(errno);
  const Status status = StatusOf(RetryOnInterrupt([&] { return ::fsync(fd); }));
  ::close(fd);
  return status;
}

Status PosixStorage::Lock(std::string_view directory, std::unique_ptr<DirectoryLock>* lock) {
  if (!IsValidPath(directory)) return Status::kInvalidArgument;
  const std::string full = Full(directory) + "/LOCK";
  const int fd = RetryOnInterrupt([&] { return ::open(full.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666); });
  if (fd < 0) return StatusFromErrno(errno);
  if (RetryOnInterrupt([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) < 0) {
    const Status status = StatusFromErrno(errno);
    ::close(fd);
    return status;
  }
  *lock = std::make_unique<FlockLock>(fd);
  return Status::kOk;
}

void PosixStorage::Schedule(void (*job)(void* argument), void* argument) { jobs_.Schedule(job, argument); }

}  // namespace faster
