#include <liburing.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>

#include "faster/device/ring.h"

namespace faster {
namespace {

// Worth another try: the kernel was short of memory or was interrupted.
bool IsPassing(int error) { return error == EAGAIN || error == EINTR || error == EBUSY; }

class LinuxRing : public Ring {
 public:
  ~LinuxRing() override {
    if (open_) io_uring_queue_exit(&ring_);
  }

  // One entry more than `depth`, for Wake. The kernel makes room for twice as many results.
  int Open(unsigned depth) {
    const int made = io_uring_queue_init(depth + 1, &ring_, 0);
    if (made < 0) return -made;
    open_ = true;
    if ((ring_.features & IORING_FEAT_EXT_ARG) == 0)
      return ENOSYS;  // before Linux 5.11: no wait with a limit
    // A filter may allow the set-up and forbid the use.
    Wake();
    if (broken_) return EPERM;
    RingResult result;
    while (Take(&result, 1) == 0) Wait(false);
    return 0;
  }

  unsigned Submit(const RingTransfer* transfers, unsigned count) override {
    unsigned filled = 0;
    for (; filled < count && !broken_; ++filled) {
      io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
      if (entry == nullptr) break;
      const RingTransfer& t = transfers[filled];
      if (t.write) {
        io_uring_prep_write(entry, t.fd, t.buffer, t.length, t.offset);
      } else {
        io_uring_prep_read(entry, t.fd, t.buffer, t.length, t.offset);
      }
      io_uring_sqe_set_data(entry, t.tag);
    }
    return filled - HandOver();
  }

  void Wake() override {
    io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) return;
    io_uring_prep_nop(entry);
    io_uring_sqe_set_data(entry, nullptr);
    HandOver();
  }

  unsigned Take(RingResult* results, unsigned capacity) override {
    unsigned count = 0;
    io_uring_cqe* entry = nullptr;
    while (count < capacity && io_uring_peek_cqe(&ring_, &entry) == 0) {
      results[count++] = {io_uring_cqe_get_data(entry), entry->res};
      io_uring_cqe_seen(&ring_, entry);
    }
    return count;
  }

  void Wait(bool others_take) override {
    io_uring_cqe* entry = nullptr;
    __kernel_timespec second = {1, 0}, millisecond = {0, 1'000'000};
    const int waited = io_uring_wait_cqes(&ring_, &entry, others_take ? kMany : 1,
                                          others_take ? &millisecond : &second, nullptr);
    if (waited != 0 && waited != -ETIME && waited != -EINTR) sched_yield();
  }

 private:
  static constexpr unsigned kMany = 64;

  // Returns how many prepared entries the kernel did not take; the ring is given up then.
  unsigned HandOver() {
    while (!broken_ && io_uring_sq_ready(&ring_) != 0) {
      const int taken = io_uring_submit(&ring_);
      if (taken >= 0) continue;
      if (!IsPassing(-taken)) {
        broken_ = true;
      } else {
        sched_yield();
      }
    }
    return broken_ ? io_uring_sq_ready(&ring_) : 0;
  }

  io_uring ring_ = {};
  bool open_ = false;
  bool broken_ = false;
};

}  // namespace

int OpenLinuxRing(unsigned depth, std::unique_ptr<Ring>* ring) {
  auto opened = std::make_unique<LinuxRing>();
  const int error = opened->Open(std::max(1u, depth));
  if (error == 0) *ring = std::move(opened);
  return error;
}

}  // namespace faster
