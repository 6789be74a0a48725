// The store of values of any other length, or of lengths that differ.
#include "workloads/ycsb/engine_of.h"

namespace workloads::ycsb {

std::unique_ptr<Engine> MakeEngineVariable(uint32_t bytes, std::shared_ptr<const ValueLengths> lengths) {
  return std::make_unique<EngineOf<VariableRecords>>(VariableRecords(bytes, std::move(lengths)));
}

}  // namespace workloads::ycsb
