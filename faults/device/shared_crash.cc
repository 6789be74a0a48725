// ApplyCrash: the parent's side of SharedStorage.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "faults/device/shared_storage.h"

namespace faults {
namespace {

using faster::OpenMode;
using faster::Status;

// Decides what survives. In kRandom each file (and the set of names) draws how much of it: from nothing
// through a few sectors and half of them to all, since independent halves alone would tear every file
// everywhere.
class Dice {
 public:
  explicit Dice(const CrashOptions& options) : mode_(options.mode), random_(options.seed) { NextFile(); }
  void NextFile() {
    constexpr uint32_t kPerMille[] = {0, 2, 500, 998, 1000};
    old_per_mille_ = kPerMille[random_() % 5];
  }
  uint32_t Choose(uint32_t count) {  // 0: the newest state
    if (mode_ == CrashMode::kAll || count < 2) return 0;
    if (mode_ == CrashMode::kNone) return count - 1;
    if (random_() % 1000 >= old_per_mille_) return 0;
    return 1 + static_cast<uint32_t>(random_() % (count - 1));
  }

 private:
  const CrashMode mode_;
  std::mt19937_64 random_;
  uint32_t old_per_mille_ = 0;
};

struct LiveEntry {
  const SharedJournal::Entry* entry;
  const uint8_t* saved;
};

class CrashedFile {
 public:
  CrashedFile(const std::string& path, const CrashOptions& options, Dice* dice, CrashReport* report)
      : path_(path), sector_bytes_(options.sector_bytes), dice_(*dice), report_(*report) {}

  // Entries are oldest first. Returns the error as one line, or "".
  std::string Apply(const std::vector<LiveEntry>& entries) {
    const int fd = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return Problem("open");
    std::string problem;
    struct stat info;
    if (::fstat(fd, &info) < 0) problem = Problem("stat");
    const uint64_t size_now = problem.empty() ? static_cast<uint64_t>(info.st_size) : 0;
    uint64_t extent = size_now;
    for (const LiveEntry& live : entries) {
      extent = std::max({extent, live.entry->old_size, live.entry->offset + live.entry->length});
    }
    extent = (extent + sector_bytes_ - 1) / sector_bytes_ * sector_bytes_;
    if (problem.empty() && extent > 0) {
      if (::ftruncate(fd, static_cast<off_t>(extent)) < 0)
        problem = Problem("extend");
      else
        problem = DecideSectors(fd, extent, entries);
    }
    const uint64_t size = DecideSize(size_now, entries);
    if (problem.empty() && ::ftruncate(fd, static_cast<off_t>(size)) < 0) problem = Problem("truncate");
    ::close(fd);
    return problem;
  }

 private:
  std::string Problem(const char* what) const {
    return path_ + ": cannot " + what + ": " + std::strerror(errno);
  }

  uint64_t DecideSize(uint64_t size_now, const std::vector<LiveEntry>& entries) {
    std::vector<uint64_t> sizes{size_now};
    for (size_t i = entries.size(); i-- > 0;) {
      const uint64_t size = entries[i].entry->old_size;
      if (std::find(sizes.begin(), sizes.end(), size) == sizes.end()) sizes.push_back(size);
    }
    const uint32_t choice = dice_.Choose(static_cast<uint32_t>(sizes.size()));
    if (choice != 0) ++report_.sizes_old;
    return sizes[choice];
  }

  std::string DecideSectors(int fd, uint64_t extent, const std::vector<LiveEntry>& entries) {
    void* memory = ::mmap(nullptr, extent, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return Problem("map");
    std::vector<std::pair<uint64_t, uint32_t>> touched;  // sector, entries from the newest back
    for (size_t i = entries.size(); i-- > 0;) {
      const SharedJournal::Entry& entry = *entries[i].entry;
      if (entry.length == 0) continue;
      const uint64_t last = (entry.offset + entry.length - 1) / sector_bytes_;
      for (uint64_t s = entry.offset / sector_bytes_; s <= last; ++s) {
        touched.emplace_back(s, static_cast<uint32_t>(entries.size() - 1 - i));
      }
    }
    std::sort(touched.begin(), touched.end());
    for (size_t i = 0; i < touched.size();) {
      size_t end = i;
      while (end < touched.size() && touched[end].first == touched[i].first) ++end;
      DecideSector(static_cast<uint8_t*>(memory), &touched[i], end - i, entries);
      i = end;
    }
    ::munmap(memory, extent);
    return "";
  }

  void DecideSector(uint8_t* file, const std::pair<uint64_t, uint32_t>* touched, size_t count,
                    const std::vector<LiveEntry>& entries) {
    const uint64_t begin = touched->first * sector_bytes_;
    std::vector<std::vector<uint8_t>>& contents = contents_;
    contents.clear();
    contents.emplace_back(file + begin, file + begin + sector_bytes_);
    std::vector<uint8_t> content = contents[0];
    for (size_t i = 0; i < count; ++i) {
      const LiveEntry& live = entries[entries.size() - 1 - touched[i].second];
      Undo(live, begin, &content);
      if (std::find(contents.begin(), contents.end(), content) == contents.end()) contents.push_back(content);
    }
    if (contents.size() == 1) return;
    ++report_.sectors;
    const uint32_t choice = dice_.Choose(static_cast<uint32_t>(contents.size()));
    if (choice == 0) return;
    ++report_.sectors_old;
    std::memcpy(file + begin, contents[choice].data(), sector_bytes_);
  }

  // `content` of the sector at `begin` becomes what it was before the entry.
  void Undo(const LiveEntry& live, uint64_t begin, std::vector<uint8_t>* content) const {
    const SharedJournal::Entry& entry = *live.entry;
    const uint64_t from = std::max(begin, entry.offset);
    const uint64_t to = std::min(begin + sector_bytes_, entry.offset + entry.length);
    if (from >= to) return;
    const uint64_t skipped = from - entry.offset;
    const uint64_t known = entry.saved > skipped ? std::min(entry.saved - skipped, to - from) : 0;
    if (known > 0) std::memcpy(content->data() + (from - begin), live.saved + skipped, known);
    std::memset(content->data() + (from - begin) + known, 0, to - from - known);
  }

  const std::string path_;
  const uint64_t sector_bytes_;
  Dice& dice_;
  CrashReport& report_;
  std::vector<std::vector<uint8_t>> contents_;
};

// Replays the directory operations of the life that ended and lets the model crash.
bool ReplayNames(const SharedJournal& journal, DiskModel* names) {
  using Operation = SharedJournal::NameOperation;
  bool good = true;
  journal.ForEachName([&](Operation operation, std::string_view path, std::string_view second) {
    DiskModel::Inode inode;
    Status status = Status::kOk;
    switch (operation) {
      case Operation::kOpen:
        status = names->Open(path, OpenMode::kCreate, &inode);
        break;
      case Operation::kCreateDirectory:
        status = names->CreateDirectory(path);
        break;
      case Operation::kRemove:
        status = names->Remove(path);
        break;
      case Operation::kRename:
        status = names->Rename(path, second);
        break;
      case Operation::kSyncDirectory:
        status = names->SyncDirectory(path, names->sequence());
        break;
    }
    good &= status == Status::kOk;
  });
  names->Crash(nullptr, 0);
  return good;
}

struct Tree {
  std::vector<std::string> directories;  // parents first
  std::map<std::string, DiskModel::Inode> files;
};

void CollectTree(DiskModel* names, const std::string& directory, Tree* tree) {
  ModelVector<ModelString> found;
  if (names->List(directory, &found) != Status::kOk) return;
  for (const ModelString& name : found) {
    const std::string path =
        (directory.empty() ? "" : directory + "/") + std::string(name.data(), name.size());
    DiskModel::Inode inode;
    if (names->Open(path, OpenMode::kRead, &inode) == Status::kOk) {
      tree->files[path] = inode;
    } else {
      tree->directories.push_back(path);
      CollectTree(names, path, tree);
    }
  }
}

// Makes ROOT show exactly `tree`. Objects keep their own names until all is done.
std::string Materialise(const std::string& root, const Tree& tree) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
    fs::remove_all(entry->path(), error);
    if (error) break;
  }
  if (error) return root + ": cannot clear: " + error.message();
  for (const std::string& directory : tree.directories) {
    fs::create_directory(root + "/" + directory, error);
    if (error) return root + "/" + directory + ": cannot create: " + error.message();
  }
  for (const auto& [path, inode] : tree.files) {
    const std::string target = root + "/" + path;
    const std::string object = root + ".objects/" + std::to_string(inode);
    // A file made by the last operation may have died before its object existed: it is empty.
    const int fd = ::open(object.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return object + ": cannot open: " + std::strerror(errno);
    ::close(fd);
    if (::link(object.c_str(), target.c_str()) < 0) return target + ": cannot link: " + std::strerror(errno);
  }
  fs::remove_all(root + ".objects", error);
  return error ? root + ".objects: cannot remove: " + error.message() : "";
}

}  // namespace

Status ApplyCrash(const std::string& root, const SharedJournal& journal, const CrashOptions& options,
                  CrashReport* report, std::string* error) {
  *report = {};
  error->clear();
  if (!journal.ready()) return Status::kOk;  // the life ended before it changed anything
  Dice dice(options);
  report->journal_bytes = journal.used_bytes();
  DiskModel names;
  names.Reset({},
              {[](void* dice, ChoiceKind, uint32_t count) { return static_cast<Dice*>(dice)->Choose(count); },
               &dice});
  if (!ReplayNames(journal, &names)) {
    *error = root + ": the journal of directory operations contradicts itself";
    return Status::kCorruption;
  }
  Tree tree;
  CollectTree(&names, "", &tree);
  report->names_old = names.statistics().names_old;

  std::map<uint32_t, std::vector<LiveEntry>> live;
  std::set<DiskModel::Inode> reachable;
  for (const auto& [path, inode] : tree.files) reachable.insert(inode);
  journal.ForEachLive([&](const SharedJournal::Entry& entry, const uint8_t* saved) {
    if (reachable.count(static_cast<DiskModel::Inode>(entry.file)) > 0)
      live[entry.file].push_back({&entry, saved});
  });
  for (const auto& [inode, entries] : live) {
    dice.NextFile();
    ++report->files;
    CrashedFile file(root + ".objects/" + std::to_string(inode), options, &dice, report);
    *error = file.Apply(entries);
    if (!error->empty()) return Status::kIoError;
  }
  *error = Materialise(root, tree);
  return error->empty() ? Status::kOk : Status::kIoError;
}

}  // namespace faults
