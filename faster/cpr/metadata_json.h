// Text form of the metadata records: `index.meta`, `log.meta`, `delta.meta`, `incremental.info` (FORMATS.md
// lists every field).
//
// The text is pretty-printed JSON whose last field is the XXH3-64 of all bytes before that field. It is
// verified over the bytes as they are, before anything is parsed (a torn text must not reach the parser),
// so every changed, missing or additional byte is noticed, white space included.
//
// Pure functions of their arguments: no I/O, no state that outlives a call, nothing is thrown. Compiled in
// a library of its own that is never instrumented; strings and vectors cross its border, JSON types do not.
// Thread-safe. Cost: FORMATS.md, "Cost".
#pragma once

#include <string>
#include <string_view>

#include "faster/core/checkpoint_types.h"
#include "faster/core/checksum.h"
#include "faster/core/status.h"

namespace faster {

constexpr uint32_t kFormatVersion = 1;               // of every file of a checkpoint
constexpr LogAddress kAddressLimit = 1ull << 48;     // addresses are below it
constexpr uint64_t kMaxMetadataBytes = 64ull << 20;  // a larger metadata file is not ours

// What must hold for a record to be written or believed. kInvalidArgument and a line in *why otherwise.
FASTER_METADATA_API Status ValidateMetadata(const IndexMetadata& metadata, Diagnosis* why);
FASTER_METADATA_API Status ValidateMetadata(const LogMetadata& metadata, Diagnosis* why);
FASTER_METADATA_API Status ValidateMetadata(const DeltaMetadata& metadata, Diagnosis* why);
FASTER_METADATA_API Status ValidateMetadata(const DeltaChain& metadata, Diagnosis* why);
FASTER_METADATA_API Status ValidateMetadata(const PairMetadata& metadata, Diagnosis* why);

// The whole text of the file. The record must be valid (ValidateMetadata): it is not looked at again.
FASTER_METADATA_API std::string FormatMetadata(const IndexMetadata& metadata);
FASTER_METADATA_API std::string FormatMetadata(const LogMetadata& metadata);
FASTER_METADATA_API std::string FormatMetadata(const DeltaMetadata& metadata);  // delta.meta
FASTER_METADATA_API std::string FormatMetadata(const DeltaChain& metadata);     // incremental.info
FASTER_METADATA_API std::string FormatMetadata(const PairMetadata& metadata);   // pair.meta

// The record in `text`, the contents of `file` (a name for *why only). kCorruption, *metadata untouched and
// *why filled in if the checksum, the form, a type or a value is wrong; kUnsupported if all is well but the
// format version is one we do not know. Fields we do not know are kept in `unknown`, and FormatMetadata
// writes them again; those that may be missing (FORMATS.md) get their defaults.
FASTER_METADATA_API Status ParseMetadata(std::string_view text, std::string_view file,
                                         IndexMetadata* metadata, Diagnosis* why);
FASTER_METADATA_API Status ParseMetadata(std::string_view text, std::string_view file, LogMetadata* metadata,
                                         Diagnosis* why);
FASTER_METADATA_API Status ParseMetadata(std::string_view text, std::string_view file,
                                         DeltaMetadata* metadata, Diagnosis* why);
FASTER_METADATA_API Status ParseMetadata(std::string_view text, std::string_view file, DeltaChain* metadata,
                                         Diagnosis* why);
FASTER_METADATA_API Status ParseMetadata(std::string_view text, std::string_view file, PairMetadata* metadata,
                                         Diagnosis* why);

// 16 lower-case hexadecimal digits, as checksums are written in these files.
FASTER_METADATA_API std::string HexWord(uint64_t word);

}  // namespace faster
