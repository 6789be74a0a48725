// Intel TBB's concurrent_hash_map: a node and a lock per key, in memory.
#include <tbb/concurrent_hash_map.h>

#include "workloads/peers/peer_engine.h"

namespace workloads::peers {
namespace {

struct KeyCompare {
  static size_t hash(uint64_t key) { return static_cast<size_t>(ycsb::AddWord<8>{}.Hash(key)); }
  static bool equal(uint64_t a, uint64_t b) { return a == b; }
};

template <class V>
class TbbStore {
 public:
  bool Open(const std::string&, std::string*) { return true; }
  Status Get(uint64_t key, V* value) {
    typename Map::const_accessor at;
    if (!map_.find(at, key)) return Status::kNotFound;
    *value = at->second;
    return Status::kOk;
  }
  Status Put(uint64_t key, const V& value) {
    typename Map::accessor at;
    map_.insert(at, key);
    at->second = value;
    return Status::kOk;
  }
  Status Add(uint64_t key, uint64_t operand) {
    typename Map::accessor at;
    const bool fresh = map_.insert(at, key);
    at->second = V::Of(fresh ? operand : at->second.word[0] + operand);
    return Status::kOk;
  }

 private:
  using Map = tbb::concurrent_hash_map<uint64_t, V, KeyCompare>;
  Map map_;
};

}  // namespace

std::unique_ptr<ycsb::Engine> MakeTbb(uint32_t stored_bytes, const std::string& directory) {
  return MakePeer<TbbStore>(stored_bytes, directory);
}

}  // namespace workloads::peers
