// What a broken engine (or recorder) would have made of a legal history.
#pragma once

#include <string>

#include "faults/oracle/history.h"
#include "tests/property/abstract_store.h"

namespace faults_test {

constexpr uint32_t kMutations = 23;

// Changes *history by mutation `which` at places chosen by the tape. Returns its name, "" if the history has
// nothing to apply it to. The result may still be legal.
std::string Mutate(uint32_t which, faults::History* history, Tape* tape);

}  // namespace faults_test
