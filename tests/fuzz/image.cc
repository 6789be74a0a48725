#include "tests/fuzz/image.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "faster/cpr/formats.h"
#include "faster/device/path.h"

namespace damage {

using faster::File;
using faster::OpenMode;
using faster::Status;

namespace {

std::string Prefix(std::string_view directory) {
  return directory.empty() ? std::string() : std::string(directory) + "/";
}

void Take(faster::Storage& storage, const std::string& directory, Image* image) {
  std::vector<std::string> names;
  if (storage.List(directory, &names) != Status::kOk) std::abort();
  for (const std::string& name : names) {
    const std::string path = Prefix(directory) + name;
    std::unique_ptr<File> file;
    uint64_t bytes = 0;
    if (storage.Open(path, OpenMode::kRead, &file) != Status::kOk) {
      image->emplace(path, nullptr);
      Take(storage, path, image);
      continue;
    }
    if (file->Size(&bytes) != Status::kOk) std::abort();
    std::string contents(bytes, '\0');
    if (faster::ReadAll(*file, 0, contents.data(), bytes) != Status::kOk) std::abort();
    image->emplace(path, std::make_shared<const std::string>(std::move(contents)));
  }
}

}  // namespace

Image TakeImage(faster::Storage& storage) {
  Image image;
  Take(storage, "", &image);
  return image;
}

std::vector<std::string> FilesOf(const Image& image) {
  std::vector<std::string> files;
  for (const auto& [path, bytes] : image) {
    if (bytes != nullptr) files.push_back(path);
  }
  return files;
}

class ImageFile final : public File {
 public:
  ImageFile(ImageStorage* storage, std::shared_ptr<ImageStorage::Node> node, bool writable)
      : storage_(storage), node_(std::move(node)), writable_(writable) {}

  void ReadAsync(uint64_t offset, void* buffer, uint64_t length, faster::IoCallback done,
                 void* context) override {
    uint64_t bytes = 0;
    const Status status = Read(offset, buffer, length, &bytes);
    done(context, status, bytes);
  }
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, faster::IoCallback done,
                  void* context) override {
    uint64_t bytes = 0;
    const Status status = Write(offset, buffer, length, &bytes);
    done(context, status, bytes);
  }
  Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
    std::lock_guard lock(storage_->mutex_);
    const std::string& all = node_->bytes();
    *bytes = offset >= all.size() ? 0 : std::min<uint64_t>(length, all.size() - offset);
    if (*bytes != 0) std::memcpy(buffer, all.data() + offset, *bytes);
    return Status::kOk;
  }
  Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override {
    *bytes = 0;
    if (!writable_) return Status::kInvalidArgument;
    constexpr uint64_t kMost = uint64_t{64} << 20;
    if (offset > kMost || length > kMost - offset) return Status::kNoSpace;
    std::lock_guard lock(storage_->mutex_);
    std::string& all = node_->Own();
    if (all.size() < offset + length) all.resize(offset + length);
    if (length != 0) std::memcpy(all.data() + offset, buffer, length);
    *bytes = length;
    return Status::kOk;
  }
  Status Sync() override { return Status::kOk; }
  Status Size(uint64_t* bytes) override {
    std::lock_guard lock(storage_->mutex_);
    *bytes = node_->bytes().size();
    return Status::kOk;
  }
  Status Truncate(uint64_t bytes) override {
    if (!writable_) return Status::kInvalidArgument;
    std::lock_guard lock(storage_->mutex_);
    node_->Own().resize(bytes);
    return Status::kOk;
  }

 private:
  ImageStorage* const storage_;
  const std::shared_ptr<ImageStorage::Node> node_;
  const bool writable_;
};

class ImageLock final : public faster::DirectoryLock {
 public:
  ImageLock(ImageStorage* storage, std::string directory)
      : storage_(storage), directory_(std::move(directory)) {}
  ~ImageLock() override {
    std::lock_guard lock(storage_->mutex_);
    storage_->locks_.erase(directory_);
  }

 private:
  ImageStorage* const storage_;
  const std::string directory_;
};

std::string& ImageStorage::Node::Own() {
  if (shared != nullptr) {
    own = *shared;
    shared = nullptr;
  }
  return own;
}

ImageStorage::ImageStorage(const Image& image) {
  for (const auto& [path, bytes] : image)
    nodes_.emplace_hint(nodes_.end(), path,
                        bytes == nullptr ? nullptr : std::make_shared<Node>(Node{bytes, {}}));
}

Image ImageStorage::Contents() {
  std::lock_guard lock(mutex_);
  Image image;
  for (const auto& [path, node] : nodes_)
    image.emplace(path, node == nullptr ? nullptr : std::make_shared<const std::string>(node->bytes()));
  return image;
}

bool ImageStorage::Holds(const Image& image) {
  std::lock_guard lock(mutex_);
  return nodes_.size() == image.size() &&
         std::equal(nodes_.begin(), nodes_.end(), image.begin(), [](const auto& now, const auto& before) {
           if (now.first != before.first || (now.second == nullptr) != (before.second == nullptr))
             return false;
           return now.second == nullptr || now.second->shared == before.second;
         });
}

bool ImageStorage::IsDirectory(std::string_view path) const {
  if (path.empty()) return true;
  const auto found = nodes_.find(path);
  return found != nodes_.end() && found->second == nullptr;
}

// Like a real one: below a file there is nothing, and asking for it is a mistake.
Status ImageStorage::Parent(std::string_view path) const {
  const std::string_view parent = faster::ParentPath(path);
  if (IsDirectory(parent)) return Status::kOk;
  return nodes_.find(parent) == nodes_.end() ? Status::kNotFound : Status::kInvalidArgument;
}

Status ImageStorage::Open(std::string_view path, OpenMode mode, std::unique_ptr<File>* file) {
  std::lock_guard lock(mutex_);
  if (const Status status = Parent(path); status != Status::kOk) return status;
  auto found = nodes_.find(path);
  if (found == nodes_.end()) {
    if (mode != OpenMode::kCreate && mode != OpenMode::kTruncate) return Status::kNotFound;
    found = nodes_.emplace(std::string(path), std::make_shared<Node>()).first;
  }
  if (found->second == nullptr) return Status::kInvalidArgument;
  if (mode == OpenMode::kTruncate) *found->second = Node{};
  *file = std::make_unique<ImageFile>(this, found->second, mode != OpenMode::kRead);
  return Status::kOk;
}

Status ImageStorage::CreateDirectory(std::string_view path) {
  std::lock_guard lock(mutex_);
  if (IsDirectory(path)) return Status::kOk;
  if (const Status status = Parent(path); status != Status::kOk) return status;
  return nodes_.try_emplace(std::string(path), nullptr).second ? Status::kOk : Status::kExists;
}

Status ImageStorage::Remove(std::string_view path) {
  std::lock_guard lock(mutex_);
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return Status::kNotFound;
  const auto next = std::next(found);
  if (found->second == nullptr && next != nodes_.end() && next->first.starts_with(Prefix(path)))
    return Status::kExists;
  nodes_.erase(found);
  return Status::kOk;
}

// Of files: the engine renames nothing else.
Status ImageStorage::Rename(std::string_view from, std::string_view to) {
  std::lock_guard lock(mutex_);
  const auto source = nodes_.find(from);
  if (source == nodes_.end()) return Status::kNotFound;
  if (source->second == nullptr || IsDirectory(to)) return Status::kInvalidArgument;
  if (const Status status = Parent(to); status != Status::kOk) return status;
  const std::shared_ptr<Node> node = source->second;
  nodes_.erase(source);
  nodes_[std::string(to)] = node;
  return Status::kOk;
}

Status ImageStorage::List(std::string_view directory, std::vector<std::string>* names) {
  std::lock_guard lock(mutex_);
  names->clear();
  if (!IsDirectory(directory)) return Status::kNotFound;
  const std::string prefix = Prefix(directory);
  for (auto node = nodes_.lower_bound(prefix); node != nodes_.end() && node->first.starts_with(prefix);
       ++node) {
    if (node->first.find('/', prefix.size()) == std::string::npos)
      names->push_back(node->first.substr(prefix.size()));
  }
  return Status::kOk;
}

Status ImageStorage::SyncDirectory(std::string_view directory) {
  std::lock_guard lock(mutex_);
  return IsDirectory(directory) ? Status::kOk : Status::kNotFound;
}

Status ImageStorage::Lock(std::string_view directory, std::unique_ptr<faster::DirectoryLock>* lock) {
  std::lock_guard guard(mutex_);
  if (!locks_.try_emplace(std::string(directory), true).second) return Status::kBusy;
  *lock = std::make_unique<ImageLock>(this, std::string(directory));
  return Status::kOk;
}

void ImageStorage::Schedule(void (*job)(void* argument), void* argument) { jobs_.Schedule(job, argument); }

}  // namespace damage
