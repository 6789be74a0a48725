#include "faults/device/self_test.h"

#include <cstring>
#include <functional>
#include <set>
#include <string>

#include "faults/device/choice_enumerator.h"
#include "faults/device/disk_model.h"

namespace faults {
namespace {

using faster::OpenMode;
using faster::Status;
using Outcomes = std::set<std::string>;

constexpr uint32_t kSector = 512;

struct Disk {
  explicit Disk(Chooser chooser, bool tear_mix = false) {
    DiskModel::Options options;
    options.sector_bytes = kSector;
    options.tear_mix = tear_mix;
    model.Reset(options, chooser);
  }
  DiskModel::Inode Open(const char* path, OpenMode mode = OpenMode::kCreate) {
    DiskModel::Inode inode = DiskModel::kNone;
    return model.Open(path, mode, &inode) == Status::kOk ? inode : DiskModel::kNone;
  }
  void Write(DiskModel::Inode file, uint32_t sector, const std::string& letters) {  // a letter fills a sector
    std::string bytes;
    for (const char letter : letters) bytes.append(kSector, letter);
    model.Write(file, uint64_t{sector} * kSector, bytes.data(), bytes.size());
  }
  // A letter per sector: itself, '0' for zeros, '*' for a mixture.
  std::string Look(DiskModel::Inode file) {
    std::string bytes(model.Size(file), '\0'), letters;
    model.Read(file, 0, bytes.data(), bytes.size());
    for (size_t at = 0; at < bytes.size(); at += kSector) {
      const bool same = bytes.compare(at + 1, kSector - 1, bytes, at, kSector - 1) == 0;
      letters += !same ? '*' : bytes[at] == '\0' ? '0' : bytes[at];
    }
    return letters;
  }
  // A durable file with these letters.
  DiskModel::Inode Durable(const char* path, const std::string& letters) {
    const DiskModel::Inode file = Open(path);
    Write(file, 0, letters);
    model.Sync(file, model.sequence());
    SyncRoot();
    return file;
  }
  void SyncRoot() { (void)model.SyncDirectory("", model.sequence()); }
  void Crash() { model.Crash(nullptr, 0); }

  DiskModel model;
};

Outcomes All(const std::function<std::string(Chooser)>& scenario) {
  Outcomes outcomes;
  ChoiceEnumerator choices;
  do outcomes.insert(scenario(choices.chooser()));
  while (choices.Next());
  return outcomes;
}

std::string Join(const Outcomes& outcomes) {
  std::string text;
  for (const std::string& outcome : outcomes) text += (text.empty() ? "" : " ") + outcome;
  return "{" + text + "}";
}

struct Scenario {
  const char* rule;
  std::function<std::string(Chooser)> run;
  Outcomes demanded;
};

const Scenario kScenarios[] = {
    {"D1 a synced write survives",
     [](Chooser c) {
       Disk disk(c);
       const auto file = disk.Durable("f", "ab");
       disk.Crash();
       return disk.Look(file);
     },
     {"ab"}},
    {"D1 an unsynced write tears between sectors",
     [](Chooser c) {
       Disk disk(c);
       const auto file = disk.Durable("f", "ab");
       disk.Write(file, 0, "XY");
       disk.Crash();
       return disk.Look(file);
     },
     {"ab", "Xb", "aY", "XY"}},
    {"D1 a later write survives an earlier one, each version is possible",
     [](Chooser c) {
       Disk disk(c);
       const auto file = disk.Durable("f", "ab");
       disk.Write(file, 0, "X");
       disk.Write(file, 1, "Y");
       disk.Write(file, 0, "Z");
       disk.Crash();
       return disk.Look(file);
     },
     {"ab", "aY", "Xb", "XY", "Zb", "ZY"}},
    {"D2 a sector may mix with tear_mix",
     [](Chooser c) {
       Disk disk(c, true);
       const auto file = disk.Durable("f", "a");
       disk.Write(file, 0, "X");
       disk.Crash();
       return disk.Look(file);
     },
     {"a", "X", "*"}},
    {"D3 a size is lost or kept apart from the data",
     [](Chooser c) {
       Disk disk(c);
       const auto file = disk.Durable("f", "a");
       disk.Write(file, 1, "Y");
       disk.Crash();
       return disk.Look(file);
     },
     {"a", "a0", "aY"}},
    {"D4 a name is lost without a directory sync",
     [](Chooser c) {
       Disk disk(c);
       const auto file = disk.Open("f");
       disk.Write(file, 0, "a");
       disk.model.Sync(file, disk.model.sequence());
       disk.Crash();
       const auto found = disk.Open("f", OpenMode::kRead);
       return found == DiskModel::kNone ? std::string("gone") : disk.Look(found);
     },
     {"gone", "a"}},
    {"D4 a rename is atomic",
     [](Chooser c) {
       Disk disk(c);
       disk.Durable("new", "n");
       disk.Durable("old", "o");
       (void)disk.model.Rename("new", "old");
       disk.Crash();
       const auto old_file = disk.Open("old", OpenMode::kRead);
       const auto new_file = disk.Open("new", OpenMode::kRead);
       return (old_file == DiskModel::kNone ? "-" : disk.Look(old_file)) +
              (new_file == DiskModel::kNone ? "-" : disk.Look(new_file));
     },
     {"on", "n-"}},
    {"D4 a removed name comes back without a directory sync",
     [](Chooser c) {
       Disk disk(c);
       disk.Durable("f", "a");
       (void)disk.model.Remove("f");
       disk.Crash();
       return std::string(disk.Open("f", OpenMode::kRead) == DiskModel::kNone ? "gone" : "back");
     },
     {"gone", "back"}},
    {"D5 a write in flight arrives sector by sector",
     [](Chooser c) {
       Disk disk(c);
       const auto file = disk.Durable("f", "ab");
       const std::string bytes = std::string(kSector, 'X') + std::string(kSector, 'Y');
       const DiskModel::InFlightWrite write{file, 0, bytes.size(),
                                            reinterpret_cast<const uint8_t*>(bytes.data())};
       disk.model.Crash(&write, 1);
       return disk.Look(file);
     },
     {"ab", "Xb", "aY", "XY"}},
    {"D6, D7 a fate sticks, and what was not looked at stays open through a second crash",
     [](Chooser c) {
       Disk disk(c);
       const auto file = disk.Durable("f", "ab");
       disk.Write(file, 0, "XY");
       disk.Crash();
       char byte;
       disk.model.Read(file, 0, &byte, 1);
       disk.Crash();
       const std::string end = disk.Look(file);
       return end[0] == byte ? end : "changed";
     },
     {"ab", "Xb", "aY", "XY"}},
    {"D9 a failed sync may lose the data though a later one succeeds",
     [](Chooser c) {
       Disk disk(c);
       const auto file = disk.Durable("f", "a");
       disk.Write(file, 0, "X");
       disk.model.FailSync(file, disk.model.sequence(), DiskModel::FailedSync::kMarkedClean);
       disk.model.Sync(file, disk.model.sequence());
       disk.Crash();
       return disk.Look(file);
     },
     {"a", "X"}},
};

}  // namespace

bool DeviceSelfTest(std::string* why) {
  for (const Scenario& scenario : kScenarios) {
    const Outcomes found = All(scenario.run);
    if (found == scenario.demanded) continue;
    *why = "storage model: " + std::string(scenario.rule) + ": outcomes " + Join(found) + " instead of " +
           Join(scenario.demanded);
    return false;
  }
  return true;
}

}  // namespace faults
