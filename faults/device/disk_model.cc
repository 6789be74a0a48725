#include "faults/device/disk_model.h"

#include <algorithm>
#include <cstring>

namespace faults {
namespace {

constexpr uint32_t kNewest = ~0u - 1;  // in lists of alternatives: the content in Node::bytes
constexpr uint32_t kMixUnit = 8;       // bytes; a mixed sector is cut at a multiple of it
constexpr size_t kMaxFates = 256;

alignas(64) constexpr uint8_t kZeros[1u << 16] = {};

}  // namespace

DiskModel::DiskModel() { Reset(Options{}, Chooser{}); }

void DiskModel::Node::Clear(bool is_directory) {
  directory = is_directory;
  size_undecided = size_marked_clean = false;
  undecided = 0;
  size = size_sequence = 0;
  bytes.clear();
  sectors.clear();
  dirty.clear();
  old_sizes.clear();
  durable.clear();
}

void DiskModel::Reset(const Options& options, Chooser chooser) {
  options_ = options;
  choose_ = chooser;
  sequence_ = 1;
  nodes_used_ = 0;
  names_used_ = 0;
  operations_.clear();
  versions_.clear();
  version_bytes_.clear();
  free_versions_ = kNoVersion;
  fates_.clear();
  NewNode(true);
}

void DiskModel::Grow(Node& node, uint64_t bytes) {
  const uint64_t sectors = (bytes + options_.sector_bytes - 1) / options_.sector_bytes;
  if (sectors <= node.sectors.size()) return;
  node.sectors.resize(sectors);
  node.bytes.resize(sectors * options_.sector_bytes, 0);
}

// --- Versions of a sector -------------------------------------------------------------------------------

void DiskModel::LinkVersion(Node& node, uint32_t sector, const uint8_t* bytes, uint64_t sequence,
                            bool fixed) {
  uint32_t version = free_versions_;
  if (version != kNoVersion) {
    free_versions_ = versions_[version].next;
  } else {
    version = static_cast<uint32_t>(versions_.size());
    versions_.emplace_back();
    version_bytes_.resize(version_bytes_.size() + options_.sector_bytes);
  }
  versions_[version] = {sequence, node.sectors[sector].older, bytes == nullptr, fixed};
  if (bytes != nullptr) {
    std::memcpy(&version_bytes_[size_t{version} * options_.sector_bytes], bytes, options_.sector_bytes);
  }
  node.sectors[sector].older = version;
  if (!node.sectors[sector].listed) {
    node.sectors[sector].listed = true;
    node.dirty.push_back(sector);
  }
}

// Keeps the newest content of `sector` as something a crash may bring back; its content is about to change.
void DiskModel::PushVersion(Node& node, uint32_t sector) {
  Sector& state = node.sectors[sector];
  const bool fixed = state.undecided || state.marked_clean;
  if (state.undecided) {  // overwritten unread: what the last crash left open stays open beneath
    FixVersions(state.older, ~0ull);
    state.undecided = false;
    --node.undecided;
  }
  state.marked_clean = false;
  uint32_t count = 0;
  for (uint32_t v = state.older; v != kNoVersion; v = versions_[v].next) ++count;
  if (count >= kMaxOlder) return;  // one possible fate fewer; the oldest, durable one stays
  const uint8_t* bytes = state.sequence == 0 ? nullptr : &node.bytes[size_t{sector} * options_.sector_bytes];
  LinkVersion(node, sector, bytes, state.sequence, fixed);
}

void DiskModel::FreeVersions(uint32_t first) {
  while (first != kNoVersion) {
    const uint32_t next = versions_[first].next;
    versions_[first].next = free_versions_;
    free_versions_ = first;
    first = next;
  }
}

void DiskModel::FixVersions(uint32_t first, uint64_t sequence) {
  for (uint32_t v = first; v != kNoVersion; v = versions_[v].next) {
    if (versions_[v].sequence <= sequence) versions_[v].fixed = true;
  }
}

const uint8_t* DiskModel::Content(const Node& node, uint32_t sector, uint32_t version) const {
  if (version == kNewest) return &node.bytes[size_t{sector} * options_.sector_bytes];
  if (versions_[version].zero) return kZeros;
  return &version_bytes_[size_t{version} * options_.sector_bytes];
}

// Bytes [from, to) of `sector` become `bytes` (null: zeros), as part of the change `sequence_`.
void DiskModel::Overwrite(Node& node, uint32_t sector, uint32_t from, uint32_t to, const uint8_t* bytes) {
  const bool whole = from == 0 && to == options_.sector_bytes;
  if (!whole && node.sectors[sector].undecided) DecideSector(node, sector);  // read, modify, write
  PushVersion(node, sector);
  uint8_t* target = &node.bytes[size_t{sector} * options_.sector_bytes];
  if (bytes != nullptr)
    std::memcpy(target + from, bytes, to - from);
  else
    std::memset(target + from, 0, to - from);
  node.sectors[sector].sequence = sequence_;
}

// --- Fates ----------------------------------------------------------------------------------------------

// The distinct contents `sector` may have, newest first.
uint32_t DiskModel::Alternatives(const Node& node, uint32_t sector, uint32_t* versions) const {
  uint32_t count = 0;
  versions[count++] = kNewest;
  for (uint32_t v = node.sectors[sector].older; v != kNoVersion; v = versions_[v].next) {
    const uint8_t* content = Content(node, sector, v);
    bool known = false;
    for (uint32_t i = 0; i < count && !known; ++i) {
      known = std::memcmp(Content(node, sector, versions[i]), content, options_.sector_bytes) == 0;
    }
    if (!known) versions[count++] = v;
  }
  return count;
}

void DiskModel::NoteFate(uint64_t sequence, unsigned seen) {
  for (Fate& fate : fates_) {
    if (fate.sequence != sequence) continue;
    if (fate.seen != 3 && (fate.seen | seen) == 3) ++statistics_.torn_writes;
    fate.seen |= seen;
    return;
  }
  if (fates_.size() < kMaxFates) fates_.push_back({sequence, seen});
}

// A write is torn if some of its sectors are on the disk and in place of others there is something older.
void DiskModel::NoteFates(const Node& node, uint32_t sector, uint32_t chosen) {
  const Sector& state = node.sectors[sector];
  const uint64_t taken = chosen == kNewest ? state.sequence : versions_[chosen].sequence;
  NoteFate(taken, 1);
  if (state.sequence > taken) NoteFate(state.sequence, 2);
  for (uint32_t v = state.older; v != kNoVersion; v = versions_[v].next) {
    if (versions_[v].sequence > taken) NoteFate(versions_[v].sequence, 2);
  }
}

void DiskModel::DecideSector(Node& node, uint32_t sector) {
  uint32_t versions[kMaxOlder + 2];
  const uint32_t count = Alternatives(node, sector, versions);
  const bool may_mix = options_.tear_mix && count > 1;
  const uint32_t choice = choose_(ChoiceKind::kSectorFate, count + (may_mix ? 1 : 0));
  uint8_t* target = &node.bytes[size_t{sector} * options_.sector_bytes];
  if (choice == count) {
    const uint32_t head = choose_(ChoiceKind::kSectorFate, count);
    const uint32_t tail = (head + 1 + choose_(ChoiceKind::kSectorFate, count - 1)) % count;
    const uint32_t units = options_.sector_bytes / kMixUnit;
    const uint32_t cut = units < 2 ? 0 : (1 + choose_(ChoiceKind::kSectorFate, units - 1)) * kMixUnit;
    const uint8_t* first = Content(node, sector, versions[head]);
    const uint8_t* second = Content(node, sector, versions[tail]);
    if (first != target) std::memcpy(target, first, cut);
    if (second != target) std::memcpy(target + cut, second + cut, options_.sector_bytes - cut);
    ++statistics_.sectors_mixed;
  } else {
    NoteFates(node, sector, versions[choice]);
    if (choice != 0) {
      std::memcpy(target, Content(node, sector, versions[choice]), options_.sector_bytes);
      ++statistics_.sectors_old;
    } else if (count > 1) {
      ++statistics_.sectors_new;
    }
  }
  Sector& state = node.sectors[sector];
  FreeVersions(state.older);
  state.older = kNoVersion;
  state.undecided = false;
  if (state.sequence == 0) state.sequence = 1;  // it may hold what an unfinished write left: not zeros
  --node.undecided;
  const uint64_t begin = uint64_t{sector} * options_.sector_bytes;
  if (node.size < begin + options_.sector_bytes) {  // beyond the end there is nothing to be seen
    const uint64_t keep = node.size > begin ? node.size - begin : 0;
    std::memset(target + keep, 0, options_.sector_bytes - keep);
  }
}

// The file ends at `bytes` and nothing beyond it can come back: sectors there lose their versions.
void DiskModel::CutBeyond(Node& node, uint64_t bytes) {
  const uint32_t sector_bytes = options_.sector_bytes;
  const uint32_t first = static_cast<uint32_t>((bytes + sector_bytes - 1) / sector_bytes);
  for (uint32_t s = first; s < node.sectors.size(); ++s) {
    Sector& state = node.sectors[s];
    if (state.sequence == 0 && state.older == kNoVersion) continue;
    FreeVersions(state.older);
    if (state.undecided) --node.undecided;
    state.older = kNoVersion;
    state.undecided = state.marked_clean = false;
    state.sequence = 0;
    std::memset(&node.bytes[size_t{s} * sector_bytes], 0, sector_bytes);
  }
  if (bytes % sector_bytes == 0 || first == 0 || first > node.sectors.size()) return;
  const uint32_t last = first - 1;
  if (node.sectors[last].undecided)
    DecideSector(node, last);
  else
    std::memset(&node.bytes[bytes], 0, uint64_t{first} * sector_bytes - bytes);
}

void DiskModel::DecideSize(Node& node) {
  if (!node.size_undecided) return;
  uint64_t sizes[kMaxOlder + 2];
  uint32_t count = 0;
  sizes[count++] = node.size;
  for (size_t i = node.old_sizes.size(); i-- > 0 && count < kMaxOlder + 2;) {
    const uint64_t* end = sizes + count;
    if (std::find(static_cast<const uint64_t*>(sizes), end, node.old_sizes[i].bytes) == end) {
      sizes[count++] = node.old_sizes[i].bytes;
    }
  }
  const uint32_t choice = choose_(ChoiceKind::kSectorFate, count);
  if (count > 1) ++(choice == 0 ? statistics_.sizes_new : statistics_.sizes_old);
  node.size_undecided = false;
  node.old_sizes.clear();
  node.size = sizes[choice];
  CutBeyond(node, node.size);
}

// --- Changes --------------------------------------------------------------------------------------------

void DiskModel::SetSize(Node& node, uint64_t bytes) {
  if (bytes == node.size) return;
  if (node.old_sizes.size() >= kMaxOlder) node.old_sizes.pop_back();  // the durable one stays
  node.old_sizes.push_back({node.size_sequence, node.size, node.size_marked_clean});
  node.size_marked_clean = false;
  node.size = bytes;
  node.size_sequence = sequence_;
}

uint64_t DiskModel::Read(Inode file, uint64_t offset, void* buffer, uint64_t length) {
  Node& node = nodes_[file];
  DecideSize(node);
  if (offset >= node.size) return 0;
  length = std::min(length, node.size - offset);
  Grow(node, node.size);
  if (node.undecided > 0 && length > 0) {
    const uint32_t last = static_cast<uint32_t>((offset + length - 1) / options_.sector_bytes);
    for (uint32_t s = static_cast<uint32_t>(offset / options_.sector_bytes); s <= last; ++s) {
      if (node.sectors[s].undecided) DecideSector(node, s);
    }
  }
  std::memcpy(buffer, node.bytes.data() + offset, length);
  return length;
}

void DiskModel::Write(Inode file, uint64_t offset, const void* buffer, uint64_t length) {
  if (length == 0) return;
  Node& node = nodes_[file];
  DecideSize(node);
  ++sequence_;
  Grow(node, offset + length);
  const uint8_t* from = static_cast<const uint8_t*>(buffer);
  const uint32_t sector_bytes = options_.sector_bytes;
  for (uint64_t at = offset; at < offset + length;) {
    const uint32_t sector = static_cast<uint32_t>(at / sector_bytes);
    const uint32_t begin = static_cast<uint32_t>(at % sector_bytes);
    const uint32_t end =
        static_cast<uint32_t>(std::min<uint64_t>(sector_bytes, begin + (offset + length - at)));
    Overwrite(node, sector, begin, end, from);
    from += end - begin;
    at += end - begin;
  }
  if (offset + length > node.size) SetSize(node, offset + length);
  // Written again up to its end, a file needs its size again: the next good Sync covers it (contract,
  // storage.h).
  if (offset + length == node.size && node.size_marked_clean) {
    node.size_marked_clean = false;
    node.size_sequence = sequence_;
  }
}

uint64_t DiskModel::Size(Inode file) {
  DecideSize(nodes_[file]);
  return nodes_[file].size;
}

// A shorter file: the bytes cut off become zeros, as a write would make them (they must not come back when
// the file grows again), so that a crash may also show the longer file as it was.
void DiskModel::Truncate(Inode file, uint64_t bytes) {
  Node& node = nodes_[file];
  DecideSize(node);
  if (bytes == node.size) return;
  ++sequence_;
  const uint32_t sector_bytes = options_.sector_bytes;
  for (uint64_t at = bytes; at < node.size;) {
    const uint32_t begin = static_cast<uint32_t>(at % sector_bytes);
    const uint32_t sector = static_cast<uint32_t>(at / sector_bytes);
    if (sector >= node.sectors.size()) break;  // a hole
    const Sector& state = node.sectors[sector];
    if (state.sequence != 0 || state.older != kNoVersion) {
      Overwrite(node, sector, begin, sector_bytes, nullptr);
    }
    at += sector_bytes - begin;
  }
  SetSize(node, bytes);
}

void DiskModel::FlipBit(Inode file, uint64_t offset, unsigned bit) {
  Node& node = nodes_[file];
  if (offset >= node.bytes.size()) return;
  node.bytes[offset] ^= static_cast<uint8_t>(1u << (bit % 8));
  Sector& state = node.sectors[offset / options_.sector_bytes];
  if (state.sequence == 0) state.sequence = 1;
}

// --- Durability -----------------------------------------------------------------------------------------

void DiskModel::SweepDirty(Node& node) {
  size_t kept = 0;
  for (const uint32_t s : node.dirty) {
    if (node.sectors[s].older != kNoVersion)
      node.dirty[kept++] = s;
    else
      node.sectors[s].listed = false;
  }
  node.dirty.resize(kept);
}

void DiskModel::SyncSizes(Node& node, uint64_t sequence) {
  if (node.size_undecided) return;
  if (node.size_sequence <= sequence) {
    if (!node.size_marked_clean) node.old_sizes.clear();
    return;
  }
  for (size_t i = node.old_sizes.size(); i-- > 0;) {
    if (node.old_sizes[i].sequence > sequence) continue;
    if (!node.old_sizes[i].fixed) node.old_sizes.erase(node.old_sizes.begin(), node.old_sizes.begin() + i);
    return;
  }
}

void DiskModel::Sync(Inode file, uint64_t sequence) {
  Node& node = nodes_[file];
  for (const uint32_t s : node.dirty) {
    Sector& state = node.sectors[s];
    if (state.undecided) continue;  // the disk knows what it holds; we will when somebody looks
    if (state.sequence <= sequence) {
      if (state.marked_clean) continue;
      FreeVersions(state.older);
      state.older = kNoVersion;
      continue;
    }
    for (uint32_t v = state.older; v != kNoVersion; v = versions_[v].next) {
      if (versions_[v].sequence > sequence) continue;
      if (!versions_[v].fixed) {
        FreeVersions(versions_[v].next);
        versions_[v].next = kNoVersion;
      }
      break;
    }
  }
  SweepDirty(node);
  SyncSizes(node, sequence);
}

void DiskModel::FailSync(Inode file, uint64_t sequence, FailedSync how) {
  if (how == FailedSync::kStaysDirty) return;
  Node& node = nodes_[file];
  for (const uint32_t s : node.dirty) {
    Sector& state = node.sectors[s];
    if (state.undecided || state.older == kNoVersion) continue;
    FixVersions(state.older, sequence);
    if (state.sequence > sequence) continue;
    if (how == FailedSync::kMarkedClean) {
      state.marked_clean = true;
    } else {
      state.undecided = true;
      ++node.undecided;
    }
  }
  for (OldSize& old : node.old_sizes) {
    if (old.sequence <= sequence) old.fixed = true;
  }
  if (node.size_sequence <= sequence && !node.old_sizes.empty()) node.size_marked_clean = true;
}

// --- Crash ----------------------------------------------------------------------------------------------

void DiskModel::AddAlternatives(const InFlightWrite& write) {
  if (write.length == 0) return;
  Node& node = nodes_[write.file];
  ++sequence_;
  const uint64_t end = write.offset + write.length;
  Grow(node, end);
  const uint32_t sector_bytes = options_.sector_bytes;
  uint8_t content[sizeof kZeros];
  for (uint64_t at = write.offset; at < end;) {
    const uint32_t sector = static_cast<uint32_t>(at / sector_bytes);
    const uint32_t begin = static_cast<uint32_t>(at % sector_bytes);
    const uint32_t n = static_cast<uint32_t>(std::min<uint64_t>(sector_bytes - begin, end - at));
    Sector& state = node.sectors[sector];
    std::memcpy(content, Content(node, sector, kNewest), sector_bytes);
    std::memcpy(content + begin, write.bytes + (at - write.offset), n);
    uint32_t count = 0;
    for (uint32_t v = state.older; v != kNoVersion; v = versions_[v].next) ++count;
    if (count < kMaxOlder) LinkVersion(node, sector, content, sequence_, true);
    at += n;
  }
  if (end > node.size) node.old_sizes.push_back({sequence_, end, true});
}

void DiskModel::Crash(const InFlightWrite* writes, size_t count) {
  fates_.clear();
  for (size_t i = 0; i < count; ++i) AddAlternatives(writes[i]);
  for (size_t i = 0; i < nodes_used_; ++i) {
    Node& node = nodes_[i];
    if (!node.dirty.empty()) {
      SweepDirty(node);
      node.undecided = static_cast<uint32_t>(node.dirty.size());
      for (const uint32_t s : node.dirty) {
        node.sectors[s].undecided = true;
        node.sectors[s].marked_clean = false;
      }
    }
    node.size_undecided = !node.old_sizes.empty();
    node.size_marked_clean = false;
  }
  for (DirectoryOperation& operation : operations_) operation.undecided = true;
}

}  // namespace faults
