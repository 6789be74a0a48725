// The files of a commit, and how one comes to be durable.
//
//   commit.<n>.data   the captured records, in blocks, each with a checksum
//   commit.<n>        the marker: what the commit is and holds; its presence means that all of it is durable
//   log.<n>           WAL only: what was done since commit n (wal.h)
//
// ORDER. Data written and synced, its name (and the empty log's) made durable by a directory sync, marker
// written as commit.<n>.tmp and synced, renamed, directory synced. So whatever a crash leaves, a marker that
// is there has all it needs; recovery takes the one with the highest number, and a damaged one is an error,
// never a reason to take an older one in silence. Any error on the way ends the commit and leaves the
// previous one as it was. Numbers are never used twice; files below the newest commit are removed by Retire.
//
// MARKER, in words: "CPRTXN01", number, version, scheme, tables, {value words, rows} of each, records, data
// bytes, clients, {id, serial} of each, XXH3-64 of all before seeded by the number.
// BLOCK, in words: XXH3-64 of all after it seeded by its offset and the number, table << 32 | records,
// {key, value...} of each. Little-endian. Blocking; the functions keep no state.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "faster/core/status.h"
#include "faster/device/storage.h"
#include "workloads/txn/table.h"

namespace workloads::txn {

using faster::Diagnosis;
using faster::Status;
using faster::Storage;

// Which rule makes transactions durable; part of the files.
enum class CommitScheme : uint8_t { kCpr, kCalc, kWal };
constexpr std::string_view SchemeName(CommitScheme scheme) {
  constexpr std::string_view kNames[] = {"cpr", "calc", "wal"};
  return kNames[static_cast<uint8_t>(scheme)];
}

struct ClientPoint {
  uint64_t client = 0;
  uint64_t serial = 0;  // every transaction of the client up to it is held, none after it
  bool operator==(const ClientPoint&) const = default;
};

struct CommitMarker {
  uint64_t number = 0;
  uint64_t version = 0;
  CommitScheme scheme = CommitScheme::kCpr;
  std::vector<TableConfig> tables;
  uint64_t records = 0;
  uint64_t data_bytes = 0;
  std::vector<ClientPoint> points;
};

using Tables = std::vector<std::unique_ptr<Table>>;

std::string DataPath(const std::string& directory, uint64_t number);
std::string MarkerPath(const std::string& directory, uint64_t number);
std::string LogPath(const std::string& directory, uint64_t number);

// Captures what the versions before `next` left in `tables`, beside transactions of `next`, and makes it
// durable as commit marker->number; fills in records and data_bytes.
Status WriteCommit(Storage& storage, const std::string& directory, Tables& tables, uint64_t next,
                   CommitMarker* marker, Diagnosis* why);

struct CommitNumbers {
  uint64_t newest = 0;   // with a marker; 0: none
  uint64_t highest = 0;  // of any file, leftovers included
};
Status ListCommits(Storage& storage, const std::string& directory, CommitNumbers* numbers, Diagnosis* why);

Status ReadMarker(Storage& storage, const std::string& directory, uint64_t number, CommitMarker* marker,
                  Diagnosis* why);
// Puts the records of `marker` into empty `tables` of the marker's shape. kCorruption with file and offset.
Status ReadData(Storage& storage, const std::string& directory, const CommitMarker& marker, Tables& tables,
                Diagnosis* why);
// Removes the files of commits below `number`, and what failed ones left. What cannot be removed stays for
// the next call; the first error is returned.
Status Retire(Storage& storage, const std::string& directory, uint64_t number);

}  // namespace workloads::txn
