// Environment: the machine and the build that a measurement is of, and what a figure needs of the machine.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "experiments/figures/definition.h"

namespace experiments::figures {

// Processor, cores that this process may use, memory, kernel, file system of `folder` (which exists),
// compiler, flags, commit, load before the run, time.
nlohmann::ordered_json EnvironmentJson(const std::string& folder);

uint64_t UsableCores();

// "" or one line: too little memory or disk for a figure in `folder`, with what is needed.
std::string Lacking(const Definition& definition, bool quick, const std::string& folder);

}  // namespace experiments::figures
