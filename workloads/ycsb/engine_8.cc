// The store of 8-byte values.
#include "workloads/ycsb/engine_of.h"

namespace workloads::ycsb {

std::unique_ptr<Engine> MakeEngine8() { return std::make_unique<EngineOf<FixedRecords<8>>>(8); }

}  // namespace workloads::ycsb
