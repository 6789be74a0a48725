#include "workloads/key_file.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

namespace workloads {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

bool Complain(const std::string& path, const std::string& found, std::string* error) {
  *error = path + ": expected a file of keys of 8 bytes each, found " + found;
  return false;
}

bool LooksLikeText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  char begin[256];
  in.read(begin, sizeof begin);
  const std::string text(begin, static_cast<size_t>(in.gcount()));
  return text.find("usertable user") != std::string::npos ||
         (text.size() > 16 && std::all_of(text.begin(), text.end(), [](char c) {
            return c == '\n' || c == '\t' || c == '\r' || (c >= ' ' && c <= '~');
          }));
}

}  // namespace

bool CountKeys(const std::string& path, uint64_t* count, std::string* error) {
  std::error_code code;
  const std::filesystem::file_status status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) return Complain(path, "no such file", error);
  if (!std::filesystem::is_regular_file(status)) return Complain(path, "something that is no file", error);
  const uint64_t bytes = std::filesystem::file_size(path, code);
  if (code) return Complain(path, code.message(), error);
  if (bytes == 0) return Complain(path, "an empty file", error);
  if (LooksLikeText(path))
    return Complain(path, "text: make a key file of it with --convert-keys " + path + " --to FILE", error);
  if (bytes % 8 != 0)
    return Complain(path,
                    std::to_string(bytes) + " bytes, " + std::to_string(bytes % 8) +
                        " of them after the last whole key: it was cut off, or is something else",
                    error);
  *count = bytes / 8;
  return true;
}

bool ReadKeys(const std::string& path, uint64_t first, uint64_t count, std::vector<uint64_t>* keys,
              std::string* error) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return Complain(path, std::strerror(errno), error);
  keys->resize(count);
  if (fseeko(file.get(), static_cast<off_t>(first * 8), SEEK_SET) != 0)
    return Complain(path, std::strerror(errno), error);
  const size_t read = std::fread(keys->data(), 8, count, file.get());
  if (read == count) return true;
  if (std::ferror(file.get()) != 0) return Complain(path, std::strerror(errno), error);
  return Complain(path, std::to_string(first + read) + " of at least " + std::to_string(first + count),
                  error);
}

bool ConvertKeys(const std::string& from, const std::string& to, Conversion* done, std::string* error) {
  std::ifstream in(from);
  if (!in || std::filesystem::is_directory(from)) {
    *error = from + ": expected the output of YCSB's basic database, found nothing that can be read";
    return false;
  }
  const std::string unfinished = to + ".unfinished";
  std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
  const auto fail = [&](const std::string& what) {
    out.close();
    std::remove(unfinished.c_str());
    *error = what;
    return false;
  };
  if (!out) return fail(to + ": cannot be written: " + std::strerror(errno));
  constexpr std::string_view kPrefix = "usertable user";
  *done = {};
  uint64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const size_t at = line.find(kPrefix);
    if (at == std::string::npos) {
      ++done->other_lines;
      continue;
    }
    int64_t key = -1;
    const char* const digits = line.data() + at + kPrefix.size();
    const char* const end = line.data() + line.size();
    const auto parsed = std::from_chars(digits, end, key);
    if (parsed.ec != std::errc() || key < 0 ||
        (parsed.ptr != end && !std::isspace(static_cast<unsigned char>(*parsed.ptr))))
      return fail(from + ":" + std::to_string(number) +
                  ": expected a number of at most 2^63 - 1 after 'user', found '" +
                  std::string(digits, std::min<size_t>(static_cast<size_t>(end - digits), 40)) + "'");
    out.write(reinterpret_cast<const char*>(&key), sizeof key);
    ++done->keys;
  }
  if (done->keys == 0) return fail(from + ": expected lines with 'usertable user<number>', found none");
  out.close();
  std::error_code code;
  if (out) std::filesystem::rename(unfinished, to, code);
  if (!out || code) return fail(to + ": cannot be written: " + std::strerror(errno));
  return true;
}

}  // namespace workloads
