// Key files as FASTER's benchmark reads them: 8-byte integers in the machine's order, nothing else. Such a
// file is made of the lines that YCSB's "basic" database prints ("INSERT usertable user5575651532496486335 [
// ... ]", READ, UPDATE, ...): the number after "user", one after the other.
//
// Functions of files; errors are one line in *error, "FILE: expected ..., found ...".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace workloads {

// How many keys it has: at least one, and nothing over.
[[nodiscard]] bool CountKeys(const std::string& path, uint64_t* count, std::string* error);
// Keys first .. first + count - 1.
[[nodiscard]] bool ReadKeys(const std::string& path, uint64_t first, uint64_t count,
                            std::vector<uint64_t>* keys, std::string* error);

struct Conversion {
  uint64_t keys = 0;
  uint64_t other_lines = 0;  // without a key, such as YCSB's own messages
};
// Makes the key file `to` of the text `from`; `to` is there when all of it is.
[[nodiscard]] bool ConvertKeys(const std::string& from, const std::string& to, Conversion* done,
                               std::string* error);

}  // namespace workloads
