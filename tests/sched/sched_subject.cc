// Ordinary concurrent code for the scheduler's tests: compiled instrumented, knows nothing of the scheduler.
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/sched/subject_api.h"

struct Wide {
  uint64_t a, b;
};

struct SubjectState {
  std::atomic<uint64_t> counter{0};
  std::atomic<uint64_t> bad{0};
  std::mutex mutex, second;
  std::condition_variable condition;
  std::shared_mutex shared;
  std::vector<int> items;
  uint64_t plain = 0;
  bool inside = false;
  std::once_flag once;
  std::atomic<void*> foreign{nullptr};
  std::atomic<bool*> own_flag{nullptr};
  std::atomic<uint32_t> flag{0};
  bool plain_flag = false;
  std::atomic<int> x{0}, y{0};
  std::atomic<int> r0{-1}, r1{-1};
  std::atomic<uint64_t*> block{new uint64_t[4]{}};
  char text[64] = {};
  uint64_t local_epoch = 1;  // plain, as FASTER's LightEpoch has it
  std::atomic<uint32_t> phase{0};
  std::atomic<uint32_t> acks{0};
  std::atomic<uint32_t> seen{0};
  unsigned __int128 wide = 0;
};

namespace {

SubjectState* S(void* p) { return static_cast<SubjectState*>(p); }

thread_local int t_number = 7;
thread_local std::string t_text = "start";

struct AtEnd {
  void* state = nullptr;
  ~AtEnd() {
    if (state != nullptr) S(state)->counter.fetch_add(100);
  }
};
thread_local AtEnd t_at_end;

void LostUpdate(void* p) {
  for (int i = 0; i < 3; ++i) {
    const uint64_t v = S(p)->counter.load();
    S(p)->counter.store(v + 1);
  }
}

void FetchAdds(void* p) {
  for (int i = 0; i < 10; ++i) S(p)->counter.fetch_add(1);
}

void ThreadLocals(void* p) {
  if (t_number != 7 || t_text != "start") S(p)->bad |= 1;
  const uint64_t me = S(p)->counter.fetch_add(1) % 100;
  t_at_end.state = p;
  t_text = "fiber " + std::to_string(me) + std::string(40, static_cast<char>('a' + me));
  for (int i = 0; i < 20; ++i) {
    ++t_number;
    S(p)->flag.fetch_add(1);
  }
  if (t_number != 27) S(p)->bad |= 2;
  if (t_text != "fiber " + std::to_string(me) + std::string(40, static_cast<char>('a' + me))) S(p)->bad |= 4;
}

void LibcUse(void* p) {
  static FILE* null = fopen("/dev/null", "w");
  const uint64_t me = S(p)->counter.fetch_add(1);
  for (int i = 1; i < 30; ++i) {
    const size_t n = static_cast<size_t>(i) * 40;
    char* block = static_cast<char*>(malloc(n));
    memset(block, static_cast<int>('a' + me), n);
    S(p)->flag.fetch_add(1);
    fprintf(null, "%lu %d %s\n", me, i, std::string(static_cast<size_t>(i), 'x').c_str());
    S(p)->flag.fetch_add(1);
    for (size_t k = 0; k < n; ++k) {
      if (block[k] != static_cast<char>('a' + me)) S(p)->bad |= 1;
    }
    free(realloc(block, n * 2));
    try {
      S(p)->flag.fetch_add(1);
      throw std::runtime_error(std::to_string(me));
    } catch (const std::runtime_error& e) {
      S(p)->flag.fetch_add(1);
      if (e.what() != std::to_string(me)) S(p)->bad |= 2;
    }
  }
}

void MutexAdds(void* p) {
  for (int i = 0; i < 5; ++i) {
    std::lock_guard<std::mutex> lock(S(p)->mutex);
    if (S(p)->inside) S(p)->bad |= 1;
    S(p)->inside = true;
    const uint64_t v = S(p)->plain;
    S(p)->flag.fetch_add(1);
    S(p)->plain = v + 1;
    S(p)->inside = false;
  }
  S(p)->counter.fetch_add(5);
  std::lock_guard<std::mutex> lock(S(p)->mutex);
  if (S(p)->plain < 5) S(p)->bad |= 2;
}

void Producer(void* p) {
  for (int i = 0; i < 5; ++i) {
    std::lock_guard<std::mutex> lock(S(p)->mutex);
    S(p)->items.push_back(i);
    S(p)->condition.notify_one();
  }
}

void Consumer(void* p) {
  for (int i = 0; i < 5; ++i) {
    std::unique_lock<std::mutex> lock(S(p)->mutex);
    S(p)->condition.wait(lock, [&] { return !S(p)->items.empty(); });
    S(p)->items.pop_back();
    S(p)->counter.fetch_add(1);
  }
}

void LockAb(void* p) {
  std::lock_guard<std::mutex> a(S(p)->mutex);
  std::lock_guard<std::mutex> b(S(p)->second);
}

void LockBa(void* p) {
  std::lock_guard<std::mutex> b(S(p)->second);
  std::lock_guard<std::mutex> a(S(p)->mutex);
}

void SpinForever(void* p) {
  while (S(p)->flag.load() != 99) std::this_thread::yield();
}

void Ping(void* p) {
  while (S(p)->r0.load() != 99) {
    S(p)->x.fetch_add(1);
    std::this_thread::yield();
    if (S(p)->y.load() == -5) return;
  }
}

void Pong(void* p) {
  while (S(p)->r0.load() != 99) {
    S(p)->y.fetch_add(1);
    std::this_thread::yield();
    if (S(p)->x.load() == -5) return;
  }
}

void WaitFlag(void* p) {
  while (S(p)->flag.load() == 0) std::this_thread::yield();
  S(p)->counter.fetch_add(1);
}

void WaitPlainFlag(void* p) {
  for (;;) {
    if (S(p)->plain_flag) break;
    sched_yield();
  }
  S(p)->counter.fetch_add(1);
}

void SetFlag(void* p) {
  for (int i = 0; i < 30; ++i) S(p)->y.load();
  S(p)->plain_flag = true;
  S(p)->flag.store(1);
}

void SetFlagAcked(void* p) {
  SetFlag(p);
  while (S(p)->counter.load() < 2) std::this_thread::yield();
}

void WaitOwnFlag(void* p) {
  bool* mine = new bool(false);
  S(p)->own_flag.store(mine);
  while (!*mine) {
    S(p)->y.load();  // a read that is noted: the wait is for this location and the plain one
    sched_yield();
  }
  S(p)->counter.fetch_add(2);
}

void SetOwnFlag(void* p) {
  bool* flag;
  while ((flag = S(p)->own_flag.load()) == nullptr) sched_yield();
  for (int i = 0; i < 30; ++i) S(p)->y.load();
  *flag = true;
  while (S(p)->counter.load() < 2) std::this_thread::yield();
}

void FreeBlock(void* p) {
  uint64_t* block = S(p)->block.load();
  S(p)->y.store(1);
  delete[] block;
}

void UseBlock(void* p) {
  uint64_t* block = S(p)->block.load();
  if (S(p)->y.load() == 0) S(p)->plain += block[2];
}

void Overflow(void* p) {
  void* volatile next = malloc(8);
  S(p)->block.load()[4] = next != nullptr;
}

void Wild(void* p) { S(p)->block.load()[4000] = 1; }

void Once(void* p) {
  std::call_once(S(p)->once, [p] {
    S(p)->flag.fetch_add(1);
    S(p)->plain = S(p)->counter.fetch_add(1) + 1;
  });
  if (S(p)->plain != 1) S(p)->bad |= 1;
}

void StoreBuffer0(void* p) {
  S(p)->x.store(1);
  S(p)->r0.store(S(p)->y.load());
}

void StoreBuffer1(void* p) {
  S(p)->y.store(1);
  S(p)->r1.store(S(p)->x.load());
}

size_t TextBytes(void* p) {
  return sizeof S(p)->text - S(p)->seen.load();
}  // a size the compiler does not know

void CopyIn(void* p) {
  char mine[64];
  const uint64_t me = S(p)->counter.fetch_add(1);
  for (char& c : mine) c = static_cast<char>('a' + me);
  memcpy(S(p)->text, mine, TextBytes(p));
}

void CopyOut(void* p) {
  char mine[64] = {};
  memcpy(mine, S(p)->text, TextBytes(p));
  for (char c : mine) {
    if (c != mine[0]) S(p)->bad |= 1;
  }
}

// The leaver clears its plain epoch last; whoever must advance the phase looked before. FASTER's StopSession
// bug.
void EpochLeave(void* p) {
  if (S(p)->phase.load() == 0) {
    S(p)->local_epoch = 0;  // the waiter may ask for the phase between the load and this store
    return;
  }
  S(p)->local_epoch = 0;
  S(p)->acks.fetch_add(1);
}

void EpochWait(void* p) {
  S(p)->phase.store(1);
  if (S(p)->local_epoch == 0) return;  // left already: needs no acknowledgement
  while (S(p)->acks.load() == 0) std::this_thread::yield();
}

void DepthWriter(void* p) {  // needs reader to run between 1 and 2, and again between 2 and 3
  for (int i = 0; i < 30; ++i) S(p)->y.load();
  S(p)->phase.store(1);
  for (int i = 0; i < 30; ++i) S(p)->y.load();
  S(p)->phase.store(2);
  for (int i = 0; i < 30; ++i) S(p)->y.load();
  S(p)->phase.store(3);
}

void DepthReader(void* p) {
  for (int i = 0; i < 30; ++i) S(p)->y.load();
  const bool one = S(p)->phase.load() == 1;
  for (int i = 0; i < 30; ++i) S(p)->y.load();
  if (one && S(p)->phase.load() == 2) S(p)->bad |= 1;
}

void MakesThreads(void* p) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([p] {
      if (t_number != 7) S(p)->bad |= 1;
      t_number = 8;
      S(p)->counter.fetch_add(1);
    });
    if (threads.back().get_id() == std::this_thread::get_id()) S(p)->bad |= 2;
  }
  for (std::thread& thread : threads) thread.join();
  if (S(p)->counter.load() != 3) S(p)->bad |= 4;
}

void Sleeps(void* p) {
  const auto before = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::hours(1));
  if (std::chrono::steady_clock::now() - before < std::chrono::hours(1)) S(p)->bad |= 1;
}

void TimedWait(void* p) {
  std::unique_lock<std::mutex> lock(S(p)->mutex);
  if (S(p)->condition.wait_for(lock, std::chrono::seconds(5)) != std::cv_status::timeout) S(p)->bad |= 1;
}

void Faults(void* p) {
  volatile int* nothing = reinterpret_cast<volatile int*>(static_cast<uintptr_t>(S(p)->flag.load()));
  *nothing = 1;
}

void Throws(void*) { throw std::runtime_error("thrown by the subject"); }

void Asserts(void* p) {
  if (S(p)->counter.load() == 0) __assert_fail("counter > 0", "subject.cc", 1, "Asserts");
}

void SharedLock(void* p) {
  for (int i = 0; i < 3; ++i) {
    {
      std::unique_lock<std::shared_mutex> lock(S(p)->shared);
      if (S(p)->inside) S(p)->bad |= 1;
      S(p)->inside = true;
      S(p)->flag.fetch_add(1);
      S(p)->inside = false;
    }
    std::shared_lock<std::shared_mutex> lock(S(p)->shared);
    S(p)->flag.fetch_add(1);
    if (S(p)->inside) S(p)->bad |= 2;
  }
}

void AtomicWait(void* p) {
  S(p)->flag.wait(0);
  while (S(p)->x.load() == 0) syscall(SYS_futex, &S(p)->x, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
  S(p)->counter.fetch_add(1);
}

void AtomicNotify(void* p) {
  S(p)->flag.store(1);
  S(p)->flag.notify_all();
  S(p)->x.store(1);
  syscall(SYS_futex, &S(p)->x, FUTEX_WAKE_PRIVATE, 2, nullptr, nullptr, 0);
}

void WideAtomics(void* p) {
  for (int i = 0; i < 5; ++i) {
    unsigned __int128 old = __atomic_load_n(&S(p)->wide, __ATOMIC_SEQ_CST);
    unsigned __int128 next;
    do {
      next = old + ((static_cast<unsigned __int128>(1) << 64) | 1);
    } while (!__atomic_compare_exchange_n(&S(p)->wide, &old, next, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  }
  const unsigned __int128 now = __atomic_load_n(&S(p)->wide, __ATOMIC_SEQ_CST);
  if (static_cast<uint64_t>(now) != static_cast<uint64_t>(now >> 64)) S(p)->bad |= 1;
  S(p)->counter.fetch_add(5);
}

void SpinsWithoutYield(void* p) {
  while (S(p)->flag.load() == 0) {
  }
  S(p)->counter.fetch_add(1);
}

void WeakCasOnce(void* p) {
  uint64_t zero = 0;
  if (!S(p)->counter.compare_exchange_weak(zero, 1)) S(p)->bad |= 1;
}

void HoldsLockForever(void* p) {
  std::lock_guard<std::mutex> lock(S(p)->mutex);
  for (int i = 0; i < 1000000; ++i) S(p)->flag.fetch_add(1);
}

void TakesLock(void* p) {
  std::lock_guard<std::mutex> lock(S(p)->mutex);
  S(p)->counter.fetch_add(1);
}

std::atomic<uint64_t> g_constant{5};

void Work(void* p) {
  S(p)->foreign.store(g_constant.load() == 5 ? static_cast<void*>(stdin)
                                             : nullptr);  // libc's: no place of its own
  for (int i = 0; i < 4; ++i) {
    std::vector<uint64_t> mine(20 + static_cast<size_t>(i), 1);
    std::lock_guard<std::mutex> lock(S(p)->mutex);
    for (uint64_t v : mine) S(p)->plain += v;
    S(p)->counter.fetch_add(1);
  }
}

}  // namespace

extern "C" const SubjectTable* sched_subject_table() {
  static const SubjectTable table = {
      .make = [] { return new SubjectState; },
      .destroy = [](SubjectState* s) { delete s; },
      .counter = [](SubjectState* s) -> uint64_t { return s->counter.load(); },
      .bad = [](SubjectState* s) -> uint64_t {
        return s->bad.load() | (s->r0.load() == 0 && s->r1.load() == 0 ? 256u : 0u) |
               (s->wide != 0 && static_cast<uint64_t>(s->wide) != s->counter.load() ? 512u : 0u);
      },
      .lost_update = LostUpdate,
      .fetch_adds = FetchAdds,
      .thread_locals = ThreadLocals,
      .libc_use = LibcUse,
      .mutex_adds = MutexAdds,
      .producer = Producer,
      .consumer = Consumer,
      .lock_ab = LockAb,
      .lock_ba = LockBa,
      .spin_forever = SpinForever,
      .ping = Ping,
      .pong = Pong,
      .wait_flag = WaitFlag,
      .wait_plain_flag = WaitPlainFlag,
      .set_flag = SetFlag,
      .set_flag_acked = SetFlagAcked,
      .wait_own_flag = WaitOwnFlag,
      .set_own_flag = SetOwnFlag,
      .free_block = FreeBlock,
      .use_block = UseBlock,
      .overflow = Overflow,
      .wild = Wild,
      .once = Once,
      .store_buffer_0 = StoreBuffer0,
      .store_buffer_1 = StoreBuffer1,
      .copy_in = CopyIn,
      .copy_out = CopyOut,
      .epoch_leave = EpochLeave,
      .epoch_wait = EpochWait,
      .depth_writer = DepthWriter,
      .depth_reader = DepthReader,
      .makes_threads = MakesThreads,
      .sleeps = Sleeps,
      .timed_wait = TimedWait,
      .faults = Faults,
      .throws = Throws,
      .asserts = Asserts,
      .shared_lock = SharedLock,
      .atomic_wait = AtomicWait,
      .atomic_notify = AtomicNotify,
      .wide_atomics = WideAtomics,
      .spins_without_yield = SpinsWithoutYield,
      .weak_cas_once = WeakCasOnce,
      .holds_lock_forever = HoldsLockForever,
      .takes_lock = TakesLock,
      .work = Work,
  };
  return &table;
}
