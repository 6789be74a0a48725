// The directories of DiskModel: rules D4 and the parts of D6 to D8 that concern names.
#include <algorithm>
#include <cstring>

#include "faster/device/path.h"
#include "faults/device/disk_model.h"

namespace faults {

using faster::OpenMode;
using faster::Status;

DiskModel::Inode DiskModel::NewNode(bool directory) {
  if (nodes_used_ == nodes_.size()) nodes_.emplace_back();
  nodes_[nodes_used_].Clear(directory);
  return static_cast<Inode>(nodes_used_++);
}

uint32_t DiskModel::Intern(std::string_view name) {
  for (size_t i = 0; i < names_used_; ++i) {
    if (std::string_view(names_[i]) == name) return static_cast<uint32_t>(i);
  }
  if (names_used_ == names_.size()) names_.emplace_back();
  names_[names_used_].assign(name);
  return static_cast<uint32_t>(names_used_++);
}

// --- Operations that are not durable --------------------------------------------------------------------

bool DiskModel::Share(const DirectoryOperation& a, const DirectoryOperation& b) {
  for (int i = 0; i < a.count; ++i) {
    for (int j = 0; j < b.count; ++j) {
      if (a.changes[i].directory == b.changes[j].directory && a.changes[i].name == b.changes[j].name)
        return true;
    }
  }
  return false;
}

void DiskModel::AddOperation(const NameChange& first, const NameChange* second) {
  DirectoryOperation operation{++sequence_, {first, first}, 1, false, false};
  if (second != nullptr) operation.changes[operation.count++] = *second;
  operations_.push_back(operation);
}

// The operation is on the disk, and with it all earlier ones on the same names.
void DiskModel::Apply(size_t index) {
  if (operations_[index].done) return;
  for (size_t i = 0; i < index; ++i) {
    if (!operations_[i].done && Share(operations_[i], operations_[index])) Apply(i);
  }
  operations_[index].done = true;
  for (int c = 0; c < operations_[index].count; ++c) {
    const NameChange& change = operations_[index].changes[c];
    ModelVector<Entry>& entries = nodes_[change.directory].durable;
    const auto entry =
        std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.name == change.name; });
    if (change.inode == kNone) {
      if (entry != entries.end()) entries.erase(entry);
    } else if (entry != entries.end()) {
      entry->inode = change.inode;
    } else {
      entries.push_back({change.name, change.inode});
    }
  }
}

// The operation is lost, and with it all later ones on the same names.
void DiskModel::Drop(size_t index) {
  if (operations_[index].done) return;
  operations_[index].done = true;
  for (size_t i = index + 1; i < operations_.size(); ++i) {
    if (operations_[i].undecided && Share(operations_[index], operations_[i])) Drop(i);
  }
}

void DiskModel::Sweep() {
  operations_.erase(std::remove_if(operations_.begin(), operations_.end(),
                                   [](const DirectoryOperation& o) { return o.done; }),
                    operations_.end());
}

// After a crash: how many of the operations on this name survived. Every operation applied or dropped here
// takes along what the order on its other name demands, so earlier decisions are never contradicted.
void DiskModel::DecideName(Inode directory, uint32_t name) {
  const DirectoryOperation wanted{0, {{directory, name, kNone}, {directory, name, kNone}}, 1, false, false};
  uint32_t count = 0;
  for (const DirectoryOperation& operation : operations_) {
    if (operation.undecided && Share(wanted, operation)) ++count;
  }
  if (count == 0) return;
  const uint32_t lost = choose_(ChoiceKind::kSectorFate, count + 1);
  ++(lost == 0 ? statistics_.names_new : statistics_.names_old);
  uint32_t seen = 0;
  for (size_t i = 0; i < operations_.size(); ++i) {
    if (!operations_[i].undecided || !Share(wanted, operations_[i])) continue;
    if (seen++ < count - lost)
      Apply(i);
    else
      Drop(i);
  }
  Sweep();
}

void DiskModel::DecideDirectory(Inode directory) {
  for (;;) {
    const NameChange* open = nullptr;
    for (const DirectoryOperation& operation : operations_) {
      for (int c = 0; c < operation.count && open == nullptr; ++c) {
        if (operation.undecided && operation.changes[c].directory == directory) open = &operation.changes[c];
      }
    }
    if (open == nullptr) return;
    DecideName(directory, open->name);
  }
}

// --- Lookups --------------------------------------------------------------------------------------------

DiskModel::Inode DiskModel::DurableEntry(Inode directory, uint32_t name) const {
  for (const Entry& entry : nodes_[directory].durable) {
    if (entry.name == name) return entry.inode;
  }
  return kNone;
}

DiskModel::Inode DiskModel::Visible(Inode directory, uint32_t name) const {
  for (size_t i = operations_.size(); i-- > 0;) {
    for (int c = operations_[i].count; c-- > 0;) {
      const NameChange& change = operations_[i].changes[c];
      if (change.directory == directory && change.name == name) return change.inode;
    }
  }
  return DurableEntry(directory, name);
}

DiskModel::Inode DiskModel::Lookup(Inode directory, uint32_t name) {
  DecideName(directory, name);
  return Visible(directory, name);
}

void DiskModel::VisibleNames(Inode directory, ModelVector<uint32_t>* names) const {
  names->clear();
  const auto add = [&](uint32_t name) {
    if (std::find(names->begin(), names->end(), name) == names->end() && Visible(directory, name) != kNone) {
      names->push_back(name);
    }
  };
  for (const Entry& entry : nodes_[directory].durable) add(entry.name);
  for (const DirectoryOperation& operation : operations_) {
    for (int c = 0; c < operation.count; ++c) {
      if (operation.changes[c].directory == directory) add(operation.changes[c].name);
    }
  }
  std::sort(names->begin(), names->end(), [&](uint32_t a, uint32_t b) { return names_[a] < names_[b]; });
}

bool DiskModel::IsEmpty(Inode directory) {
  DecideDirectory(directory);
  ModelVector<uint32_t> names;
  VisibleNames(directory, &names);
  return names.empty();
}

Status DiskModel::FindDirectory(std::string_view path, Inode* directory) {
  if (!faster::IsValidPath(path)) return Status::kInvalidArgument;
  Inode at = 0;
  while (!path.empty()) {
    const size_t slash = path.find('/');
    at = Lookup(at, Intern(path.substr(0, slash)));
    if (at == kNone) return Status::kNotFound;
    if (!nodes_[at].directory) return Status::kInvalidArgument;
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  *directory = at;
  return Status::kOk;
}

Status DiskModel::FindParent(std::string_view path, Inode* directory, uint32_t* name) {
  if (path.empty() || !faster::IsValidPath(path)) return Status::kInvalidArgument;
  *name = Intern(faster::BaseName(path));
  return FindDirectory(faster::ParentPath(path), directory);
}

// --- Operations -----------------------------------------------------------------------------------------

Status DiskModel::Open(std::string_view path, OpenMode mode, Inode* file) {
  Inode directory;
  uint32_t name;
  const Status status = FindParent(path, &directory, &name);
  if (status != Status::kOk) return status;
  const Inode found = Lookup(directory, name);
  if (found != kNone) {
    if (nodes_[found].directory) return Status::kInvalidArgument;
    if (mode == OpenMode::kTruncate) Truncate(found, 0);
    *file = found;
    return Status::kOk;
  }
  if (mode == OpenMode::kRead || mode == OpenMode::kReadWrite) return Status::kNotFound;
  *file = NewNode(false);
  AddOperation({directory, name, *file}, nullptr);
  return Status::kOk;
}

Status DiskModel::CreateDirectory(std::string_view path) {
  if (path.empty()) return Status::kOk;
  Inode parent;
  uint32_t name;
  const Status status = FindParent(path, &parent, &name);
  if (status != Status::kOk) return status;
  const Inode found = Lookup(parent, name);
  if (found != kNone) return nodes_[found].directory ? Status::kOk : Status::kExists;
  AddOperation({parent, name, NewNode(true)}, nullptr);
  return Status::kOk;
}

Status DiskModel::Remove(std::string_view path) {
  Inode directory;
  uint32_t name;
  const Status status = FindParent(path, &directory, &name);
  if (status != Status::kOk) return status;
  const Inode found = Lookup(directory, name);
  if (found == kNone) return Status::kNotFound;
  if (nodes_[found].directory && !IsEmpty(found)) return Status::kExists;
  AddOperation({directory, name, kNone}, nullptr);
  return Status::kOk;
}

Status DiskModel::Rename(std::string_view from, std::string_view to) {
  Inode source_directory, target_directory;
  uint32_t source_name, target_name;
  Status status = FindParent(from, &source_directory, &source_name);
  if (status != Status::kOk) return status;
  if (to.empty() || !faster::IsValidPath(to)) return Status::kInvalidArgument;
  const Inode moved = Lookup(source_directory, source_name);
  if (moved == kNone) return Status::kNotFound;
  status = FindParent(to, &target_directory, &target_name);
  if (status != Status::kOk) return status;
  if (from == to) return Status::kOk;
  const bool directory = nodes_[moved].directory;
  if (directory && to.size() > from.size() && to.substr(0, from.size()) == from && to[from.size()] == '/') {
    return Status::kInvalidArgument;  // into itself
  }
  const Inode replaced = Lookup(target_directory, target_name);
  if (replaced != kNone) {
    if (directory != nodes_[replaced].directory) return Status::kInvalidArgument;
    if (directory && !IsEmpty(replaced)) return Status::kExists;
  }
  const NameChange arrives{target_directory, target_name, moved};
  AddOperation({source_directory, source_name, kNone}, &arrives);
  return Status::kOk;
}

Status DiskModel::List(std::string_view path, ModelVector<ModelString>* names) {
  names->clear();
  Inode directory;
  const Status status = FindDirectory(path, &directory);
  if (status != Status::kOk) return status;
  DecideDirectory(directory);
  ModelVector<uint32_t> found;
  VisibleNames(directory, &found);
  for (const uint32_t name : found) names->push_back(names_[name]);
  return Status::kOk;
}

Status DiskModel::SyncDirectory(std::string_view path, uint64_t sequence) {
  Inode directory;
  const Status status = FindDirectory(path, &directory);
  if (status != Status::kOk) return status;
  for (size_t i = 0; i < operations_.size(); ++i) {
    const DirectoryOperation& operation = operations_[i];
    bool touches = false;
    for (int c = 0; c < operation.count; ++c) touches |= operation.changes[c].directory == directory;
    if (touches && !operation.undecided && operation.sequence <= sequence) Apply(i);
  }
  Sweep();
  return Status::kOk;
}

// --- Reports --------------------------------------------------------------------------------------------

uint64_t DiskModel::UsedBytes(Inode directory) const {
  ModelVector<uint32_t> names;
  VisibleNames(directory, &names);
  uint64_t bytes = 0;
  for (const uint32_t name : names) {
    const Inode inode = Visible(directory, name);
    bytes += nodes_[inode].directory ? UsedBytes(inode) : nodes_[inode].size;
  }
  return bytes;
}

uint64_t DiskModel::UsedBytes() const { return UsedBytes(0); }

void DiskModel::DescribeNode(const Node& node, std::string* text) const {
  *text += std::to_string(node.size) + " bytes";
  if (node.size_undecided)
    *text += " (size undecided)";
  else if (!node.old_sizes.empty())
    *text += " (durable: " + std::to_string(node.old_sizes[0].bytes) + ")";
  std::string undecided, unsynced;
  for (uint32_t s = 0; s < node.sectors.size(); ++s) {
    if (node.sectors[s].older == kNoVersion) continue;
    std::string& list = node.sectors[s].undecided ? undecided : unsynced;
    list += list.empty() ? " " : ",";
    list += std::to_string(s);
  }
  if (!unsynced.empty()) *text += "; sectors not durable:" + unsynced;
  if (!undecided.empty()) *text += "; sectors undecided since a crash:" + undecided;
}

void DiskModel::DescribeTree(Inode directory, const std::string& path, std::string* text) const {
  ModelVector<uint32_t> names;
  VisibleNames(directory, &names);
  for (const uint32_t name : names) {
    const Inode inode = Visible(directory, name);
    const std::string full = path + std::string(names_[name].c_str());
    *text += full + (nodes_[inode].directory ? "/" : "  ");
    if (!nodes_[inode].directory) DescribeNode(nodes_[inode], text);
    *text += "\n";
    if (nodes_[inode].directory) DescribeTree(inode, full + "/", text);
  }
}

std::string DiskModel::Describe() const {
  std::string text;
  DescribeTree(0, "", &text);
  for (const DirectoryOperation& operation : operations_) {
    text += operation.undecided ? "undecided since a crash:" : "not durable:";
    for (int c = 0; c < operation.count; ++c) {
      const NameChange& change = operation.changes[c];
      text += change.inode == kNone ? " -" : " +";
      text += names_[change.name].c_str();
    }
    text += "\n";
  }
  return text;
}

}  // namespace faults
