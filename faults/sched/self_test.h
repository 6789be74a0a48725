// SchedulerSelfTest: does the scheduler still switch, crash, judge and replay? A campaign asks before it
// starts: a scheduler that never pre-empts, or one whose choices are always 0, would let every engine pass.
//
// Runs small racy bodies on fibers of the host (explicit points, no subject): every member of the default
// portfolio must find a lost update, choices must take every value, a crash must stop an execution where it
// was asked for, a wait for nothing must be a deadlock, and a tape must bring its execution back. A few
// milliseconds; makes a scheduler of its own, so call it outside fibers and before a fork.
#pragma once

#include <string>

namespace faults {

// False and one line in *why if the scheduler does not do one of these.
bool SchedulerSelfTest(std::string* why);

}  // namespace faults
