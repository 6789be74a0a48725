// ResultFolder: where a program leaves its results. `store/<name>/<UTC time>/` with a link `latest` beside
// it, or exactly the folder the user named. Files appear whole or not at all (written aside, then renamed).
// Errors come back as one line. Used by one thread.
#pragma once

#include <string>
#include <string_view>

namespace experiments {

class ResultFolder {
 public:
  // `out` empty: a new folder below `root`/store/`name`. A folder that exists already is used as it is.
  bool Create(const std::string& root, const std::string& name, const std::string& out, std::string* error);
  const std::string& path() const { return path_; }
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }
  bool Write(std::string_view name, std::string_view contents, std::string* error) const;

 private:
  std::string path_;
};

bool WriteWholeFile(const std::string& path, std::string_view contents, std::string* error);
bool ReadWholeFile(const std::string& path, std::string* contents, std::string* error);
bool MakeFolder(const std::string& path, std::string* error);  // with its parents

// The root of the source tree if ./cpr told us (CPR_ROOT), else the working directory.
std::string ProjectRoot();
std::string UtcTime();  // 20260101T120000Z

}  // namespace experiments
