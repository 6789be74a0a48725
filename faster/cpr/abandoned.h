// `abandoned`: the checkpoints that a recovery to an older one has left behind.
//
// A recovery to a named checkpoint goes on from there and will write its log over what newer checkpoints rely
// on. Before it does, it makes the list of those durable, in one atomic step; from then on they count neither
// as "latest" nor by name. Recovering the latest writes nothing.
//
// FILE: 8 bytes "CPRABND1", u64 count, count tokens of two u64 (high, low), u64 XXH3-64 of all before;
// little-endian. Blocking, no state.
#pragma once

#include <string_view>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"
#include "faster/device/storage.h"

namespace faster {

constexpr std::string_view kAbandonedName = "abandoned";

// No file: an empty list. kCorruption with *why if the file is not what WriteAbandoned wrote.
Status ReadAbandoned(Storage& storage, std::string_view directory, std::vector<Token>* tokens,
                     Diagnosis* why);
Status WriteAbandoned(Storage& storage, std::string_view directory, const std::vector<Token>& tokens,
                      Diagnosis* why);

}  // namespace faster
