// Files of a checkpoint: names, durable replacement, metadata and the snapshot header. FORMATS.md describes
// every byte; index.dat has its own header, index_data.h; the record texts are in metadata_json.h.
//
//   <token>/index.meta  index.dat  log.meta  log.snapshot        log.<n> (main log segments, by the log)
//
// ORDER. A checkpoint is complete when its log.meta (or, index only, its index.meta) exists under that name:
// data files are written and synced, their names made durable, and only then the metadata is written here,
// last of all (known bugs F02, Y15). WriteFileDurably is the only way a metadata file comes to be.
//
// BLOCKING, no state; thread-safe as far as the Storage is. A short transfer is continued where it ended; one
// that makes no progress is kShortIo. Every function returns the first error of any step. Functions that
// take a Diagnosis fill it in whenever they fail. Readers verify checksums before they use a byte, and never
// write (known bug F04).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"
#include "faster/cpr/metadata_json.h"
#include "faster/device/storage.h"

namespace faster {

constexpr std::string_view kIndexMetaName = "index.meta";
constexpr std::string_view kIndexDataName = "index.dat";
constexpr std::string_view kLogMetaName = "log.meta";
constexpr std::string_view kLogSnapshotName = "log.snapshot";
constexpr std::string_view kPairMetaName = "pair.meta";

// `directory` + "/" + `name`; the root "" adds no slash.
std::string JoinPath(std::string_view directory, std::string_view name);
// A file of checkpoint `token` of the store in `directory`.
std::string CheckpointPath(std::string_view directory, const Token& token, std::string_view name);
std::string TokenDirectory(std::string_view directory, const Token& token);
std::string SegmentPath(std::string_view directory, uint64_t segment);
// True and *segment set if `name` is exactly what SegmentPath gives a segment (no leading zeros).
bool ParseSegmentName(std::string_view name, uint64_t* segment);

// --- transfers ---

Status ReadAll(File& file, uint64_t offset, void* buffer, uint64_t bytes);
Status WriteAll(File& file, uint64_t offset, const void* buffer, uint64_t bytes);

// Replaces `directory`/`name` by `bytes`: writes `.name.tmp` (a stale one is overwritten), syncs it, renames
// it, syncs the directory. kOk: the new contents are durable. Any error before the rename leaves the old
// file as it was; if only the last step failed the new contents are visible, and durable or not.
Status WriteFileDurably(Storage& storage, std::string_view directory, std::string_view name,
                        std::string_view bytes);

// The whole file. kNotFound if it is not there; kCorruption if it is larger than `limit` bytes.
Status ReadWholeFile(Storage& storage, std::string_view path, uint64_t limit, std::string* bytes,
                     Diagnosis* why);

// Makes the token's directory and its name durable. kExists if it holds files already: left over from
// another checkpoint they would mix with this one's (known bug Y27).
Status CreateTokenDirectory(Storage& storage, std::string_view directory, const Token& token);

// --- metadata ---

// Makes the names in the token's directory durable (the data files', synced by the caller), then writes the
// metadata durably. kInvalidArgument without any I/O if the record is not one that a reader would accept.
Status WriteMetadata(Storage& storage, std::string_view directory, const IndexMetadata& metadata,
                     Diagnosis* why);
Status WriteMetadata(Storage& storage, std::string_view directory, const LogMetadata& metadata,
                     Diagnosis* why);
Status WriteMetadata(Storage& storage, std::string_view directory, const PairMetadata& metadata,
                     Diagnosis* why);

// kNotFound if the checkpoint has no such part; kCorruption if the file is damaged or belongs to another
// token; *metadata is untouched unless kOk.
Status ReadMetadata(Storage& storage, std::string_view directory, const Token& token, IndexMetadata* metadata,
                    Diagnosis* why);
Status ReadMetadata(Storage& storage, std::string_view directory, const Token& token, LogMetadata* metadata,
                    Diagnosis* why);
Status ReadMetadata(Storage& storage, std::string_view directory, const Token& token, PairMetadata* metadata,
                    Diagnosis* why);

// --- log.snapshot ---

// Block images of [first, end) follow the header, at offset SnapshotOffset(first, address); each carries its
// own checksum (BlockChecksum) in its first word, as in the main log. Addresses are block boundaries.
constexpr uint64_t kSnapshotHeaderBytes = 64;

struct SnapshotHeader {
  Token token;
  LogAddress first = 0;
  LogAddress end = 0;
  uint32_t block_bytes = 0;
  uint64_t generation = 0;  // incarnation that wrote the file
  bool operator==(const SnapshotHeader&) const = default;
};

constexpr uint64_t SnapshotOffset(LogAddress first, LogAddress address) {
  return kSnapshotHeaderBytes + (address - first);
}

// What the file begins with; the blocks follow.
std::array<uint64_t, kSnapshotHeaderBytes / 8> SnapshotHeaderWords(const SnapshotHeader& header);
// Verifies magic, version, checksum, token, and that the file's size is the one the header implies.
Status ReadSnapshotHeader(File& file, std::string_view path, const Token& token, SnapshotHeader* header,
                          Diagnosis* why);

}  // namespace faster
