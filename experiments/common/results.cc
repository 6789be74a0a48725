#include "experiments/common/results.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>

namespace experiments {

namespace fs = std::filesystem;

std::string ProjectRoot() {
  const char* root = std::getenv("CPR_ROOT");
  if (root != nullptr && *root != 0) return root;
  std::error_code code;
  const fs::path here = fs::current_path(code);
  return code ? "." : here.string();
}

std::string UtcTime() {
  const std::time_t now = std::time(nullptr);
  std::tm parts;
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

bool MakeFolder(const std::string& path, std::string* error) {
  std::error_code code;
  fs::create_directories(path, code);
  if (!code && fs::is_directory(path, code)) return true;
  *error = "cannot make folder " + path + ": " + (code ? code.message() : "a file is in the way");
  return false;
}

bool WriteWholeFile(const std::string& path, std::string_view contents, std::string* error) {
  const std::string aside = path + ".part";
  std::FILE* file = std::fopen(aside.c_str(), "wb");
  bool good = file != nullptr;
  good = good && std::fwrite(contents.data(), 1, contents.size(), file) == contents.size();
  const int write_error = errno;
  if (file != nullptr && std::fclose(file) != 0) good = false;
  if (good && std::rename(aside.c_str(), path.c_str()) == 0) return true;
  *error = "cannot write " + path + ": " + std::strerror(good || errno != 0 ? errno : write_error);
  std::remove(aside.c_str());
  return false;
}

bool ReadWholeFile(const std::string& path, std::string* contents, std::string* error) {
  contents->clear();
  std::error_code code;
  std::FILE* file = fs::is_directory(path, code) ? nullptr : std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    *error =
        "cannot read " + path + ": " + (fs::is_directory(path, code) ? "is a folder" : std::strerror(errno));
    return false;
  }
  char buffer[65536];
  size_t got;
  while ((got = std::fread(buffer, 1, sizeof buffer, file)) > 0) contents->append(buffer, got);
  const bool good = std::ferror(file) == 0;
  std::fclose(file);
  if (!good) *error = "cannot read " + path;
  return good;
}

bool ResultFolder::Create(const std::string& root, const std::string& name, const std::string& out,
                          std::string* error) {
  if (!out.empty()) {
    path_ = out;
    return MakeFolder(path_, error);
  }
  const std::string parent = root + "/store/" + name;
  if (!MakeFolder(parent, error)) return false;
  const std::string base = UtcTime();
  std::string leaf = base;
  std::error_code code;
  for (int again = 2; !fs::create_directory(parent + "/" + leaf, code); ++again) {  // false if it was there
    if (code || again > 1000) {
      *error = "cannot make folder " + parent + "/" + leaf + (code ? ": " + code.message() : "");
      return false;
    }
    leaf = base + "-" + std::to_string(again);
  }
  path_ = parent + "/" + leaf;
  const std::string link = parent + "/.latest-" + std::to_string(getpid());
  fs::remove(link, code);
  fs::create_directory_symlink(leaf, link, code);
  if (!code) fs::rename(link, parent + "/latest", code);
  if (code) *error = "cannot make link " + parent + "/latest: " + code.message();
  return !code;
}

bool ResultFolder::Write(std::string_view name, std::string_view contents, std::string* error) const {
  return WriteWholeFile(File(name), contents, error);
}

}  // namespace experiments
