// The store of values of any other length.
#include "workloads/ycsb/engine_of.h"

namespace workloads::ycsb {

std::unique_ptr<Engine> MakeEngineVariable(uint32_t bytes) {
  return std::make_unique<EngineOf<VariableRecords>>(bytes);
}

}  // namespace workloads::ycsb
