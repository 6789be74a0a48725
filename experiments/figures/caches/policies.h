// Cache policies of FASTER (SIGMOD'18) figures 14 to 16, simulated: which accesses of a sequence find their
// record in a memory that holds `capacity` records, if that policy decides what leaves.
//
//   fifo    first in, first out
//   lru-1   the record whose last access is oldest leaves
//   lru-2   LRU-K with K = 2 (O'Neil et al., SIGMOD'93): the one whose last access but one is oldest; one
//   that
//           was accessed only once goes before all others, the least recently used of them first. What left
//           is remembered for `history` times capacity accesses after its last one (the retained information
//           period); there is no correlated reference period.
//   clock   second chance: a ring of frames with a bit each, set by a hit; the hand clears bits until it
//   finds
//           one that is clear. A record comes in with its bit clear.
//   hlog    HybridLog seen as a cache: memory is the last `capacity` records of the log. A record in the
//           mutable part is accessed where it lies; one in the read-only part, the older end, is copied to
//           the tail, and so is one from disk. So the memory holds up to two copies of a record (and more of
//           a hot one, were its mutable part empty), of which only the newest counts.
//
// Exact, deterministic, of no engine. Keys are 0 .. keys - 1; 1 <= capacity <= keys. One thread each.
// COST: O(1) an access; lru-1 and lru-2 O(log capacity) amortised.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace experiments::figures {

class Cache {
 public:
  virtual ~Cache() = default;
  // True if the record was in memory. In any case it is afterwards.
  virtual bool Access(uint32_t key) = 0;
};

struct CacheShape {
  uint32_t keys = 0;
  uint32_t capacity = 0;   // records
  double read_only = 0.1;  // hlog: share of the memory, 0 to 1
  double history = 1e9;    // lru-2: times the capacity, at least 0
};

// nullptr: no such policy.
std::unique_ptr<Cache> MakeCache(std::string_view policy, const CacheShape& shape);
const std::vector<std::string_view>& CachePolicies();

}  // namespace experiments::figures
