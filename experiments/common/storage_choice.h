// StorageChoice: which storage a program works on, as said by the flags --storage, --direct, --read-limit,
// --write-limit and --no-sync. Used once at start-up by one thread. Native worlds only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "experiments/common/cli.h"
#include "faster/device/storage.h"

namespace experiments {

struct StorageChoice {
  std::string name = "posix";  // or "uring"
  bool direct = false;         // uring past the page cache
  uint64_t read_limit = 0;     // MB (10^6 bytes) per second; 0: none
  uint64_t write_limit = 0;
  bool no_sync = false;  // faster/device/unsynced_storage.h

  bool limited() const { return read_limit != 0 || write_limit != 0; }
};

void AddStorageFlags(CommandLine* line, StorageChoice* choice);

// "" or one line: flags that contradict each other, no io_uring on this machine, no O_DIRECT in `folder`
// (which has to exist). What was asked for is in force or refused: a measurement must not be of something
// else.
std::string CheckFlags(const StorageChoice& choice);
std::string CheckStorage(const StorageChoice& choice, const std::string& folder);

// The storage of `root`. What this machine does not allow falls back silently: see CheckStorage.
std::unique_ptr<faster::Storage> MakeStorage(const StorageChoice& choice, const std::string& root);
// The limits and no_sync alone, in front of a storage that outlives the result; null without them.
std::unique_ptr<faster::Storage> MakeLimits(const StorageChoice& choice, faster::Storage* below);

std::string StorageText(const StorageChoice& choice);                // for a person
std::vector<std::string> StorageFlags(const StorageChoice& choice);  // the flags that say it

}  // namespace experiments
