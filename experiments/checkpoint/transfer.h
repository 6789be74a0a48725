// `./cpr checkpoint export` and `import`: a store's checkpoint as files of another engine, and back.
//
// Prints to stdout what was done (a line or two, or JSON), to stderr progress and one line if it failed.
#pragma once

#include <string>
#include <vector>

namespace experiments::checkpoint {

// `command` is "export" or "import"; `arguments` follow it. Returns the exit status: 0 done, 1 the source is
// damaged or the device failed, 2 wrong usage, or input that cannot be transferred.
int RunTransfer(const std::string& command, const std::vector<std::string>& arguments);

}  // namespace experiments::checkpoint
