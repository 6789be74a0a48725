// Peers: other stores behind the driver's Engine, for comparison on the same operations.
//
// They have no sessions that survive, no checkpoints of ours and no log: those members of Engine answer
// kInvalidArgument or nothing; all but f2, our own hot and cold store, which has them. A store is built in
// when its library was found; the rest of the program does not need any of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "workloads/ycsb/engine.h"

namespace workloads::peers {

struct Peer {
  std::string name;        // as in -db
  std::string package;     // that brings the library
  std::string durability;  // what an operation that has returned promises, as it is run here
  bool in_memory = false;
  bool ours = false;  // sessions, batches and checkpoints as -db faster
  // Null: not built in. stored_bytes: 8, 104 or 256; `directory` exists.
  std::unique_ptr<ycsb::Engine> (*make)(uint32_t stored_bytes, const std::string& directory) = nullptr;
};

const std::vector<Peer>& Peers();
const Peer* FindPeer(const std::string& name);

}  // namespace workloads::peers
