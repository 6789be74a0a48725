#include "experiments/figures/log/engines.h"

namespace experiments::figures {

using workloads::ycsb::Engine;

std::unique_ptr<Engine> MakeTagged1();                         // engines_tag.cc
std::unique_ptr<Engine> MakeTagged4();                         // the same
std::unique_ptr<Engine> MakeInPlace(uint32_t value_bytes);     // engines_variable.cc
std::unique_ptr<Engine> MakeAppendOnly(uint32_t value_bytes);  // the same

const std::vector<std::string>& LogEngines() {
  static const std::vector<std::string> names = {"hybrid", "in-place", "append-only", "tag-1", "tag-4"};
  return names;
}

std::string CheckLogEngine(const std::string& name, uint64_t value_bytes, bool upserts) {
  const bool tagged = name.starts_with("tag-");
  if (tagged && value_bytes != 8) return "value_bytes: expected 8 for " + name;
  if (name == "hybrid" && value_bytes != 8 && value_bytes != 104 && value_bytes != 256)
    return "value_bytes: expected 8, 104 or 256 for hybrid";
  if (name == "append-only" && upserts)
    return "updates: expected rmw for append-only (a blind update of the same length is made in place)";
  return "";
}

std::unique_ptr<Engine> MakeLogEngine(const std::string& name, uint32_t value_bytes) {
  if (name == "tag-1") return MakeTagged1();
  if (name == "tag-4") return MakeTagged4();
  if (name == "in-place") return MakeInPlace(value_bytes);
  if (name == "append-only") return MakeAppendOnly(value_bytes);
  return Engine::Make(value_bytes);
}

}  // namespace experiments::figures
