// --crash-after: the workload in a child process at full speed, killed, recovered, and every key verified.
#pragma once

#include <atomic>

#include "experiments/ycsb/options.h"

namespace experiments::ycsb {

// Exit status: 0, 1 a property fails, 2 wrong machine, 3 the harness failed, 130 interrupted.
int RunAndKill(const Options& options, const std::atomic<bool>* interrupted);

}  // namespace experiments::ycsb
