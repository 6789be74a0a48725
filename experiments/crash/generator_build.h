// The inside of the generator: what a family draws before sessions, checkpoints and crashes follow from it.
//
// A family is a function that changes the knobs and the geometry of one scenario. Not thread-safe; a Build
// lives for one call of Generate(). Invariant: the shares of FamilyForms() add up to 100.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "experiments/common/dice.h"
#include "experiments/crash/generator.h"

namespace experiments {

// What a family draws; the rest follows from these.
struct Knobs {
  uint32_t sessions = 3;
  uint32_t operations = 8;  // per session
  uint32_t keys = 8;
  uint32_t checkpoints = 1;                   // in incarnation 0
  uint32_t incarnations = 2;                  // the last one comes to rest
  uint32_t weights[5] = {24, 24, 38, 10, 4};  // read, upsert, rmw, delete, insert
  uint32_t keeper = 0;                        // percent per incarnation: an actor that compacts and the like
  uint32_t truncate = 0;                      // percent per operation
  uint32_t refresh = 3, complete = 5, pause = 6;  // percent per operation
  uint32_t close = 0, open = 0, await_phase = 0;  // percent per operation
  uint32_t leaves_open = 10;                      // percent per session
  uint32_t batch = 15;                            // percent of sessions that batch their operations
  uint32_t more_operations = 2;                   // per session after a recovery
  uint32_t checkpoint_again = 0;                  // percent per later incarnation
  uint32_t crash_in_recovery = 0;                 // percent per recovery, again and again
  uint32_t named = 0;                             // percent per recovery
  bool index_first = false;                       // an index checkpoint before the one under test
  uint32_t idle_checkpoints = 0;                  // before the work of incarnation 0 begins
  uint32_t checkpoints_later = 1;                 // in an incarnation that has any
  uint32_t back = 3;                              // a named recovery goes back fewer than so many checkpoints
  uint32_t other_memory = 15;                     // percent per recovery
  bool fill = true;                               // the preloaded records have left memory
  bool same_time = false;                         // requests while another one runs
  uint32_t steps = 2600;                          // about as many as incarnation 0 takes
};

struct Build {
  const Variation& variation;
  Dice dice;
  Scenario scenario;
  Knobs knobs;
  std::vector<int> kinds;
};

struct FamilyForm {
  Family family;
  uint32_t share;  // of the mixture, percent
  void (*draw)(Build&);
};

std::span<const FamilyForm> FamilyForms();  // the first is the default

}  // namespace experiments
