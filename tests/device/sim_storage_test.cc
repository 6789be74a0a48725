// SimStorage on the fibers of a small scheduler: completion exactly once, crashes, lives, faults.
#include "faults/device/sim_storage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/device/fake_scheduler.h"
#include "tests/device/sim_world.h"

#if !defined(__SANITIZE_THREAD__)  // fibers without annotations confuse ThreadSanitizer

namespace faults {
namespace {

TEST(SimStorage, CompletesExactlyOnce) {
  std::set<std::string> orders;
  const char* plans[] = {"", "eio:write:*:2nd,short:read:*:3rd,slow:write:*:4th",
                         "eio:read:*:p=1/3,eio:write:*:p=1/3",
                         "enospc:after=2000,rot:read:*:2nd,misdirect:write:*:1st", "short:any:*:p=1/2"};
  for (uint64_t seed = 0; seed < 200; ++seed) {
    World world(seed, plans[seed % 5]);
    std::string order;
    world.Finish([&] {
      auto file = world.Open("f");
      constexpr int kRequests = 8;
      struct Request {
        Completion completion;
        std::string* order;
        char name;
        std::string buffer;
      } requests[kRequests];
      for (int i = 0; i < kRequests; ++i) {
        requests[i].order = &order;
        requests[i].name = static_cast<char>('a' + i);
        requests[i].buffer.assign(512, requests[i].name);
        const auto done = [](void* context, Status status, uint64_t bytes) {
          auto* request = static_cast<Request*>(context);
          *request->order += request->name;
          Completion::Done(&request->completion, status, bytes);
        };
        if (i % 3 == 2)
          file->ReadAsync(0, requests[i].buffer.data(), 512, done, &requests[i]);
        else
          file->WriteAsync(i * 512, requests[i].buffer.data(), 512, done, &requests[i]);
      }
      for (Request& request : requests) world.Wait(request.completion);
      for (int i = 0; i < 30; ++i) world.scheduler->Point(PointKind::kYield, nullptr, 0);
      for (Request& request : requests) EXPECT_EQ(request.completion.calls, 1);
    });
    EXPECT_EQ(order.size(), 8u);
    orders.insert(order);
    EXPECT_EQ(world.storage.statistics().submitted, 8u);
    EXPECT_EQ(world.storage.statistics().completed, 8u);
    EXPECT_EQ(world.storage.in_flight(), 0u);
  }
  EXPECT_GT(orders.size(), 50u);
}

// One device fiber: what completes when is its choice alone.
TEST(SimStorage, AnyRequestMayCompleteFirst) {
  std::set<size_t> first;
  SimStorage::Options options;
  options.device_fibers = 1;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    World world(seed, "", options);
    world.scheduler->switching = false;
    Completion writes[3];
    world.Finish([&] {
      auto file = world.Open("f");
      char byte = 'x';
      for (Completion& write : writes) file->WriteAsync(0, &byte, 1, &Completion::Done, &write);
      world.scheduler->switching = true;
      for (bool done = false; !done;) {
        world.scheduler->Point(PointKind::kYield, nullptr, 0);
        for (size_t i = 0; i < 3 && !done; ++i) {
          done = writes[i].calls > 0;
          if (done) first.insert(i);
        }
      }
      for (Completion& write : writes) world.Wait(write);
    });
  }
  EXPECT_EQ(first, std::set<size_t>({0, 1, 2}));
}

TEST(SimStorage, ChoicesZeroCompleteTheOldestFirst) {
  World world;
  world.scheduler->random_choices = false;
  world.Finish([&] {
    auto file = world.Open("f");
    std::vector<int> order;
    struct Tag {
      std::vector<int>* order;
      int number;
    } tags[4];
    char bytes[4] = {1, 2, 3, 4};
    for (int i = 0; i < 4; ++i) {
      tags[i] = {&order, i};
      file->WriteAsync(
          i, &bytes[i], 1,
          [](void* tag, Status, uint64_t) {
            static_cast<Tag*>(tag)->order->push_back(static_cast<Tag*>(tag)->number);
          },
          &tags[i]);
    }
    while (order.size() < 4) world.scheduler->Point(PointKind::kYield, nullptr, 0);
  });
  EXPECT_EQ(world.storage.statistics().reordered, 0u);
}

// Crash at every point of a little program. What was synced before the crash is there afterwards.
TEST(SimStorage, CrashAtEveryPoint) {
  std::set<std::string> seen;
  bool finished = false;
  for (uint64_t at = 0; !finished; ++at) {
    ASSERT_LT(at, 1000u);
    for (uint64_t seed = 0; seed < 10; ++seed) {
      World world(seed);
      world.scheduler->crash_at = at;
      int synced = 0;
      const RunResult result = world.Run([&] {
        auto file = world.Open("f");
        if (world.storage.SyncDirectory("") != Status::kOk) return;
        for (int i = 0; i < 3; ++i) {
          Completion write;
          const std::string block(1024, static_cast<char>('a' + i));
          file->WriteAsync(i * 1024, block.data(), block.size(), &Completion::Done, &write);
          world.Wait(write);
          if (file->Sync() == Status::kOk) synced = i + 1;
        }
      });
      finished = result.outcome == Outcome::kFinished;
      world.Restart(seed + 100);
      std::string found;
      world.Finish([&] {
        std::unique_ptr<File> file;
        const Status status = world.storage.Open("f", OpenMode::kRead, &file);
        if (synced > 0) {
          ASSERT_EQ(status, Status::kOk);
        }
        if (status != Status::kOk) return;
        const std::string bytes = World::Get(*file, 0, 3072);
        ASSERT_GE(bytes.size(), synced * 1024u);
        for (size_t i = 0; i < bytes.size(); i += 512) found += bytes[i] == 0 ? '0' : bytes[i];
        for (int i = 0; i < synced * 2; ++i) ASSERT_EQ(found[i], 'a' + i / 2);
      });
      seen.insert(found);
    }
  }
  EXPECT_TRUE(seen.count("aabbcc")) << "the finished program";
  EXPECT_TRUE(seen.count("a0") || seen.count("0a")) << "a torn first write";
}

TEST(SimStorage, InFlightWritesOfBothKindsMayArrive) {
  for (const bool blocking : {false, true}) {
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 300; ++seed) {
      World world(seed);
      const std::string bytes(512, 'X');
      Completion write;
      world.Run([&] {
        auto file = world.Open("f");
        uint64_t n;
        ASSERT_EQ(file->Write(0, std::string(512, 'a').data(), 512, &n), Status::kOk);
        ASSERT_EQ(file->Sync(), Status::kOk);
        ASSERT_EQ(world.storage.SyncDirectory(""), Status::kOk);
        if (blocking) {
          world.scheduler->SpawnFunction([&] { world.scheduler->Crash(); });
          (void)file->Write(0, bytes.data(), bytes.size(), &n);
          write.calls = 1;
        } else {
          file->WriteAsync(0, bytes.data(), bytes.size(), &Completion::Done, &write);
        }
        world.scheduler->Crash();
      });
      const bool in_flight = world.storage.in_flight() == 1;
      world.Restart(seed);
      if (!in_flight) continue;
      EXPECT_EQ(write.calls, 0);
      world.Finish([&] { seen.insert(World::Get(*world.Open("f"), 0, 1)); });
    }
    EXPECT_EQ(seen, std::set<std::string>({"a", "X"})) << blocking;
  }
}

TEST(SimStorage, ACrashEndsHandlesLocksAndJobs) {
  World world;
  std::unique_ptr<File> file;
  std::unique_ptr<faster::DirectoryLock> lock;
  world.Run([&] {
    file = world.Open("f");
    EXPECT_EQ(world.storage.Lock("", &lock), Status::kOk);
    world.storage.Schedule([](void*) { FAIL() << "a job ran after the crash"; }, nullptr);
    world.scheduler->switching = false;
    world.scheduler->Crash();
  });
  world.Restart(2);
  world.Finish([&] {
    char byte = 0;
    uint64_t bytes;
    Completion write;
    EXPECT_EQ(file->Write(0, &byte, 1, &bytes), Status::kIoError);
    file->WriteAsync(0, &byte, 1, &Completion::Done, &write);
    EXPECT_EQ(write.status, Status::kIoError);
    EXPECT_EQ(file->Sync(), Status::kIoError);
    std::unique_ptr<faster::DirectoryLock> again;
    EXPECT_EQ(world.storage.Lock("", &again), Status::kOk);
    lock.reset();  // the dead one must not release the living one
    std::unique_ptr<faster::DirectoryLock> third;
    EXPECT_EQ(world.storage.Lock("", &third), Status::kBusy);
  });
  file.reset();
}

TEST(SimStorage, NestedCrashesKeepWhatRecoverySynced) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    World world(seed);
    world.Run([&] {
      auto file = world.Open("f");
      EXPECT_EQ(world.storage.SyncDirectory(""), Status::kOk);
      uint64_t n;
      (void)file->Write(0, std::string(2048, 'a').data(), 2048, &n);
      world.scheduler->Crash();
    });
    for (int life = 0; life < 3; ++life) {
      world.Restart(seed * 7 + life);
      const std::string wanted(512, static_cast<char>('A' + life));
      world.Run([&] {
        auto file = world.Open("f");
        uint64_t n;
        EXPECT_EQ(file->Write(512 * life, wanted.data(), 512, &n), Status::kOk);
        EXPECT_EQ(file->Sync(), Status::kOk);
        world.scheduler->Crash();
      });
    }
    world.Restart(seed);
    world.Finish([&] {
      auto file = world.Open("f");
      const std::string bytes = World::Get(*file, 0, 1536);
      ASSERT_EQ(bytes.size(), 1536u);
      for (int life = 0; life < 3; ++life)
        EXPECT_EQ(bytes.substr(512 * life, 512), std::string(512, 'A' + life));
    });
  }
}

TEST(SimStorage, Faults) {
  World world(3,
              "eio:read:f:1st,short:write:f:2nd,syncfail:f:1st,enospc:meta:full:1st,eio:dirsync:*:1st,"
              "short:read:f:2nd,misdirect:write:g:1st");
  world.scheduler->random_choices = false;
  world.Finish([&] {
    auto file = world.Open("f");
    const std::string block(2048, 'a');
    std::string found(2048, '?');
    uint64_t bytes;
    EXPECT_EQ(faster::WriteFully(*file, 0, block.data(), 2048), Status::kOk);
    EXPECT_EQ(faster::WriteFully(*file, 2048, block.data(), 2048), Status::kShortIo);
    EXPECT_EQ(file->Size(&bytes), Status::kOk);
    EXPECT_EQ(bytes, 3072u);
    EXPECT_EQ(file->Read(0, found.data(), 2048, &bytes), Status::kIoError);
    EXPECT_EQ(faster::ReadFully(*file, 0, found.data(), 2048), Status::kShortIo);
    EXPECT_EQ(faster::ReadFully(*file, 0, found.data(), 2048), Status::kOk);
    EXPECT_EQ(found, block);
    EXPECT_EQ(file->Sync(), Status::kIoError);
    EXPECT_EQ(file->Sync(), Status::kOk);
    EXPECT_EQ(world.storage.SyncDirectory(""), Status::kIoError);
    EXPECT_EQ(world.storage.SyncDirectory(""), Status::kOk);
    std::unique_ptr<File> other;
    EXPECT_EQ(world.storage.Open("full", OpenMode::kCreate, &other), Status::kNoSpace);
    EXPECT_EQ(world.storage.Open("full", OpenMode::kRead, &other), Status::kNotFound);
    auto stray = world.Open("g");
    EXPECT_EQ(faster::WriteFully(*stray, 1024, block.data(), 512), Status::kOk);
    EXPECT_EQ(World::Get(*stray, 512, 1024), std::string(512, 'a'));  // one sector too low
  });
  EXPECT_EQ(world.storage.statistics().faults, 7u);
}

TEST(SimStorage, AFailedSyncLosesDataThoughALaterOneSucceeds) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    World world(seed, "syncfail:f:1st");
    world.Run([&] {
      auto file = world.Open("f");
      EXPECT_EQ(world.storage.SyncDirectory(""), Status::kOk);
      EXPECT_EQ(faster::WriteFully(*file, 0, "x", 1), Status::kOk);
      EXPECT_EQ(file->Sync(), Status::kIoError);
      EXPECT_EQ(file->Sync(), Status::kOk);
      world.scheduler->Crash();
    });
    world.Restart(seed);
    world.Finish([&] { seen.insert(World::Get(*world.Open("f"), 0, 1)); });
  }
  EXPECT_TRUE(seen.count("x") && seen.count(""));
}

TEST(SimStorage, AFullDisk) {
  World world(1, "enospc:after=3000");
  world.Finish([&] {
    auto file = world.Open("f");
    const std::string block(1000, 'a');
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(faster::WriteFully(*file, i * 1000, block.data(), 1000), Status::kOk);
    EXPECT_EQ(faster::WriteFully(*file, 3000, block.data(), 1), Status::kNoSpace);
    EXPECT_EQ(faster::WriteFully(*file, 2000, block.data(), 1000), Status::kOk);  // no growth
    auto other = world.Open("g");
    EXPECT_EQ(faster::WriteFully(*other, 0, block.data(), 1), Status::kNoSpace);
    EXPECT_EQ(file->Truncate(1000), Status::kOk);
    EXPECT_EQ(faster::WriteFully(*other, 0, block.data(), 1000), Status::kOk);
    EXPECT_EQ(world.storage.Remove("f"), Status::kOk);
    EXPECT_EQ(faster::WriteFully(*other, 0, std::string(3000, 'b').data(), 3000), Status::kOk);
  });
}

TEST(SimStorage, RotIsOneBitAndStays) {
  World world(5, "rot:read:f:1st");
  world.Finish([&] {
    auto file = world.Open("f");
    const std::string block(700, 'a');
    EXPECT_EQ(faster::WriteFully(*file, 0, block.data(), 700), Status::kOk);
    const std::string first = World::Get(*file, 0, 700);
    int bits = 0;
    for (int i = 0; i < 700; ++i) bits += __builtin_popcount(static_cast<unsigned char>(first[i] ^ 'a'));
    EXPECT_EQ(bits, 1);
    EXPECT_EQ(World::Get(*file, 0, 700), first);
  });
}

TEST(SimStorage, SlowRequestsCompleteLast) {
  World world(5, "slow:write:*:1st");
  world.Finish([&] {
    auto file = world.Open("f");
    Completion slow, quick[5];
    char byte = 'x';
    file->WriteAsync(0, &byte, 1, &Completion::Done, &slow);
    world.scheduler->switching = false;  // all are submitted before any is performed
    for (Completion& completion : quick) file->WriteAsync(1, &byte, 1, &Completion::Done, &completion);
    world.scheduler->switching = true;
    world.Wait(slow);
    if (world.storage.statistics().reordered > 0) {
      for (Completion& completion : quick) EXPECT_EQ(completion.calls, 1);
    }
  });
}

TEST(SimStorage, ABufferThatChangesInFlightIsNoticed) {
  World world;
  world.scheduler->switching = false;
  world.Finish([&] {
    auto file = world.Open("f");
    std::string block(512, 'a');
    Completion write;
    file->WriteAsync(0, block.data(), block.size(), &Completion::Done, &write);
    block[7] = 'b';
    world.scheduler->switching = true;
    world.Wait(write);
  });
  EXPECT_EQ(world.storage.statistics().changed_in_flight, 1u);
}

TEST(SimStorage, DestroyingAFileWithIoInFlightFails) {
  World world;
  world.scheduler->switching = false;
  const RunResult result = world.Run([&] {
    auto file = world.Open("f");
    char byte = 'x';
    Completion write;
    file->WriteAsync(0, &byte, 1, &Completion::Done, &write);
    file.reset();
  });
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_STREQ(world.scheduler->explanation(), "a File was destroyed while I/O on it was in flight");
}

TEST(SimStorage, PointsNameWhatHappens) {
  World world;
  world.Finish([&] {
    auto file = world.Open("f");
    char byte = 'x';
    Completion write;
    file->WriteAsync(0, &byte, 1, &Completion::Done, &write);
    world.Wait(write);
    EXPECT_EQ(file->Sync(), Status::kOk);
    EXPECT_EQ(world.storage.SyncDirectory(""), Status::kOk);
  });
  const std::vector<PointKind>& points = world.scheduler->points;
  const auto count = [&](PointKind kind) { return std::count(points.begin(), points.end(), kind); };
  EXPECT_EQ(count(PointKind::kIoMeta), 1);
  EXPECT_EQ(count(PointKind::kIoSubmit), 1);
  EXPECT_GE(count(PointKind::kIoComplete), 2);
  EXPECT_EQ(count(PointKind::kIoSync), 2);
}

TEST(SimStorage, ReportsSayWhatWasInFlight) {
  World world;
  world.scheduler->switching = false;
  const std::string block(700, 'a');
  Completion write;
  world.Run([&] {
    auto file = world.Open("log.0");
    file->WriteAsync(512, block.data(), block.size(), &Completion::Done, &write);
    world.scheduler->Crash();
  });
  world.storage.Crash();
  EXPECT_NE(world.storage.DescribeDisk().find("in flight: write log.0 [512, +700)"), std::string::npos)
      << world.storage.DescribeDisk();
  const std::vector<IoEvent> events = world.storage.Events();
  std::vector<IoEventKind> kinds;
  for (const IoEvent& event : events) kinds.push_back(event.kind);
  EXPECT_EQ(kinds, std::vector<IoEventKind>({IoEventKind::kReopen, IoEventKind::kOpen,
                                             IoEventKind::kSubmitWrite, IoEventKind::kCrash}));
  EXPECT_EQ(world.storage.path_name(events[2].path), "log.0");
  EXPECT_EQ(events[2].length, 700u);
}

TEST(SimStorage, EventLogIsARing) {
  SimStorage::Options options;
  options.event_log = 4;
  World world(1, "", options);
  world.Finish([&] {
    for (int i = 0; i < 20; ++i) EXPECT_EQ(world.storage.SyncDirectory(""), Status::kOk);
  });
  EXPECT_EQ(world.storage.Events().size(), 4u);
}

TEST(SimStorage, ResetIsAFreshDisk) {
  World world;
  world.Run([&] {
    auto file = world.Open("f");
    char byte = 'x';
    Completion write;
    file->WriteAsync(0, &byte, 1, &Completion::Done, &write);
    world.scheduler->Crash();
  });
  FakeScheduler fresh(1);
  world.storage.Reset({}, &fresh, nullptr);
  EXPECT_EQ(world.storage.DescribeDisk(), "");
  EXPECT_EQ(world.storage.in_flight(), 0u);
  std::unique_ptr<File> file;
  EXPECT_EQ(world.storage.Open("f", OpenMode::kRead, &file), Status::kNotFound);
}

}  // namespace
}  // namespace faults

#endif
