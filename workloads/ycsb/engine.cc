#include "workloads/ycsb/engine.h"

namespace workloads::ycsb {

std::unique_ptr<Engine> MakeEngine8();                      // engine_8.cc
std::unique_ptr<Engine> MakeEngine104();                    // engine_104.cc
std::unique_ptr<Engine> MakeEngine256();                    // engine_256.cc
std::unique_ptr<Engine> MakeEngineVariable(uint32_t bytes,  // engine_variable.cc
                                           std::shared_ptr<const ValueLengths> lengths);

std::unique_ptr<Engine> Engine::Make(uint32_t stored_bytes, std::shared_ptr<const ValueLengths> lengths) {
  if (lengths != nullptr) return MakeEngineVariable(stored_bytes, std::move(lengths));
  switch (stored_bytes) {
    case 8:
      return MakeEngine8();
    case 104:
      return MakeEngine104();
    case 256:
      return MakeEngine256();
    default:
      return MakeEngineVariable(stored_bytes, nullptr);
  }
}

}  // namespace workloads::ycsb
