// Metadata of checkpoints of Microsoft's FASTER (C++, 7f71289f): the three records that it writes as they lie
// in memory, and their checks. README.md has every byte.
//
//   index-checkpoints/<token>/info.dat    IndexInfo, 56 bytes, padded with zeros to a sector
//   cpr-checkpoints/<token>/info.dat      LogInfo, 2336 bytes: room for 96 sessions
//   cpr-checkpoints/<token>/<guid>.dat    SessionInfo, 32 bytes, one a session
//
// The files have no magic, version or checksum. What can be wrong is therefore looked for: ranges, counts and
// the relations between the records. Bytes that the original leaves uninitialised (padding) are ignored.
//
// GUIDs: 16 bytes as libuuid has them (RFC 4122, big-endian) on Linux, as Windows has them (first three
// fields little-endian) there. The file does not say which; the names of the session files do.
//
// Pure functions; thread-safe. ERRORS: kCorruption with file and offset.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"

namespace faster::microsoft {

constexpr uint64_t kIndexInfoBytes = 56;
constexpr uint64_t kLogInfoBytes = 2336;
constexpr uint64_t kSessionInfoBytes = 32;
constexpr uint32_t kMaxSessions = 96;
constexpr uint64_t kSectorBytes = 512;    // what files past the page cache are padded to
constexpr LogAddress kNoAddress = 1;      // where a chain ends
constexpr LogAddress kFirstAddress = 64;  // of the first record
constexpr uint64_t kAddressLimit = uint64_t{1} << 48;
constexpr uint64_t kRecordBytes = 24;  // header, key and value of 8 bytes each
constexpr uint64_t kBucketBytes = 64;
constexpr uint64_t kLeastTable = 2048;  // main buckets: 256 writes of whole sectors
constexpr uint64_t kLargestTable = uint64_t{1} << 30;

// Constants of a build of theirs.
struct Geometry {
  uint32_t page_bits = 25;           // log pages of 32 MiB
  uint32_t overflow_page_bits = 20;  // ofb.dat is written in pages of so many buckets
  uint64_t segment_bytes = 0;        // log.log<N>; 0: as the files' sizes tell, 1 GiB when they are written

  uint64_t page_bytes() const { return uint64_t{1} << page_bits; }
  uint64_t overflow_page_bytes() const { return kBucketBytes << overflow_page_bits; }
  Status Validate(Diagnosis* why) const;
};

enum class GuidOrder : uint8_t { kRfc4122, kMixedEndian };

void PutGuid(const Guid& guid, GuidOrder order, uint8_t* bytes);
Guid GetGuid(const uint8_t* bytes, GuidOrder order);

struct IndexInfo {
  uint32_t version = 0;
  uint64_t table_size = 0;      // main buckets, a power of two
  uint64_t table_bytes = 0;     // of ht.dat: 64 each
  uint64_t overflow_bytes = 0;  // of ofb.dat that were in use when it was captured
  uint64_t overflow_count = 0;  // buckets after the capture; the first one is not used
  LogAddress begin = 0;
  LogAddress start = 0;  // of the log when the capture began
  bool operator==(const IndexInfo&) const = default;
};

struct LogInfo {
  bool snapshot = false;
  uint32_t version = 0;
  uint32_t threads = 0;             // sessions
  LogAddress flushed = kNoAddress;  // snapshot.dat has the pages from that of this address on
  LogAddress final_address = 0;
  std::array<uint64_t, kMaxSessions> serials{};  // the original never fills them in
  std::array<Guid, kMaxSessions> guids{};        // null: a slot that is not used
  bool operator==(const LogInfo&) const = default;
};

struct SessionInfo {
  uint64_t serial = 0;
  uint32_t version = 0;
  Guid guid;
  bool operator==(const SessionInfo&) const = default;
};

std::array<uint8_t, kIndexInfoBytes> Bytes(const IndexInfo& info);
std::array<uint8_t, kLogInfoBytes> Bytes(const LogInfo& info, GuidOrder order);
std::array<uint8_t, kSessionInfoBytes> Bytes(const SessionInfo& info, GuidOrder order);

// `bytes` is the whole file `file`. *info is untouched unless kOk.
Status Parse(std::string_view bytes, std::string_view file, IndexInfo* info, Diagnosis* why);
Status Parse(std::string_view bytes, std::string_view file, GuidOrder order, LogInfo* info, Diagnosis* why);
Status Parse(std::string_view bytes, std::string_view file, GuidOrder order, SessionInfo* info,
             Diagnosis* why);

// Whether the two belong together. `index_file` is to blame.
Status CheckPair(const IndexInfo& index, const LogInfo& log, std::string_view index_file, Diagnosis* why);

}  // namespace faster::microsoft
