#include "faster/device/uring_storage.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "faster/device/path.h"

namespace faster {
namespace {

constexpr uint64_t kMaxOffset = static_cast<uint64_t>(INT64_MAX);

bool OutOfRange(uint64_t offset, uint64_t length) {
  return offset > kMaxOffset || length > kMaxOffset - offset;
}

template <class Call>
auto RetryOnInterrupt(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// What the device behind a file wants to be aligned; false: it has no O_DIRECT, or one that is out of reach.
bool AlignmentOf(int fd, Alignment* alignment) {
  *alignment = {};  // fits every device there is
#ifdef STATX_DIOALIGN
  struct statx info = {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) != 0 || !(info.stx_mask & STATX_DIOALIGN))
    return true;
  if (info.stx_dio_offset_align == 0 || info.stx_dio_mem_align == 0) return false;
  alignment->memory = std::bit_ceil(info.stx_dio_mem_align);
  alignment->offset = std::max(512u, std::bit_ceil(info.stx_dio_offset_align));
#endif
  return alignment->memory <= 4096 && alignment->offset <= 65536;
}

}  // namespace

struct UringStorage::Request : RingRequest, DirectGate::Waiter {
  UringFile* file;
  DirectTransfer rest;
  bool aligned;
  IoCallback done;
  void* context;
  UringStorage* storage;
  Request* next_free;
};

class UringFile : public File {
 public:
  UringFile(UringStorage* storage, int fd, UringStorage::FileId id, std::shared_ptr<DirectGate> gate)
      : storage_(storage), fd_(fd), id_(id), gate_(std::move(gate)) {}
  ~UringFile() override {
    storage_->ForgetGate(id_, std::move(gate_));
    ::close(fd_);
  }

  void ReadAsync(uint64_t offset, void* buffer, uint64_t length, IoCallback done, void* context) override {
    storage_->Begin(this, false, offset, buffer, length, done, context);
  }
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, IoCallback done,
                  void* context) override {
    storage_->Begin(this, true, offset, const_cast<void*>(buffer), length, done, context);
  }
  Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
    return Move(DirectTransfer(false, offset, buffer, length), bytes);
  }
  Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override {
    return Move(DirectTransfer(true, offset, const_cast<void*>(buffer), length), bytes);
  }
  Status Sync() override {
    return RetryOnInterrupt([&] { return ::fdatasync(fd_); }) < 0 ? StatusFromErrno(errno) : Status::kOk;
  }
  Status Size(uint64_t* bytes) override {
    struct stat info;
    if (::fstat(fd_, &info) < 0) return StatusFromErrno(errno);
    *bytes = static_cast<uint64_t>(info.st_size);
    return Status::kOk;
  }
  Status Truncate(uint64_t bytes) override {
    if (bytes > kMaxOffset) return Status::kNoSpace;
    const int result = RetryOnInterrupt([&] { return ::ftruncate(fd_, static_cast<off_t>(bytes)); });
    return result < 0 ? StatusFromErrno(errno) : Status::kOk;
  }

  int fd() const { return fd_; }
  DirectGate& gate() { return *gate_; }
  bool Suits(bool write, uint64_t offset, uint64_t length) const {
    return !write || gate_->alignment().Fits(offset, length);
  }
  // No transfer past the page cache is in flight any more, nor comes another.
  void GoBuffered() {
    if (!fd_may_be_direct_.load(std::memory_order_acquire)) return;
    const int flags = ::fcntl(fd_, F_GETFL);
    if (flags >= 0) ::fcntl(fd_, F_SETFL, flags & ~O_DIRECT);
    fd_may_be_direct_.store(false, std::memory_order_release);
  }

 private:
  void Enter(DirectTransfer* rest, bool aligned) {
    if (gate_->EnterBlocking(aligned) == DirectGate::Way::kDirect) return rest->SetDirect(gate_->alignment());
    GoBuffered();
    rest->SetBuffered();
  }
  void Leave(DirectTransfer* rest) {
    rest->GiveBack(&storage_->bounce_);
    if (!rest->direct()) return;
    rest->SetBuffered();  // it has left
    storage_->Resume(gate_->Leave());
  }
  Status Move(DirectTransfer rest, uint64_t* bytes) {
    *bytes = 0;
    if (OutOfRange(rest.offset(), rest.left())) return Status::kInvalidArgument;
    if (rest.left() == 0) return Status::kOk;
    Enter(&rest, Suits(rest.write(), rest.offset(), rest.left()));
    const Status status = MovePieces(&rest);
    Leave(&rest);
    if (status == Status::kOk) *bytes = rest.done();
    return status;
  }
  Status MovePieces(DirectTransfer* rest) {
    for (;;) {
      DirectTransfer::Piece piece;
      if (!rest->Next(&storage_->bounce_, &piece)) return Status::kOutOfMemory;
      storage_->Count(*rest);
      const auto at = static_cast<off_t>(piece.offset);
      const ssize_t n = RetryOnInterrupt([&] {
        return rest->write() ? ::pwrite(fd_, piece.buffer, piece.length, at)
                             : ::pread(fd_, piece.buffer, piece.length, at);
      });
      if (n < 0 && errno == EINVAL && rest->direct()) {
        storage_->NoteDirectRefused("", "a transfer past the page cache", EINVAL);
        Leave(rest);
        Enter(rest, false);
        continue;
      }
      if (n < 0) return StatusFromErrno(errno);
      if (rest->Advance(static_cast<uint64_t>(n))) return Status::kOk;
    }
  }

  UringStorage* const storage_;
  const int fd_;
  const UringStorage::FileId id_;
  std::shared_ptr<DirectGate> gate_;
  std::atomic<bool> fd_may_be_direct_{true};
};

// --- The storage ----------------------------------------------------------------------------------------

UringStorage::UringStorage(std::string_view root, const UringStorageOptions& options)
    : root_(root.empty() ? "." : root),
      options_(options),
      bounce_(std::max(1u, options.depth)),
      pool_(options.posix.threads, options.posix.max_queued),
      posix_(root, options.posix) {
  std::unique_ptr<Ring> ring;
  int error = options_.open_ring(std::max(1u, options_.depth), &ring);
  if (error == 0) {
    queue_ = std::make_unique<RingQueue>(
        std::move(ring), options_.depth,
        [](void* self, RingRequest* request, int32_t result) {
          static_cast<UringStorage*>(self)->OnResult(static_cast<Request*>(request), result);
        },
        this);
    if (queue_->Start()) return;
    queue_.reset();
    error = EAGAIN;
  }
  const char* const hint = error == EPERM    ? " (seccomp or kernel.io_uring_disabled forbids it)"
                           : error == ENOSYS ? " (this kernel has none, or too old a one)"
                           : error == ENOMEM ? " (the limit on locked memory may be too low)"
                                             : "";
  fallbacks_.push_back({"", 0, "io_uring for asynchronous reads and writes",
                        std::string(std::strerror(error)) + hint + "; a pool of " +
                            std::to_string(std::max(1u, options_.posix.threads)) + " threads does it"});
}

// Completions may begin further transfers; those of the jobs end with the jobs.
UringStorage::~UringStorage() {
  if (queue_ != nullptr) queue_->Drain();
  pool_.Drain();
  if (queue_ != nullptr) queue_->Drain();
}

std::vector<Diagnosis> UringStorage::Fallbacks() const {
  std::lock_guard lock(mutex_);
  return fallbacks_;
}

UringCounts UringStorage::counts() const {
  return {ring_pieces_.load(), pool_transfers_.load(), direct_pieces_.load(), copied_pieces_.load()};
}

void UringStorage::Count(const DirectTransfer& transfer) {
  if (transfer.direct()) direct_pieces_.fetch_add(1, std::memory_order_relaxed);
  if (transfer.copied()) copied_pieces_.fetch_add(1, std::memory_order_relaxed);
}

void UringStorage::NoteDirectRefused(const std::string& file, const std::string& expected, int error) {
  if (direct_refused_.exchange(true, std::memory_order_acq_rel)) return;
  std::lock_guard lock(mutex_);
  fallbacks_.push_back({file, 0, expected + " (O_DIRECT)",
                        std::string(std::strerror(error)) + "; files go through the page cache"});
}

// --- Opening --------------------------------------------------------------------------------------------

// *refused: the errno with which O_DIRECT was refused, 0 if it was not asked for or not refused.
Status UringStorage::OpenDescriptor(std::string_view path, int flags, int* fd, int* refused) {
  const std::string full = root_ + "/" + std::string(path);
  const auto open = [&](int more) {
    return RetryOnInterrupt([&] { return options_.open_file(full.c_str(), flags | more, 0666); });
  };
  *refused = 0;
  *fd = open(direct() ? O_DIRECT : 0);
  if (*fd < 0 && direct() && (errno == EINVAL || errno == EOPNOTSUPP)) {
    *refused = errno;
    *fd = open(0);
  }
  return *fd < 0 ? StatusFromErrno(errno) : Status::kOk;
}

Status UringStorage::Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) {
  if (path.empty() || !IsValidPath(path)) return Status::kInvalidArgument;
  int fd, refused;
  const Status status = OpenDescriptor(path, OpenFlags(mode), &fd, &refused);
  if (status != Status::kOk) return status;
  struct stat info;
  if (::fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return Status::kInvalidArgument;
  }
  if (refused != 0) NoteDirectRefused(std::string(path), "a file that bypasses the page cache", refused);
  const int flags = ::fcntl(fd, F_GETFL);
  bool is_direct = flags >= 0 && (flags & O_DIRECT) != 0;
  Alignment alignment;
  if (is_direct && !AlignmentOf(fd, &alignment)) {
    NoteDirectRefused(std::string(path), "a file that bypasses the page cache", EOPNOTSUPP);
    is_direct = false;
  }
  const FileId id{info.st_dev, info.st_ino};
  auto gate = GateOf(id, alignment, is_direct);
  // Transfers of this handle would go through the page cache: those of the others have to as well.
  if (!is_direct) (void)gate->EnterBlocking(false);
  *file = std::make_unique<UringFile>(this, fd, id, std::move(gate));
  return Status::kOk;
}

std::shared_ptr<DirectGate> UringStorage::GateOf(const FileId& id, const Alignment& alignment,
                                                 bool is_direct) {
  std::lock_guard lock(mutex_);
  std::weak_ptr<DirectGate>& known = gates_[id];
  std::shared_ptr<DirectGate> gate = known.lock();
  if (gate != nullptr) return gate;
  gate = std::make_shared<DirectGate>(alignment, is_direct);
  known = gate;
  return gate;
}

void UringStorage::ForgetGate(const FileId& id, std::shared_ptr<DirectGate> gate) {
  std::lock_guard lock(mutex_);
  gate.reset();
  const auto known = gates_.find(id);
  if (known != gates_.end() && known->second.expired()) gates_.erase(known);
}

Status UringStorage::ProbeDirect() {
  constexpr std::string_view kName = ".direct-probe";
  std::unique_ptr<File> file;
  Status status = Open(kName, OpenMode::kCreate, &file);
  if (status != Status::kOk) return status;
  char* const block = bounce_.Take();
  if (block == nullptr) status = Status::kOutOfMemory;
  if (status == Status::kOk) {
    std::memset(block, 0, 4096);
    status = WriteFully(*file, 0, block, 4096);
    bounce_.Give(block);
  }
  file.reset();
  const Status removed = Remove(kName);
  if (status == Status::kOk) status = removed;
  return status != Status::kOk || direct() ? status : Status::kUnsupported;
}

// --- Asynchronous transfers -----------------------------------------------------------------------------

UringStorage::Request* UringStorage::Take() {
  std::lock_guard lock(requests_mutex_);
  if (free_requests_ == nullptr) return requests_.emplace_back(std::make_unique<Request>()).get();
  return std::exchange(free_requests_, free_requests_->next_free);
}

void UringStorage::Begin(UringFile* file, bool write, uint64_t offset, void* buffer, uint64_t length,
                         IoCallback done, void* context) {
  if (OutOfRange(offset, length)) return done(context, Status::kInvalidArgument, 0);
  if (length == 0) return done(context, Status::kOk, 0);
  if (queue_ == nullptr) {
    pool_transfers_.fetch_add(1, std::memory_order_relaxed);
    return pool_.Submit({file, buffer, offset, length, done, context, write});
  }
  Request* const request = Take();
  request->file = file;
  request->rest = DirectTransfer(write, offset, buffer, length);
  request->aligned = file->Suits(write, offset, length);
  request->done = done;
  request->context = context;
  Admit(request);
}

void UringStorage::Admit(Request* request) {
  switch (request->file->gate().Enter(request->aligned, request)) {
    case DirectGate::Way::kLater:
      return;
    case DirectGate::Way::kDirect:
      request->rest.SetDirect(request->file->gate().alignment());
      break;
    case DirectGate::Way::kBuffered:
      request->file->GoBuffered();
      request->rest.SetBuffered();
      break;
  }
  Continue(request);
}

void UringStorage::Resume(DirectGate::Waiter* waiting) {
  while (waiting != nullptr) {
    DirectGate::Waiter* const next = waiting->next_waiter;
    Admit(static_cast<Request*>(waiting));
    waiting = next;
  }
}

void UringStorage::Continue(Request* request) {
  DirectTransfer::Piece piece;
  if (!request->rest.Next(&bounce_, &piece)) return Finish(request, Status::kOutOfMemory);
  Count(request->rest);
  ring_pieces_.fetch_add(1, std::memory_order_relaxed);
  request->transfer = {request->file->fd(), request->rest.write(), piece.buffer,
                       piece.length,        piece.offset,          nullptr};
  queue_->Submit(request);
}

void UringStorage::OnResult(Request* request, int32_t result) {
  // The ring cannot do it: it is gone, short of memory, or the thread that submitted it has ended.
  if (result == -EAGAIN || result == -EINTR || result == -ECANCELED) return HandToPool(request);
  if (result == -EINVAL && request->rest.direct()) {
    NoteDirectRefused("", "a transfer past the page cache", EINVAL);
    Leave(request);
    request->aligned = false;
    return Admit(request);
  }
  if (result < 0) return Finish(request, StatusFromErrno(-result));
  if (request->rest.Advance(static_cast<uint64_t>(result))) return Finish(request, Status::kOk);
  Continue(request);
}

void UringStorage::Leave(Request* request) {
  request->rest.GiveBack(&bounce_);
  if (!request->rest.direct()) return;
  request->rest.SetBuffered();  // it has left
  Resume(request->file->gate().Leave());
}

void UringStorage::HandToPool(Request* request) {
  Leave(request);
  pool_transfers_.fetch_add(1, std::memory_order_relaxed);
  const DirectTransfer& rest = request->rest;
  request->storage = this;
  const IoCallback moved = [](void* context, Status status, uint64_t bytes) {
    auto* const request = static_cast<Request*>(context);
    request->rest.AddDone(bytes);
    request->storage->Finish(request, status);
  };
  pool_.Submit({request->file, rest.buffer(), rest.offset(), rest.left(), moved, request, rest.write()});
}

void UringStorage::Finish(Request* request, Status status) {
  Leave(request);
  const IoCallback done = request->done;
  void* const context = request->context;
  const uint64_t bytes = request->rest.done();
  {
    std::lock_guard lock(requests_mutex_);
    request->next_free = std::exchange(free_requests_, request);
  }
  done(context, status, bytes);  // the file may be gone from here on
}

}  // namespace faster
