// The rules D1 to D9 of DiskModel, one by one, with every fate enumerated.
#include "faults/device/disk_model.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <set>
#include <string>

#include "faults/device/choice_enumerator.h"
#include "faults/device/self_test.h"

namespace faults {
namespace {

using faster::OpenMode;
using faster::Status;
using How = DiskModel::FailedSync;
using Outcomes = std::set<std::string>;

constexpr uint32_t kSector = 16;

class Disk {
 public:
  explicit Disk(Chooser chooser = {}, bool tear_mix = false) { model.Reset({kSector, tear_mix}, chooser); }
  DiskModel::Inode Open(const char* path, OpenMode mode = OpenMode::kCreate) {
    DiskModel::Inode inode = DiskModel::kNone;
    const Status status = model.Open(path, mode, &inode);
    return status == Status::kOk ? inode : DiskModel::kNone;
  }
  bool Exists(const char* path) { return Open(path, OpenMode::kRead) != DiskModel::kNone; }
  void Write(DiskModel::Inode file, uint64_t offset, const std::string& bytes) {
    model.Write(file, offset, bytes.data(), bytes.size());
  }
  void Fill(DiskModel::Inode file, uint32_t sector, const std::string& letters) {
    for (const char letter : letters) Write(file, uint64_t{sector++} * kSector, std::string(kSector, letter));
  }
  std::string Read(DiskModel::Inode file, uint64_t offset, uint64_t length) {
    std::string bytes(length, '?');
    bytes.resize(model.Read(file, offset, bytes.data(), length));
    return bytes;
  }
  std::string Letters(DiskModel::Inode file) {  // first byte of each sector
    std::string bytes = Read(file, 0, model.Size(file)), letters;
    for (size_t at = 0; at < bytes.size(); at += kSector) letters += bytes[at] == '\0' ? '0' : bytes[at];
    return letters;
  }
  void Sync(DiskModel::Inode file) { model.Sync(file, model.sequence()); }
  void SyncDirectory(const char* path = "") {
    EXPECT_EQ(model.SyncDirectory(path, model.sequence()), Status::kOk);
  }
  DiskModel::Inode Durable(const char* path, const std::string& letters) {
    const DiskModel::Inode file = Open(path);
    Fill(file, 0, letters);
    Sync(file);
    SyncDirectory();
    return file;
  }
  void Crash() { model.Crash(nullptr, 0); }
  std::string Names(const char* directory = "") {
    ModelVector<ModelString> names;
    EXPECT_EQ(model.List(directory, &names), Status::kOk);
    std::string text;
    for (const ModelString& name : names) text += std::string(name.c_str()) + " ";
    return text;
  }

  DiskModel model;
};

Outcomes All(const std::function<std::string(Chooser)>& scenario, size_t* runs = nullptr) {
  Outcomes outcomes;
  ChoiceEnumerator choices;
  size_t count = 0;
  do {
    outcomes.insert(scenario(choices.chooser()));
    ++count;
  } while (choices.Next());
  if (runs != nullptr) *runs = count;
  return outcomes;
}

TEST(DiskModel, SelfTestPasses) {
  std::string why;
  EXPECT_TRUE(DeviceSelfTest(&why)) << why;
}

TEST(DiskModel, D1UnsyncedSectorsAreIndependentlyOldOrNew) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "abc");
              disk.Fill(file, 0, "XYZ");
              disk.Crash();
              return disk.Letters(file);
            }),
            Outcomes({"abc", "abZ", "aYc", "aYZ", "Xbc", "XbZ", "XYc", "XYZ"}));
}

TEST(DiskModel, D1SyncMakesDurableOnlyItsOwnFile) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto one = disk.Durable("one", "a");
              const auto two = disk.Durable("two", "b");
              disk.Fill(one, 0, "X");
              disk.Fill(two, 0, "Y");
              disk.Sync(one);
              disk.Crash();
              return disk.Letters(one) + disk.Letters(two);
            }),
            Outcomes({"Xb", "XY"}));
}

TEST(DiskModel, D1EveryVersionSinceTheSyncIsPossible) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "a");
              disk.Fill(file, 0, "X");
              disk.Sync(file);
              disk.Fill(file, 0, "Y");
              disk.Fill(file, 0, "Z");
              disk.Crash();
              return disk.Letters(file);
            }),
            Outcomes({"X", "Y", "Z"}));
}

TEST(DiskModel, D2ASectorIsAtomicUnlessItMayMix) {
  for (const bool mix : {false, true}) {
    const Outcomes outcomes = All([&](Chooser c) {
      Disk disk(c, mix);
      const auto file = disk.Durable("f", "a");
      disk.Fill(file, 0, "X");
      disk.Crash();
      return disk.Read(file, 0, kSector);
    });
    Outcomes wanted = {std::string(kSector, 'a'), std::string(kSector, 'X')};
    if (mix) wanted.insert({"aaaaaaaaXXXXXXXX", "XXXXXXXXaaaaaaaa"});
    EXPECT_EQ(outcomes, wanted);
  }
}

TEST(DiskModel, D2APartialWriteCarriesTheRestOfItsSector) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "a");
              disk.Write(file, 0, "XX");
              disk.Write(file, 2, "YY");
              disk.Crash();
              return disk.Read(file, 0, 5);
            }),
            Outcomes({"aaaaa", "XXaaa", "XXYYa"}));
}

TEST(DiskModel, D3SizesAreLostAndGapsAreZeros) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "a");
              disk.Fill(file, 2, "Z");
              disk.Crash();
              return disk.Letters(file);
            }),
            Outcomes({"a", "a00", "a0Z"}));
}

TEST(DiskModel, D3ATruncatedFileMayBeWholeAgainButNotAfterASync) {
  for (const bool sync : {false, true}) {
    const Outcomes outcomes = All([&](Chooser c) {
      Disk disk(c);
      const auto file = disk.Durable("f", "abc");
      disk.model.Truncate(file, 20);
      if (sync) disk.Sync(file);
      disk.Crash();
      const std::string bytes = disk.Read(file, 0, 99);
      disk.model.Truncate(file, 48);  // what was cut off must not come back
      const std::string longer = disk.Read(file, 0, 99);
      if (longer.substr(0, bytes.size()) != bytes) return std::string("changed");
      if (longer.find_first_not_of('\0', bytes.size()) != std::string::npos) return std::string("stale");
      std::string letters;
      for (size_t at = 0; at < bytes.size(); at += kSector) letters += bytes[at] == '\0' ? '0' : bytes[at];
      return letters;
    });
    // Old size, and each sector cut off is old or (already) cleared; or the new size.
    const Outcomes unsynced = {"ab", "abc", "ab0"};
    EXPECT_EQ(outcomes, sync ? Outcomes({"ab"}) : unsynced);
  }
}

TEST(DiskModel, D4NamesNeedADirectorySync) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              disk.Sync(disk.Open("a"));
              disk.SyncDirectory();
              disk.Sync(disk.Open("b"));
              disk.Sync(disk.Open("c"));
              disk.Crash();
              return disk.Names();
            }),
            Outcomes({"a ", "a b ", "a c ", "a b c "}));
}

TEST(DiskModel, D4OperationsOnOneNameKeepTheirOrder) {
  EXPECT_EQ(All([](Chooser c) {  // a removed, then made anew: never "anew" without "removed"
              Disk disk(c);
              disk.Durable("a", "x");
              EXPECT_EQ(disk.model.Remove("a"), Status::kOk);
              const auto file = disk.Open("a");
              disk.Fill(file, 0, "y");
              disk.Sync(file);
              disk.Crash();
              const auto found = disk.Open("a", OpenMode::kRead);
              return found == DiskModel::kNone ? std::string("-") : disk.Letters(found);
            }),
            Outcomes({"x", "-", "y"}));
}

TEST(DiskModel, D4RenamesAreAtomicAndDragTheirPredecessorsAlong) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              disk.Durable("meta", "o");
              disk.SyncDirectory();
              const auto file = disk.Open("meta.tmp");
              disk.Fill(file, 0, "n");
              disk.Sync(file);
              EXPECT_EQ(disk.model.Rename("meta.tmp", "meta"), Status::kOk);
              disk.Crash();
              const std::string names = disk.Names();
              return names + disk.Letters(disk.Open("meta", OpenMode::kRead));
            }),
            Outcomes({"meta o", "meta meta.tmp o", "meta n"}));
}

TEST(DiskModel, D4RenameAcrossDirectoriesIsDurableByEither) {
  for (const char* synced : {"", "d", "e"}) {
    const Outcomes outcomes = All([&](Chooser c) {
      Disk disk(c);
      EXPECT_EQ(disk.model.CreateDirectory("d"), Status::kOk);
      EXPECT_EQ(disk.model.CreateDirectory("e"), Status::kOk);
      disk.SyncDirectory();
      disk.Open("d/f");
      disk.SyncDirectory("d");
      EXPECT_EQ(disk.model.Rename("d/f", "e/f"), Status::kOk);
      disk.SyncDirectory(synced);
      disk.Crash();
      return (disk.Exists("d/f") ? "d" : "-") + std::string(disk.Exists("e/f") ? "e" : "-");
    });
    EXPECT_EQ(outcomes, *synced == '\0' ? Outcomes({"d-", "-e"}) : Outcomes({"-e"})) << synced;
  }
}

TEST(DiskModel, D4ALostDirectoryTakesItsFilesAlong) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              EXPECT_EQ(disk.model.CreateDirectory("d"), Status::kOk);
              disk.Sync(disk.Open("d/f"));
              disk.SyncDirectory("d");  // but not the root
              disk.Crash();
              return disk.Exists("d/f") ? std::string("there") : "gone";
            }),
            Outcomes({"there", "gone"}));
}

TEST(DiskModel, D5InFlightWritesMayArrive) {
  size_t runs = 0;
  EXPECT_EQ(All(
                [](Chooser c) {
                  Disk disk(c);
                  const auto file = disk.Durable("f", "a");
                  const std::string bytes(kSector + 4, 'X');  // its last sector is partial, beyond the end
                  const DiskModel::InFlightWrite write{file, 0, bytes.size(),
                                                       reinterpret_cast<const uint8_t*>(bytes.data())};
                  disk.model.Crash(&write, 1);
                  return disk.Letters(file) + std::to_string(disk.model.Size(file));
                },
                &runs),
            Outcomes({"a16", "X16", "a020", "aX20", "X020", "XX20"}));
  Disk quiet;  // nothing unusual: it has not arrived
  const auto file = quiet.Durable("f", "a");
  const std::string bytes(kSector, 'X');
  const DiskModel::InFlightWrite write{file, 0, bytes.size(), reinterpret_cast<const uint8_t*>(bytes.data())};
  quiet.model.Crash(&write, 1);
  EXPECT_EQ(quiet.Letters(file), "a");
}

TEST(DiskModel, D6FatesAreDecidedLazilyOnceAndOnlyWhereTheyMatter) {
  struct Counter {
    int asked = 0;
    static uint32_t Choose(void* self, ChoiceKind, uint32_t count) {
      ++static_cast<Counter*>(self)->asked;
      return count - 1;
    }
  } counter;
  Disk disk({&Counter::Choose, &counter});
  const auto file = disk.Durable("f", "abcd");
  disk.Fill(file, 0, "XYcW");  // the third sector is written with what it holds
  disk.Crash();
  EXPECT_EQ(counter.asked, 0);
  EXPECT_EQ(disk.Read(file, 0, 1), "a");
  EXPECT_EQ(counter.asked, 1);
  EXPECT_EQ(disk.Read(file, 2 * kSector, 1), "c");
  EXPECT_EQ(counter.asked, 1);
  EXPECT_EQ(disk.Read(file, 0, kSector + 1).back(), 'b');
  EXPECT_EQ(counter.asked, 2);
  EXPECT_EQ(disk.Letters(file), "abcd");
  EXPECT_EQ(disk.Letters(file), "abcd");
  EXPECT_EQ(counter.asked, 3);
  EXPECT_EQ(disk.model.statistics().sectors_old, 3u);
}

TEST(DiskModel, D6ChoiceZeroIsTheNewestState) {
  Disk disk;
  const auto file = disk.Durable("f", "a");
  disk.Fill(file, 0, "XY");
  disk.Open("g");
  EXPECT_EQ(disk.model.Rename("f", "h"), Status::kOk);
  disk.Crash();
  EXPECT_EQ(disk.Names(), "g h ");
  EXPECT_EQ(disk.Letters(disk.Open("h")), "XY");
}

TEST(DiskModel, D7RecoveryCrashesOnTopOfWhatIsOpen) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "ab");
              disk.Fill(file, 0, "XY");
              disk.Crash();
              disk.Fill(file, 0, "R");  // whole sector, unread: a or X stays possible beneath
              disk.Crash();
              disk.Crash();
              return disk.Letters(file);
            }),
            Outcomes({"ab", "aY", "Xb", "XY", "Rb", "RY"}));
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "a");
              disk.Fill(file, 0, "X");
              disk.Crash();
              disk.Write(file, 0, "R");  // part of the sector: what it held is decided now
              disk.Crash();
              return disk.Read(file, 0, 2);
            }),
            Outcomes({"aa", "XX", "Ra", "RX"}));
}

TEST(DiskModel, D7SyncInRecoveryMakesItsWritesDurableAndDecidesNothing) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "ab");
              disk.Fill(file, 0, "XY");
              disk.Crash();
              disk.Fill(file, 0, "R");
              disk.Sync(file);
              disk.Crash();
              return disk.Letters(file);
            }),
            Outcomes({"Rb", "RY"}));
}

TEST(DiskModel, D8SyncCoversWhatHadCompletedWhenItWasCalled) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "ab");
              disk.Fill(file, 0, "X");
              const uint64_t called = disk.model.sequence();
              disk.Fill(file, 0, "Z");
              disk.Fill(file, 1, "Y");
              disk.model.Sync(file, called);
              disk.Crash();
              return disk.Letters(file);
            }),
            Outcomes({"Xb", "XY", "Zb", "ZY"}));
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              disk.Open("a");
              const uint64_t called = disk.model.sequence();
              disk.Open("b");
              EXPECT_EQ(disk.model.SyncDirectory("", called), Status::kOk);
              disk.Crash();
              return disk.Names();
            }),
            Outcomes({"a ", "a b "}));
}

TEST(DiskModel, D8SyncOfAnEarlierMomentDoesNotPromoteWhatACrashLeftOpen) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "a");
              disk.Fill(file, 0, "X");
              disk.Crash();
              const uint64_t called = disk.model.sequence();
              disk.Fill(file, 0, "R");
              disk.model.Sync(file, called);
              disk.Crash();
              return disk.Letters(file);
            }),
            Outcomes({"a", "X", "R"}));
}

TEST(DiskModel, D9FailedSync) {
  const auto outcomes = [](How how, bool rewrite) {
    return All([&](Chooser c) {
      Disk disk(c);
      const auto file = disk.Durable("f", "a");
      disk.Fill(file, 0, "X");
      disk.model.FailSync(file, disk.model.sequence(), how);
      const std::string seen = disk.Letters(file);
      if (rewrite) disk.Fill(file, 0, "X");
      disk.Sync(file);
      disk.Crash();
      return seen + disk.Letters(file);
    });
  };
  EXPECT_EQ(outcomes(How::kStaysDirty, false), Outcomes({"XX"}));
  EXPECT_EQ(outcomes(How::kMarkedClean, false), Outcomes({"Xa", "XX"}));  // reads fool whoever checks
  EXPECT_EQ(outcomes(How::kMarkedClean, true), Outcomes({"XX"}));
  EXPECT_EQ(outcomes(How::kDropped, false), Outcomes({"aa", "XX"}));
  EXPECT_EQ(outcomes(How::kDropped, true), Outcomes({"aX", "XX"}));
}

// A file that grew, lost its sync and was written again is as long as it was written, once a sync succeeds.
TEST(DiskModel, D9SizeIsDurableWithTheDataWrittenAgain) {
  const auto outcomes = [](uint32_t sector, const char* again) {
    return All([&](Chooser c) {
      Disk disk(c);
      const auto file = disk.Durable("f", "a");
      disk.Fill(file, 1, "X");
      disk.model.FailSync(file, disk.model.sequence(), How::kMarkedClean);
      disk.Fill(file, sector, again);
      disk.Sync(file);
      disk.Crash();
      return disk.Letters(file);
    });
  };
  EXPECT_EQ(outcomes(1, "X"), Outcomes({"aX"}));
  EXPECT_EQ(outcomes(1, ""), Outcomes({"a", "a0", "aX"}));
  EXPECT_EQ(outcomes(0, "b"), Outcomes({"b", "b0", "bX"}));  // not up to its end
}

TEST(DiskModel, D9FailedSyncMayLoseTheSize) {
  EXPECT_EQ(All([](Chooser c) {
              Disk disk(c);
              const auto file = disk.Durable("f", "a");
              disk.Fill(file, 1, "Y");
              disk.model.FailSync(file, disk.model.sequence(), How::kMarkedClean);
              disk.Sync(file);
              disk.Crash();
              return disk.Letters(file);
            }),
            Outcomes({"a", "a0", "aY"}));
}

TEST(DiskModel, RotIsPermanent) {
  Disk disk;
  const auto file = disk.Durable("f", "a");
  disk.model.FlipBit(file, 3, 1);
  disk.Crash();
  EXPECT_EQ(disk.Read(file, 3, 1)[0], 'a' ^ 2);
}

TEST(DiskModel, ResetForgetsEverything) {
  Disk disk;
  disk.Fill(disk.Open("f"), 0, "abc");
  disk.model.Reset({kSector, false}, {});
  EXPECT_EQ(disk.Names(), "");
  EXPECT_EQ(disk.Letters(disk.Open("f")), "");
  EXPECT_EQ(disk.model.UsedBytes(), 0u);
}

TEST(DiskModel, DescribeSaysWhatIsOpen) {
  Disk disk;
  const auto file = disk.Durable("f", "ab");
  disk.Fill(file, 1, "YZ");
  disk.Open("g");
  EXPECT_NE(disk.model.Describe().find("f  48 bytes (durable: 32); sectors not durable: 1,2"),
            std::string::npos)
      << disk.model.Describe();
  EXPECT_NE(disk.model.Describe().find("not durable: +g"), std::string::npos);
  disk.Crash();
  EXPECT_NE(disk.model.Describe().find("f  48 bytes (size undecided); sectors undecided since a crash: 1,2"),
            std::string::npos)
      << disk.model.Describe();
}

TEST(DiskModel, StatisticsSeeTornWrites) {
  uint64_t torn = 0;
  All([&](Chooser c) {
    Disk disk(c);
    const auto file = disk.Durable("f", "ab");
    disk.Write(file, 0, std::string(2 * kSector, 'X'));
    disk.Crash();
    const std::string letters = disk.Letters(file);
    EXPECT_EQ(disk.model.statistics().torn_writes, letters == "aX" || letters == "Xb" ? 1u : 0u) << letters;
    torn += disk.model.statistics().torn_writes;
    return letters;
  });
  EXPECT_EQ(torn, 2u);
}

}  // namespace
}  // namespace faults
