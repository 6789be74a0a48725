// A tape of recorded choices: what is loaded is saved the same again. The second half: bytes that say what
// they like behind a good checksum.
#include <unistd.h>

#include <cstring>

#include "faults/sched/tape.h"
#include "tests/fuzz/target.h"

namespace {

// Loaded and saved again, or refused by name.
void Take(const std::string& path) {
  faults::Tape tape, again;
  std::string error;
  if (!faults::LoadTape(path, &tape, &error))
    return fuzz::Require(error.find(path) != std::string::npos, "an error names the file");
  fuzz::Require(faults::SaveTape(path, tape, &error) && faults::LoadTape(path, &again, &error),
                "what was saved is loaded: " + error);
  fuzz::Require(again.entries.size() == tape.entries.size(), "with all its entries");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const char* const folder = std::getenv("TMPDIR");
  static const std::string path =
      std::string(folder != nullptr ? folder : "/tmp") + "/tape." + std::to_string(getpid());
  FILE* const file = std::fopen(path.c_str(), "wb");
  fuzz::Require(
      file != nullptr && (size == 0 || std::fwrite(data, 1, size, file) == size) && std::fclose(file) == 0,
      "room for a temporary file");
  Take(path);
  if (size >= sizeof(faults::TapeHeader)) {
    faults::Tape tape;
    std::memcpy(&tape.header, data, sizeof tape.header);
    tape.entries.resize((size - sizeof tape.header) / sizeof(faults::TapeEntry));
    if (!tape.entries.empty())
      std::memcpy(tape.entries.data(), data + sizeof tape.header,
                  tape.entries.size() * sizeof(faults::TapeEntry));
    std::string error;
    fuzz::Require(faults::SaveTape(path, tape, &error), "a tape can be saved: " + error);
    Take(path);
  }
  std::remove(path.c_str());
  return 0;
}
