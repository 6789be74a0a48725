// The stores of variable length whose read-modify-writes are made in place always, or never.
#include "experiments/figures/log/engines.h"
#include "workloads/ycsb/engine_of.h"

namespace experiments::figures {
namespace {

using namespace workloads::ycsb;

template <bool kInPlace>
struct PlacedAdd : AddWordOfLength {
  bool InPlace(std::string_view, uint64_t) const { return kInPlace; }
};

template <bool kInPlace>
class PlacedRecords : public VariableRecords {
 public:
  using Kv = faster::FasterKv<faster::VarKey, faster::VarValue, PlacedAdd<kInPlace>>;
  using Functions = PlacedAdd<kInPlace>;
  using VariableRecords::VariableRecords;
  Functions functions() const { return Functions{VariableRecords::functions()}; }
};

}  // namespace

std::unique_ptr<Engine> MakeInPlace(uint32_t value_bytes) {
  return std::make_unique<EngineOf<PlacedRecords<true>>>(value_bytes);
}
std::unique_ptr<Engine> MakeAppendOnly(uint32_t value_bytes) {
  return std::make_unique<EngineOf<PlacedRecords<false>>>(value_bytes);
}

}  // namespace experiments::figures
