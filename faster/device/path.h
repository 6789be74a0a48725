// Paths of a Storage: relative, '/' between parts, "" is the root. Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace faster {

// True for "" and for a/b/c without empty, "." or ".." parts and without NUL bytes: nothing that a storage
// accepts can name a file outside its root.
inline bool IsValidPath(std::string_view path) {
  if (path.empty()) return true;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t slash = path.find('/', begin);
    const size_t end = slash == std::string_view::npos ? path.size() : slash;
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == ".." || part.find('\0') != std::string_view::npos)
      return false;
    begin = end + 1;
  }
  return true;
}

inline std::string_view ParentPath(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

inline std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace faster
