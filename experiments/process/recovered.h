// What the process that recovers a killed store tells its parent, as one line of JSON through a pipe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/process/killed_store.h"
#include "faster/cpr/recovery.h"

namespace experiments::process {

struct KilledStore::Recovered {
  faster::Status status = faster::Status::kIoError;
  std::string why;
  faster::RecoveryResult result;  // token, version, undone and sessions only
  uint64_t keys = 0;
  uint64_t mismatches = 0;
  std::vector<std::string> witnesses;

  bool Send(int fd) const;
  bool Parse(const std::string& text);  // false if it is not all there
};

}  // namespace experiments::process
