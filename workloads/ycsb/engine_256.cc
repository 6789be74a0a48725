// The store of 256-byte values.
#include "workloads/ycsb/engine_of.h"

namespace workloads::ycsb {

std::unique_ptr<Engine> MakeEngine256() { return std::make_unique<EngineOf<FixedRecords<256>>>(256); }

}  // namespace workloads::ycsb
