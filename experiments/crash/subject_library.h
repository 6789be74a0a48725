// SubjectLibrary: a subject loaded from a shared library. Loaded once per process and never unloaded, since
// fibers and observers may still refer to it. All symbols are bound at load time: no lazy binding inside a
// fiber.
#pragma once

#include <string>

#include "experiments/crash/subject.h"

namespace experiments {

// What a shared library exports as `symbol`, and where it came from.
struct LoadedSymbol {
  std::string path;  // absolute
  void* symbol = nullptr;
  uint64_t identity = 0;  // of the library's bytes: a tape belongs to one build
};
// False: *error is one line (no such file, not a shared library, does not export the symbol).
bool LoadSymbol(const std::string& path, const char* symbol, LoadedSymbol* loaded, std::string* error);

class SubjectLibrary {
 public:
  // As LoadSymbol, of cpr_subject_create.
  bool Load(const std::string& path, std::string* error);
  std::unique_ptr<Subject> Make(const SubjectConfig& config, faster::Storage* storage,
                                SubjectObserver* observer) const {
    return std::unique_ptr<Subject>(
        reinterpret_cast<SubjectCreate>(loaded_.symbol)(config, storage, observer));
  }
  const std::string& path() const { return loaded_.path; }
  uint64_t identity() const { return loaded_.identity; }

 private:
  LoadedSymbol loaded_;
};

// faster_subject.so beside this program, or below the same build folder.
std::string DefaultSubjectPath();

}  // namespace experiments
