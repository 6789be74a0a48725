#include "workloads/peers/peers.h"

namespace workloads::peers {

#ifdef CPR_HAVE_ROCKSDB
std::unique_ptr<ycsb::Engine> MakeRocksDb(uint32_t stored_bytes, const std::string& directory);
constexpr auto kRocksDb = &MakeRocksDb;
#else
constexpr std::unique_ptr<ycsb::Engine> (*kRocksDb)(uint32_t, const std::string&) = nullptr;
#endif
#ifdef CPR_HAVE_LEVELDB
std::unique_ptr<ycsb::Engine> MakeLevelDb(uint32_t stored_bytes, const std::string& directory);
constexpr auto kLevelDb = &MakeLevelDb;
#else
constexpr std::unique_ptr<ycsb::Engine> (*kLevelDb)(uint32_t, const std::string&) = nullptr;
#endif
#ifdef CPR_HAVE_TBB
std::unique_ptr<ycsb::Engine> MakeTbb(uint32_t stored_bytes, const std::string& directory);
constexpr auto kTbb = &MakeTbb;
#else
constexpr std::unique_ptr<ycsb::Engine> (*kTbb)(uint32_t, const std::string&) = nullptr;
#endif

std::unique_ptr<ycsb::Engine> MakeF2(uint32_t stored_bytes, const std::string&) {
  return ycsb::Engine::MakeF2(stored_bytes);
}

const std::vector<Peer>& Peers() {
  static const std::vector<Peer> peers = {
      {"rocksdb", "librocksdb-dev", "write-ahead log written, not synced (sync=false)", false, false,
       kRocksDb},
      {"leveldb", "libleveldb-dev", "log written, not synced (sync=false)", false, false, kLevelDb},
      {"tbb", "libtbb-dev", "none: in memory only", true, false, kTbb},
      {"f2", "", "checkpoints: everything up to a session's commit point, synced", false, true, &MakeF2}};
  return peers;
}

const Peer* FindPeer(const std::string& name) {
  for (const Peer& peer : Peers()) {
    if (peer.name == name) return &peer;
  }
  return nullptr;
}

}  // namespace workloads::peers
