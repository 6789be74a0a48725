// DiskModel: a disk that remembers what a crash may do to it (DESIGN.md 6).
//
// RULES OF THE MODEL. Each has a test in tests/device/disk_model_test.cc.
//   D1 A write is visible at once and durable only after Sync of its file. Until then each of its sectors
//   has,
//      after a crash, one of the contents it has had since it was last durable, each sector independently:
//      writes of several sectors tear, and later writes may survive earlier ones.
//   D2 A sector (512 B unless told otherwise) is atomic. With tear_mix it may also take its first bytes from
//      one of these contents and the rest from another, cut at a multiple of 8 bytes; never garbage.
//   D3 A file's size is one more such cell: after a crash it is any of the sizes since the last Sync. Bytes
//      inside the size that never arrived are zeros.
//   D4 Create, remove and rename are durable after SyncDirectory of a directory they touch. At a crash any
//      subset of those not durable survives in which no operation survives without the earlier ones on the
//      same name. A rename is one operation on two names, in one directory or two: never both, never neither.
//   D5 A write submitted but not completed at the crash may have arrived, sector by sector.
//   D6 Fates are decided when recovery first looks (a read of a sector, a use of the size, a lookup of a
//   name),
//      by asking `choose(kind, n)`; 0 is the newest completed state. A decision sticks. What is never looked
//      at is never decided. Equal contents are one alternative, and a single alternative is not asked about.
//   D7 Recovery may crash again, to any depth: what is undecided stays so, its own writes add alternatives.
//   D8 Sync and SyncDirectory cover what had completed when they were called (`sequence`), not what completes
//      meanwhile. Sync does not decide what an earlier crash left open.
//   D9 A failed Sync leaves the data dirty, or clean (a later Sync does not write it), or drops it (the next
//      read decides): FailSync's argument.
// Not modelled: a file system that orders anything by itself (ext4 would write renames after the data).
//
// NOT thread-safe: one execution runs on one OS thread. Memory comes from ModelHeap only, so calls are safe
// on any fiber; state is consistent whenever `choose` is called, so an execution may end there. Reset() keeps
// the memory. COST: a write or read of n sectors is O(n), Sync and Crash are O(unsynced sectors), a path
// lookup is O(names in the directories + unsynced directory operations).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "faster/core/status.h"
#include "faster/device/storage.h"
#include "faults/device/model_heap.h"
#include "faults/sched/scheduler.h"

namespace faults {

// Returns 0..count-1; 0 is "nothing unusual".
struct Chooser {
  uint32_t (*choose)(void* context, ChoiceKind kind, uint32_t count) = nullptr;  // null: always 0
  void* context = nullptr;
  uint32_t operator()(ChoiceKind kind, uint32_t count) const {
    return choose == nullptr || count <= 1 ? 0 : choose(context, kind, count);
  }
};

// What crashes did since Reset() was called with `statistics` (campaigns add them up to see that the device
// still does all it claims).
struct CrashStatistics {
  uint64_t sectors_new = 0;  // newest completed content, though an older one was possible
  uint64_t sectors_old = 0;  // any other content
  uint64_t sectors_mixed = 0;
  uint64_t torn_writes = 0;  // one write with both new and old sectors
  uint64_t sizes_new = 0;
  uint64_t sizes_old = 0;
  uint64_t names_new = 0;
  uint64_t names_old = 0;
};

class DiskModel {
 public:
  struct Options {
    uint32_t sector_bytes = 512;  // a power of two, 8..65536
    bool tear_mix = false;
  };
  using Inode = int32_t;
  static constexpr Inode kNone = -1;

  struct InFlightWrite {  // submitted, not completed
    Inode file;
    uint64_t offset;
    uint64_t length;
    const uint8_t* bytes;
  };
  enum class FailedSync : uint8_t { kStaysDirty, kMarkedClean, kDropped };

  DiskModel();
  DiskModel(const DiskModel&) = delete;
  DiskModel& operator=(const DiskModel&) = delete;

  void Reset(const Options& options, Chooser chooser);  // an empty disk; keeps memory
  void Crash(const InFlightWrite* writes, size_t count);
  uint64_t sequence() const { return sequence_; }  // grows with every change; see D8

  // Names. Statuses as in storage.h; kInvalidArgument for bad paths and a file where a directory must be.
  faster::Status Open(std::string_view path, faster::OpenMode mode, Inode* file);
  faster::Status CreateDirectory(std::string_view path);
  faster::Status Remove(std::string_view path);
  faster::Status Rename(std::string_view from, std::string_view to);
  faster::Status List(std::string_view directory, ModelVector<ModelString>* names);  // sorted
  faster::Status SyncDirectory(std::string_view directory, uint64_t sequence);
  faster::Status FindDirectory(std::string_view path, Inode* directory);

  // Contents. Offsets and lengths must keep offset + length below kMaxBytes.
  static constexpr uint64_t kMaxBytes = uint64_t{1} << 32;
  uint64_t Read(Inode file, uint64_t offset, void* buffer, uint64_t length);  // bytes read, less at the end
  void Write(Inode file, uint64_t offset, const void* buffer, uint64_t length);
  uint64_t Size(Inode file);
  void Truncate(Inode file, uint64_t bytes);
  void Sync(Inode file, uint64_t sequence);
  void FailSync(Inode file, uint64_t sequence, FailedSync how);
  void FlipBit(Inode file, uint64_t offset, unsigned bit);  // rot: at once, for good, unnoticed

  uint64_t UsedBytes() const;  // sizes of all files that have a name now, for ENOSPC; walks the tree
  uint32_t sector_bytes() const { return options_.sector_bytes; }
  const CrashStatistics& statistics() const { return statistics_; }
  void ForgetStatistics() { statistics_ = {}; }

  // For reports; decides nothing. One line per file or directory, with what is not durable or undecided.
  std::string Describe() const;

 private:
  static constexpr uint32_t kNoVersion = ~0u;
  static constexpr uint32_t kMaxOlder = 30;  // versions kept of one sector besides the newest

  struct Version {  // an older content of a sector; its bytes are in version_bytes_
    uint64_t sequence;
    uint32_t next;  // still older
    bool zero;
    bool fixed;  // no Sync makes it durable: an earlier crash or a failed Sync decides about it
  };
  struct Sector {
    uint64_t sequence = 0;        // of the newest content; 0: never written, zeros
    uint32_t older = kNoVersion;  // contents a crash may bring back, newest first
    bool undecided = false;       // after a crash, not looked at yet
    bool marked_clean = false;    // by a failed Sync: the next one will not write it
    bool listed = false;          // in `dirty`
  };
  struct OldSize {
    uint64_t sequence;
    uint64_t bytes;
    bool fixed;
  };
  struct Entry {
    uint32_t name;
    Inode inode;
  };
  struct Node {  // a file or a directory
    bool directory = false;
    bool size_undecided = false;
    bool size_marked_clean = false;
    uint32_t undecided = 0;  // sectors
    uint64_t size = 0;
    uint64_t size_sequence = 0;
    ModelVector<uint8_t> bytes;  // newest contents, whole sectors; zeros beyond `size`
    ModelVector<Sector> sectors;
    ModelVector<uint32_t> dirty;     // sectors with older contents
    ModelVector<OldSize> old_sizes;  // oldest first
    ModelVector<Entry> durable;      // directory: entries that no crash takes away
    void Clear(bool is_directory);
  };
  struct NameChange {
    Inode directory;
    uint32_t name;
    Inode inode;  // kNone: the name goes
  };
  struct DirectoryOperation {
    uint64_t sequence;
    NameChange changes[2];
    int count;
    bool undecided;
    bool done;  // to be swept
  };

  // disk_model.cc: contents
  void Grow(Node& node, uint64_t bytes);
  void PushVersion(Node& node, uint32_t sector);
  void LinkVersion(Node& node, uint32_t sector, const uint8_t* bytes, uint64_t sequence, bool fixed);
  void FreeVersions(uint32_t first);
  void FixVersions(uint32_t first, uint64_t sequence);
  const uint8_t* Content(const Node& node, uint32_t sector, uint32_t version) const;
  void Overwrite(Node& node, uint32_t sector, uint32_t from, uint32_t to, const uint8_t* bytes);
  void DecideSector(Node& node, uint32_t sector);
  uint32_t Alternatives(const Node& node, uint32_t sector, uint32_t* versions) const;
  void NoteFates(const Node& node, uint32_t sector, uint32_t chosen);
  void NoteFate(uint64_t sequence, unsigned seen);
  void DecideSize(Node& node);
  void CutBeyond(Node& node, uint64_t bytes);
  void SetSize(Node& node, uint64_t bytes);
  void AddAlternatives(const InFlightWrite& write);
  void SyncSizes(Node& node, uint64_t sequence);
  void SweepDirty(Node& node);

  // disk_names.cc: directories
  Inode NewNode(bool directory);
  uint32_t Intern(std::string_view name);
  Inode Lookup(Inode directory, uint32_t name);
  Inode DurableEntry(Inode directory, uint32_t name) const;
  void DecideName(Inode directory, uint32_t name);
  void DecideDirectory(Inode directory);
  bool IsEmpty(Inode directory);
  void Apply(size_t operation);
  void Drop(size_t operation);
  void Sweep();
  static bool Share(const DirectoryOperation& a, const DirectoryOperation& b);
  void AddOperation(const NameChange& first, const NameChange* second);
  faster::Status FindParent(std::string_view path, Inode* directory, uint32_t* name);
  Inode Visible(Inode directory, uint32_t name) const;  // decides nothing
  void VisibleNames(Inode directory, ModelVector<uint32_t>* names) const;
  void DescribeTree(Inode directory, const std::string& path, std::string* text) const;
  void DescribeNode(const Node& node, std::string* text) const;
  uint64_t UsedBytes(Inode directory) const;

  Options options_;
  Chooser choose_;
  uint64_t sequence_ = 1;
  ModelVector<Node> nodes_;  // never shrinks; nodes_used_ are in use; 0 is the root
  size_t nodes_used_ = 0;
  ModelVector<ModelString> names_;
  size_t names_used_ = 0;
  ModelVector<DirectoryOperation> operations_;  // not durable yet, oldest first
  ModelVector<Version> versions_;
  ModelVector<uint8_t> version_bytes_;
  uint32_t free_versions_ = kNoVersion;
  CrashStatistics statistics_;
  struct Fate {
    uint64_t sequence;
    unsigned seen;  // 1: a new sector, 2: an old one
  };
  ModelVector<Fate> fates_;
};

}  // namespace faults
