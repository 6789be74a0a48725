// Self-test of the harness before a campaign: would it notice anything at all?
//
// The storage model must still lose, tear and reorder (faults/device/self_test.h), the scheduler must switch,
// crash and replay (faults/sched/self_test.h), and the judge must accept a history that is right and reject
// histories that each break one rule. A few milliseconds, no engine.
#pragma once

#include <string>

namespace experiments {

// False and one line in *why if a part of the harness would let every engine pass.
bool HarnessSelfTest(std::string* why);

}  // namespace experiments
