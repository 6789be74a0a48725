// Engines: the stores that figure-log compares, all of one engine.
//
//   hybrid       as everybody has it: values of a fixed size, or of any
//   in-place,    records of variable length, whose updates say whether a value may be changed where it lies:
//   append-only  always, or never. So in the latter every read-modify-write appends a record to the log, hot
//                or not, as in an append-only log (FASTER sec. 4); nothing else differs.
//   tag-1, -4    hybrid, 8-byte values, with a hash function that leaves only so many of the index entry's 14
//                tag bits different: keys of one bucket that agree in them share a chain.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "workloads/ycsb/engine.h"

namespace experiments::figures {

const std::vector<std::string>& LogEngines();
// "" or one line: what the engine cannot do.
std::string CheckLogEngine(const std::string& name, uint64_t value_bytes, bool upserts);
// Of a name and size that pass.
std::unique_ptr<workloads::ycsb::Engine> MakeLogEngine(const std::string& name, uint32_t value_bytes);

constexpr int kTagBits = 14;
// The bits of a hash that an engine with fewer tag bits does not have (faster/index/hash_table.h: KeyHash).
constexpr uint64_t TagBitsLeftOut(int bits) { return ((uint64_t{1} << (kTagBits - bits)) - 1) << 50; }

}  // namespace experiments::figures
