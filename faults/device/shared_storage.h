// SharedStorage: real files, real threads, full speed, and a parent that survives to play the power cut.
//
// The parent makes a SharedJournal (memory shared with its children), forks, and the child opens its store on
// a SharedStorage. When the child is dead, by SIGKILL at any instruction or by itself, the parent calls
// ApplyCrash(): all, none or a random subset of the sectors, sizes and names that were not durable survive,
// by the rules of DiskModel (D1, D3, D4), and the root holds ordinary files for PosixStorage to recover from.
//
// HOW. An undo journal: a write goes to its file at once, after the bytes it replaces (none beyond the end of
// the file) have been put in the journal, so reads and appends run at the speed of the files themselves. Sync
// makes the file's entries void; no disk is waited for, since only a process dies. Contents live in
// ROOT.objects/N while the child runs; ROOT itself keeps the names of the last ApplyCrash and receives files
// and names by the next one, which must therefore follow a clean end too (CrashMode::kAll).
//
// A KILL AT ANY INSTRUCTION leaves a journal that can be read: an entry counts from the one atomic store that
// publishes it, after its bytes are complete and before the file is touched; Sync is one atomic store; when
// the journal runs full the live entries are copied to its other half, and one store switches over. Locks are
// in the child's private memory and die with it. Writes of one file are serialised.
//
// ERRORS. A full journal (more unsynced overwritten data than half its capacity) fails the write with
// kNoSpace and is remembered in overflowed(), which the parent should treat as a misconfigured test. Failed
// syncs, EIO and the like are the simulation's business, not done here.
//
// Thread-safe as faster/device/storage.h says; one SharedStorage per journal and life. COST beside
// PosixStorage: about 0.3 us per write, and one read of what it overwrites.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "faster/device/io_threads.h"
#include "faster/device/posix_storage.h"
#include "faster/device/storage.h"
#include "faults/device/disk_model.h"

namespace faults {

struct SharedJournalOptions {
  uint64_t bytes = uint64_t{4} << 30;        // in two halves; sparse: only what is used takes memory
  uint64_t name_bytes = uint64_t{16} << 20;  // directory operations of one life, ~60 bytes each
  uint32_t max_files = 1u << 16;             // files and directories ever made in one life
};

class SharedJournal {
 public:
  struct Entry {     // an undo record, followed by `saved` bytes that were at `offset`
    uint64_t bytes;  // of the entry with what follows, a multiple of 8
    uint64_t sequence;
    uint64_t offset;
    uint64_t length;  // range changed
    uint64_t saved;   // the rest of the range was beyond the end of the file
    uint64_t old_size;
    uint32_t file;
    uint32_t reserved;
  };
  enum class NameOperation : uint32_t { kOpen, kCreateDirectory, kRemove, kRename, kSyncDirectory };
  struct Name {      // followed by the path(s)
    uint32_t bytes;  // of the record with what follows, a multiple of 8
    NameOperation operation;
    uint32_t path_bytes;
    uint32_t second_bytes;  // kRename: the target's path
  };

  // Null and one line in *error if the memory cannot be had.
  static std::unique_ptr<SharedJournal> Create(const SharedJournalOptions& options, std::string* error);
  ~SharedJournal();
  SharedJournal(const SharedJournal&) = delete;
  SharedJournal& operator=(const SharedJournal&) = delete;

  void Restart();  // in the parent, before the next child
  bool overflowed() const;

  // The child's side; callers serialise Append and Compact.
  bool Append(const Entry& entry, const void* saved);  // false: full
  bool AppendName(NameOperation operation, std::string_view path, std::string_view second);
  void MarkReady();
  uint64_t NextSequence();
  void SetSynced(uint32_t file, uint64_t sequence);
  uint32_t max_files() const { return max_files_; }
  uint64_t used_bytes() const;

  // The parent's side, when no child lives.
  bool ready() const;
  template <class Visit>
  void ForEachLive(Visit visit) const {  // (const Entry&, const uint8_t* saved), in order
    const uint8_t* at = ActiveHalf();
    for (const uint8_t* end = at + used_bytes(); at < end;) {
      const Entry& entry = *reinterpret_cast<const Entry*>(at);
      if (entry.sequence > Synced(entry.file)) visit(entry, at + sizeof(Entry));
      at += entry.bytes;
    }
  }
  template <class Visit>
  void ForEachName(Visit visit) const {  // (operation, path, second)
    const uint8_t* at = names_;
    for (const uint8_t* end = at + NameBytes(); at < end;) {
      const Name& name = *reinterpret_cast<const Name*>(at);
      const char* text = reinterpret_cast<const char*>(at + sizeof(Name));
      visit(name.operation, std::string_view(text, name.path_bytes),
            std::string_view(text + name.path_bytes, name.second_bytes));
      at += name.bytes;
    }
  }

 private:
  struct Header;
  SharedJournal() = default;
  bool Compact();
  const uint8_t* ActiveHalf() const;
  uint64_t Synced(uint32_t file) const;
  uint64_t NameBytes() const;

  void* memory_ = nullptr;
  uint64_t memory_bytes_ = 0;
  Header* header_ = nullptr;
  std::atomic<uint64_t>* synced_ = nullptr;
  uint8_t* names_ = nullptr;
  uint64_t name_capacity_ = 0;
  uint8_t* halves_[2] = {nullptr, nullptr};
  uint64_t half_capacity_ = 0;
  uint32_t max_files_ = 0;
};

class SharedInode;

class SharedStorage : public faster::Storage {
 public:
  // `root` must exist. Errors of the preparation (reading the tree, linking its files) are in start_status();
  // every call answers it until then. `objects`, a storage of ROOT.objects, performs reads and writes, each
  // asynchronous one by its own asynchronous call; null: PosixStorage, by its blocking ones, which is faster.
  SharedStorage(std::string_view root, SharedJournal* journal,
                const faster::PosixStorageOptions& options = {},
                std::unique_ptr<faster::Storage> objects = nullptr);
  ~SharedStorage() override;
  faster::Status start_status() const { return start_status_; }

  faster::Status Open(std::string_view path, faster::OpenMode mode,
                      std::unique_ptr<faster::File>* file) override;
  faster::Status CreateDirectory(std::string_view path) override;
  faster::Status Remove(std::string_view path) override;
  faster::Status Rename(std::string_view from, std::string_view to) override;
  faster::Status List(std::string_view directory, std::vector<std::string>* names) override;
  faster::Status SyncDirectory(std::string_view directory) override;
  faster::Status Lock(std::string_view directory, std::unique_ptr<faster::DirectoryLock>* lock) override;
  void Schedule(void (*job)(void* argument), void* argument) override;

 private:
  friend class SharedFile;
  friend class SharedLock;

  faster::Status Start();
  faster::Status Adopt(const std::string& directory);
  faster::Status AppendName(SharedJournal::NameOperation operation, std::string_view path,
                            std::string_view second = {});
  faster::Status OpenInode(DiskModel::Inode inode, std::shared_ptr<SharedInode>* opened);
  bool Journal(SharedJournal::Entry entry, const void* saved);

  const std::string root_;
  SharedJournal* const journal_;
  const bool asynchronous_;
  const std::unique_ptr<faster::Storage> objects_;
  faster::Status start_status_ = faster::Status::kOk;
  std::mutex names_mutex_;  // names_, inodes_, locks_ and the journal's names
  DiskModel names_;         // only its directories are used
  std::map<DiskModel::Inode, std::weak_ptr<SharedInode>> inodes_;
  std::unique_ptr<faster::DirectoryLock> process_lock_;
  std::map<DiskModel::Inode, bool> locks_;
  std::mutex journal_mutex_;  // after an inode's
  faster::IoPool pool_;
  faster::JobRunner jobs_;  // ended before the pool: a job may still do I/O
};

enum class CrashMode : uint8_t { kAll, kNone, kRandom };  // what survives of what was not durable

struct CrashReport {
  uint64_t files = 0;    // with unsynced contents
  uint64_t sectors = 0;  // of these, those with more than one possible content
  uint64_t sectors_old = 0;
  uint64_t sizes_old = 0;
  uint64_t names_old = 0;  // names for which an older state was taken
  uint64_t journal_bytes = 0;
};

struct CrashOptions {
  CrashMode mode = CrashMode::kRandom;
  uint64_t seed = 1;  // of kRandom; how much survives differs from file to file
  uint32_t sector_bytes = 512;
};

// Turns ROOT into what a disk holds after the crash. On an error, ROOT is undefined and *error is one line.
faster::Status ApplyCrash(const std::string& root, const SharedJournal& journal, const CrashOptions& options,
                          CrashReport* report, std::string* error);

}  // namespace faults
