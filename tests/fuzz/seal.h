// Makes damaged files verify again: computes anew the checksums that FORMATS.md describes, by the fields as
// they stand in the damaged bytes. With it a test gets behind the checksums, to what believes the content.
//
// Pure functions; any bytes are taken. A file too short to hold a checksum stays as it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "tests/fuzz/image.h"

namespace damage {

// index.meta, log.meta, delta.meta, incremental.info, pair.meta: the last field.
void SealText(std::string* text);
void SealAbandoned(std::string* bytes);
// `metadata_sum`: what index.meta has to say of the file then.
void SealIndexData(std::string* bytes, uint64_t* metadata_sum);
void SealSnapshot(std::string* bytes);
// `header_sum`: what delta.meta has to say.
void SealDelta(std::string* bytes, uint64_t* header_sum);
// Blocks of the main log, of which `bytes` begin at address `from`.
void SealLog(std::string* bytes, faster::LogAddress from, uint32_t block_bytes,
             const std::vector<faster::Generation>& generations);

// Replaces what stands behind "field": in a metadata text; false if it is not there.
bool SetField(std::string* text, std::string_view field, std::string_view value);

// The file `path` of `image`, and those that quote its checksum. Segments of the log are sealed as the newest
// log.meta (or pair.meta, for the cold log) of the image has it.
void Reseal(Image* image, const std::string& path);

}  // namespace damage
