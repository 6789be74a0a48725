// What every fuzz target shares. A target is one LLVMFuzzerTestOneInput that takes any bytes and returns 0;
// what must hold is required, and a require that fails ends the process, which libFuzzer reports and keeps
// the input of. Built by clang it is linked with libFuzzer; by any other compiler, or as a test, with
// standalone_main.cc, which runs the files of a corpus.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "faster/core/status.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace fuzz {

extern const int kTargetRow;  // target_row.cc

inline void Require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: violated: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// An error that a person has to act on says what was expected, and where.
inline void RequireNamed(const faster::Diagnosis& why, std::string_view file) {
  Require(!why.expected.empty(), "an error says what was expected");
  Require(why.file.find(file) != std::string::npos,
          "the error names " + std::string(file) + ": " + why.Text());
}

inline std::string Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace fuzz
