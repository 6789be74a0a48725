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

#include "faster/device/memory_storage.h"

namespace damage {

using Bytes = std::shared_ptr<const std::string>;

// By path; null is a directory. The root is implied.
using Image = std::map<std::string, Bytes, std::less<>>;

// Everything in `storage`, which must list and read without an error.
Image TakeImage(faster::Storage& storage);
// The paths of files, in order.
std::vector<std::string> FilesOf(const Image& image);

class ImageStorage final : public faster::MemoryStorage {
 public:
  explicit ImageStorage(const Image& image);
  // What it holds now.
  Image Contents() { return TakeImage(*this); }
  bool Holds(const Image& image);
};

}  // namespace damage
