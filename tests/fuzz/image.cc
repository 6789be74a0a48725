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

ImageStorage::ImageStorage(const Image& image) {
  for (const auto& [path, bytes] : image) {
    if (bytes == nullptr) {
      if (CreateDirectory(path) != Status::kOk) std::abort();
      continue;
    }
    std::unique_ptr<File> file;
    if (Open(path, OpenMode::kTruncate, &file) != Status::kOk ||
        faster::WriteFully(*file, 0, bytes->data(), bytes->size()) != Status::kOk)
      std::abort();
  }
}

bool ImageStorage::Holds(const Image& image) {
  const Image now = Contents();
  return std::equal(now.begin(), now.end(), image.begin(), image.end(), [](const auto& a, const auto& b) {
    if (a.first != b.first || (a.second == nullptr) != (b.second == nullptr)) return false;
    return a.second == nullptr || *a.second == *b.second;
  });
}

}  // namespace damage
