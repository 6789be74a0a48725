// Image: the files of a store's directory as values, and a Storage over them that copies a file when it is
// first changed. So one directory can be damaged and recovered thousands of times a second, each time from
// the same bytes.
//
// Images are plain values that share the bytes of their files. ImageStorage keeps storage.h's contract as a
// MemoryStorage does: nothing is ever lost, Sync does nothing. THREAD-SAFETY: as storage.h says, by one lock.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "faster/device/io_threads.h"
#include "faster/device/storage.h"

namespace damage {

using Bytes = std::shared_ptr<const std::string>;

// By path; null is a directory. The root is implied.
using Image = std::map<std::string, Bytes, std::less<>>;

// Everything in `storage`, which must list and read without an error.
Image TakeImage(faster::Storage& storage);
// The paths of files, in order.
std::vector<std::string> FilesOf(const Image& image);

class ImageStorage final : public faster::Storage {
 public:
  explicit ImageStorage(const Image& image);

  faster::Status Open(std::string_view path, faster::OpenMode mode,
                      std::unique_ptr<faster::File>* file) override;
  faster::Status CreateDirectory(std::string_view path) override;
  faster::Status Remove(std::string_view path) override;
  faster::Status Rename(std::string_view from, std::string_view to) override;
  faster::Status List(std::string_view directory, std::vector<std::string>* names) override;
  faster::Status SyncDirectory(std::string_view directory) override;
  faster::Status Lock(std::string_view directory, std::unique_ptr<faster::DirectoryLock>* lock) override;
  void Schedule(void (*job)(void* argument), void* argument) override;

  // What it holds now.
  Image Contents();
  // Nothing has been written, made or removed since it was made of `image`.
  bool Holds(const Image& image);

 private:
  friend class ImageFile;
  friend class ImageLock;
  struct Node {
    Bytes shared;
    std::string own;  // instead of `shared`, once written to
    const std::string& bytes() const { return shared != nullptr ? *shared : own; }
    std::string& Own();
  };
  using Nodes = std::map<std::string, std::shared_ptr<Node>, std::less<>>;

  bool IsDirectory(std::string_view path) const;
  faster::Status Parent(std::string_view path) const;

  std::mutex mutex_;  // guards the names and every file's bytes
  Nodes nodes_;       // null: a directory
  std::map<std::string, bool, std::less<>> locks_;
  faster::JobRunner jobs_;
};

}  // namespace damage
