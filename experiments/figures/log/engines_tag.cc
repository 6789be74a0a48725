// The stores whose hash function leaves only some bits of the tag different.
#include "experiments/figures/log/engines.h"
#include "workloads/ycsb/engine_of.h"

namespace experiments::figures {
namespace {

using namespace workloads::ycsb;

template <int kBits>
struct FewerTagBits : AddWord<8> {
  uint64_t Hash(uint64_t key) const { return AddWord<8>::Hash(key) & ~TagBitsLeftOut(kBits); }
};

template <int kBits>
struct TaggedRecords : FixedRecords<8> {
  using Kv = faster::FasterKv<uint64_t, Value<8>, FewerTagBits<kBits>>;
  using Functions = FewerTagBits<kBits>;
  using FixedRecords::FixedRecords;
  Functions functions() const { return {}; }
};

}  // namespace

std::unique_ptr<Engine> MakeTagged1() { return std::make_unique<EngineOf<TaggedRecords<1>>>(8); }
std::unique_ptr<Engine> MakeTagged4() { return std::make_unique<EngineOf<TaggedRecords<4>>>(8); }

}  // namespace experiments::figures
