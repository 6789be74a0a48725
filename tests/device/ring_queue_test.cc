// RingQueue on a ring that does what the test says: room, order, a ring that dies, many threads.
#include "faster/device/ring_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/device/fake_ring.h"

namespace faster {
namespace {

struct Queue {
  explicit Queue(unsigned depth) : queue(std::make_unique<FakeRing>(&script), depth, &Queue::Ended, this) {
    script.Answer([](uint64_t, const RingTransfer& t) { return -static_cast<int64_t>(t.length) - 1; });
    EXPECT_TRUE(queue.Start());
  }
  static void Ended(void* self, RingRequest* request, int32_t result) {
    auto* const queue = static_cast<Queue*>(self);
    EXPECT_TRUE(result == -static_cast<int32_t>(request->transfer.length) - 1 || result == -EAGAIN);
    if (result == -EAGAIN) queue->refused.fetch_add(1);
    std::unique_lock<std::mutex> lock;
    if (queue->guard != nullptr) lock = std::unique_lock(*queue->guard);
    queue->order.push_back(static_cast<int>(request->transfer.offset));
    queue->ended.fetch_add(1);
  }
  RingRequest* Make(uint64_t number) {
    requests.push_back(std::make_unique<RingRequest>());
    requests.back()->transfer = {-1, false, nullptr, 100, number, nullptr};
    return requests.back().get();
  }
  RingScript script;
  std::vector<std::unique_ptr<RingRequest>> requests;
  std::vector<int> order;  // by whoever ends requests, which is one thread but where a test says otherwise
  std::mutex* guard = nullptr;  // of `order`, where it does
  std::atomic<int> ended{0};
  std::atomic<int> refused{0};
  RingQueue queue;
};

TEST(RingQueue, NoMoreThanItsDepthAreInTheRing) {
  Queue q(3);
  q.script.Hold();
  for (uint64_t i = 0; i < 20; ++i) q.queue.Submit(q.Make(i));
  EXPECT_EQ(q.script.Waiting(), 3u);
  EXPECT_EQ(q.ended, 0);
  q.script.Release();
  q.queue.Drain();
  EXPECT_EQ(q.ended, 20);
  EXPECT_LE(q.script.most_waiting, 3u);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(q.order[static_cast<size_t>(i)], i);
}

TEST(RingQueue, ARequestEndsOnceWhateverTheOrder) {
  Queue q(8);
  q.script.Hold();
  q.script.Reverse();
  for (uint64_t i = 0; i < 8; ++i) q.queue.Submit(q.Make(i));
  q.script.Release();
  q.queue.Drain();
  EXPECT_EQ(q.order, (std::vector<int>{7, 6, 5, 4, 3, 2, 1, 0}));
}

// What it did not take, and all that comes later, ends with -EAGAIN; what it took ends as always.
TEST(RingQueue, ARingThatDies) {
  Queue q(4);
  q.script.Hold();
  q.script.DieAfter(6);
  std::vector<RingRequest*> requests;
  for (uint64_t i = 0; i < 10; ++i) requests.push_back(q.Make(i));
  for (RingRequest* request : requests) q.queue.Submit(request);
  q.script.Release();
  q.queue.Drain();
  EXPECT_EQ(q.ended, 10);
  EXPECT_EQ(q.refused, 4);
  q.queue.Submit(q.Make(10));
  EXPECT_EQ(q.ended, 11);
  EXPECT_EQ(q.refused, 5);
}

// `ended` may submit: a chain of requests, one after the other, and Drain waits for its end.
TEST(RingQueue, EndedMaySubmitAgain) {
  struct Chain {
    RingScript script;
    RingRequest request;
    int left = 100;
    RingQueue* queue = nullptr;
  } chain;
  RingQueue queue(
      std::make_unique<FakeRing>(&chain.script), 1,
      [](void* self, RingRequest* request, int32_t) {
        auto* const chain = static_cast<Chain*>(self);
        if (--chain->left > 0) chain->queue->Submit(request);
      },
      &chain);
  chain.queue = &queue;
  chain.script.Answer([](uint64_t, const RingTransfer&) { return 0; });
  chain.request.transfer = {-1, false, nullptr, 1, 0, nullptr};
  ASSERT_TRUE(queue.Start());
  queue.Submit(&chain.request);
  queue.Drain();
  EXPECT_EQ(chain.left, 0);
}

// Each request ends once, whoever ends it.
void SubmitFromManyThreads(bool poll) {
  Queue q(5);
  constexpr int kThreads = 4, kEach = 2000;
  std::mutex mutex;
  q.guard = &mutex;
  std::vector<std::vector<RingRequest>> requests;
  for (int t = 0; t < kThreads; ++t) requests.emplace_back(kEach);
  std::vector<std::thread> threads;
  for (auto& mine : requests) {
    threads.emplace_back([&] {
      for (RingRequest& request : mine) {
        request.transfer = {-1, false, nullptr, 100, static_cast<uint64_t>(&request - mine.data()), nullptr};
        q.queue.Submit(&request);
        if (poll) q.queue.Poll();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  q.queue.Drain();
  EXPECT_EQ(q.ended, kThreads * kEach);
  EXPECT_LE(q.script.most_waiting, 5u);
  std::vector<int> times(kEach);
  for (int at : q.order) ++times[static_cast<size_t>(at)];
  EXPECT_EQ(times, std::vector<int>(kEach, kThreads));
}

TEST(RingQueue, ManyThreadsSubmit) { SubmitFromManyThreads(false); }
TEST(RingQueue, ManyThreadsPoll) { SubmitFromManyThreads(true); }

// Whoever polls ends requests itself; the queue's thread would find them later.
TEST(RingQueue, APollEndsWhatIsDue) {
  Queue q(4);
  q.script.Hold();
  q.queue.Submit(q.Make(0));
  q.queue.Poll();
  EXPECT_EQ(q.ended, 0);
  q.script.KeepAsleep();  // from now on Wait does not return
  q.script.Release();
  q.queue.Submit(q.Make(1));
  q.queue.Poll();
  EXPECT_EQ(q.ended, 2);
  q.script.WakeUp();
  q.queue.Drain();
}

}  // namespace
}  // namespace faster
