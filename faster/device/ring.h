// Ring: what RingQueue asks of io_uring: transfers go in, results come out. Tests put another one in its
// place.
//
// One thread at a time calls Submit and Wake, one at a time Take, and one other Wait. A transfer's memory
// stays valid until its result was returned; results come in any order, each once.
#pragma once

#include <cstdint>
#include <memory>

namespace faster {

struct RingTransfer {
  int fd;
  bool write;
  void* buffer;  // only read from if `write`
  uint32_t length;
  uint64_t offset;
  void* tag;
};

struct RingResult {
  void* tag;       // of the transfer; null: of Wake()
  int32_t result;  // bytes moved, or an errno below 0
};

class Ring {
 public:
  virtual ~Ring() = default;
  // Hands over `count` transfers, at most as many as the ring has room for besides those in flight. Returns
  // how many it took; fewer mean that it takes no more, for good, but still gives the results of those it
  // took.
  virtual unsigned Submit(const RingTransfer* transfers, unsigned count) = 0;
  virtual void Wake() = 0;  // makes Wait return, if the ring still takes anything
  // Stores what results there are, at most `capacity`, and returns how many; never blocks.
  virtual unsigned Take(RingResult* results, unsigned capacity) = 0;
  // Blocks until there is a result, or for a second or so. With `others_take`, somebody else takes them:
  // until there have been many, or for a millisecond or so.
  virtual void Wait(bool others_take) = 0;
};

// A ring of the kernel with room for `depth` transfers (and a wake-up); 0 or an errno: EPERM where io_uring
// is forbidden (seccomp, kernel.io_uring_disabled), ENOSYS where there is none, ENOMEM where the limit on
// locked memory is too low for it.
int OpenLinuxRing(unsigned depth, std::unique_ptr<Ring>* ring);

}  // namespace faster
