// The store of 104-byte values.
#include "workloads/ycsb/engine_of.h"

namespace workloads::ycsb {

std::unique_ptr<Engine> MakeEngine104() { return std::make_unique<EngineOf<FixedRecords<104>>>(104); }

}  // namespace workloads::ycsb
