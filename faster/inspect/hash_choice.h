// ChooseHash: which of the hash functions that we know a store was made with.
//
// Asked are the entries of its index, or without one the links of its newest records: the tag of an entry,
// and the tags of all keys of one chain, are bits of the hash. 14 of them for each of up to 64 records that
// are looked at, so a function that fits most is the one. Reads a megabyte of the index at most and a block
// for each sample; without an index up to 256 blocks of the log and one for each link in them, until there
// are enough samples. What cannot be read, or is wrong, is passed over here.
#pragma once

#include <span>
#include <string_view>

#include "faster/cpr/checkpoint_log.h"
#include "faster/inspect/record_form.h"

namespace faster {

// `known`: of keys as the log has them. null: none of them.
const NamedHash* ChooseHash(Storage* storage, std::string_view directory, const LogMetadata& log,
                            const CheckpointLog& source, const IndexMetadata* index,
                            std::span<const NamedHash> known);

}  // namespace faster
