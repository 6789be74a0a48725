#include "experiments/crash/subject_library.h"

#include <dlfcn.h>

#include <filesystem>

#include "experiments/common/results.h"
#include "faults/oracle/words.h"

namespace experiments {

bool LoadSymbol(const std::string& path, const char* symbol, LoadedSymbol* loaded, std::string* error) {
  std::string bytes;
  if (!ReadWholeFile(path, &bytes, error)) return false;
  loaded->identity = bytes.size();
  for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes.data() + i, 8);
    loaded->identity = faults::RmwWord(loaded->identity, word);
  }
  loaded->path = std::filesystem::absolute(path).string();
  void* library = dlopen(loaded->path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    *error = "cannot load subject " + path + ": " + dlerror();
    return false;
  }
  loaded->symbol = dlsym(library, symbol);
  if (loaded->symbol == nullptr) {
    *error = "cannot load subject " + path + ": it does not export " + symbol;
    return false;
  }
  return true;
}

bool SubjectLibrary::Load(const std::string& path, std::string* error) {
  return LoadSymbol(path, "cpr_subject_create", &loaded_, error);
}

std::string DefaultSubjectPath() {
  std::error_code code;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", code);
  return (program.parent_path() / "faster_subject.so").string();
}

}  // namespace experiments
