// DeviceSelfTest: does the storage model still do everything it claims? A campaign asks before it starts: a
// device that never tears, loses or reorders would let every engine pass (DESIGN.md 8).
//
// Enumerates all fates of a few small scenarios on the real DiskModel and compares the set of outcomes with
// the one the rules of disk_model.h demand, no more and no less. About a millisecond. Thread-safe.
#pragma once

#include <string>

namespace faults {

// False and one line in *why if the model's outcomes are not those of the rules.
bool DeviceSelfTest(std::string* why);

}  // namespace faults
