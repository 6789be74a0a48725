// SubjectLibrary: a subject loaded from a shared library. Loaded once per process and never unloaded, since
// fibers and observers may still refer to it. All symbols are bound at load time: no lazy binding inside a
// fiber.
#pragma once

#include <string>

#include "experiments/crash/subject.h"

namespace experiments {

class SubjectLibrary {
 public:
  // False: *error is one line (no such file, not a shared library, does not export cpr_subject_create).
  bool Load(const std::string& path, std::string* error);
  std::unique_ptr<Subject> Make(const SubjectConfig& config, faster::Storage* storage,
                                SubjectObserver* observer) const {
    return std::unique_ptr<Subject>(create_(config, storage, observer));
  }
  const std::string& path() const { return path_; }
  uint64_t identity() const { return identity_; }  // of the library's bytes: a tape belongs to one build

 private:
  std::string path_;
  SubjectCreate create_ = nullptr;
  uint64_t identity_ = 0;
};

// faster_subject.so beside this program, or below the same build folder.
std::string DefaultSubjectPath();

}  // namespace experiments
