#include "experiments/crash/subject_library.h"

#include <dlfcn.h>

#include <filesystem>

#include "experiments/common/results.h"
#include "faults/oracle/words.h"

namespace experiments {

bool SubjectLibrary::Load(const std::string& path, std::string* error) {
  std::string bytes;
  if (!ReadWholeFile(path, &bytes, error)) return false;
  identity_ = bytes.size();
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes.data() + i, 8);
    identity_ = faults::RmwWord(identity_, word);
  }
  const std::filesystem::path absolute = std::filesystem::absolute(path);
  void* library = dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    *error = "cannot load subject " + path + ": " + dlerror();
    return false;
  }
  create_ = reinterpret_cast<SubjectCreate>(dlsym(library, "cpr_subject_create"));
  if (create_ == nullptr) {
    *error = "cannot load subject " + path + ": it does not export cpr_subject_create";
    return false;
  }
  path_ = absolute.string();
  return true;
}

std::string DefaultSubjectPath() {
  std::error_code code;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", code);
  return (program.parent_path() / "faster_subject.so").string();
}

}  // namespace experiments
