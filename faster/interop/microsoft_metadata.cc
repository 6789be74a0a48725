#include "faster/interop/microsoft_metadata.h"

#include <algorithm>
#include <bit>
#include <set>

#include "faster/interop/transfer.h"

namespace faster::microsoft {
namespace {

void Put32(uint8_t* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(value >> 8 * i);
}
void Put64(uint8_t* at, uint64_t value) {
  for (int i = 0; i < 8; ++i) at[i] = static_cast<uint8_t>(value >> 8 * i);
}
uint32_t Get32(const uint8_t* at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= uint32_t{at[i]} << 8 * i;
  return value;
}
uint64_t Get64(const uint8_t* at) { return Get32(at) | uint64_t{Get32(at + 4)} << 32; }
uint32_t Big32(const uint8_t* at) { return __builtin_bswap32(Get32(at)); }
uint32_t Big16(const uint8_t* at) { return uint32_t{at[0]} << 8 | at[1]; }
uint32_t Little16(const uint8_t* at) { return uint32_t{at[1]} << 8 | at[0]; }

constexpr uint64_t kSerialsAt = 32;
constexpr uint64_t kGuidsAt = kSerialsAt + 8 * kMaxSessions;
static_assert(kGuidsAt + 16 * kMaxSessions == kLogInfoBytes);

const uint8_t* Unsigned(std::string_view bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

// One check after another; the first that fails is the answer.
class Checks {
 public:
  Checks(std::string_view file, Diagnosis* why) : file_(file), why_(why) {}
  bool ok() const { return status_ == Status::kOk; }
  Status status() const { return status_; }
  void That(bool holds, uint64_t offset, const std::string& expected, const std::string& found) {
    if (ok() && !holds) status_ = Damaged(file_, offset, expected, found, why_);
  }
  void That(bool holds, uint64_t offset, const std::string& expected, uint64_t found) {
    if (ok() && !holds) That(holds, offset, expected, std::to_string(found));
  }

 private:
  const std::string_view file_;
  Diagnosis* const why_;
  Status status_ = Status::kOk;
};

void CheckVersion(uint32_t version, uint64_t offset, Checks* checks) {
  checks->That(version != 0 && version != ~0u, offset, "a version from 1 to 2^32 - 2", version);
}

}  // namespace

Status Geometry::Validate(Diagnosis* why) const {
  const auto no = [&](std::string expected, uint64_t found) {
    return Refuse(Status::kInvalidArgument, "", 0, std::move(expected), std::to_string(found), why);
  };
  if (page_bits < 9 || page_bits > 30) return no("page_bits from 9 to 30", page_bits);
  if (overflow_page_bits < 3 || overflow_page_bits > 24)
    return no("overflow_page_bits from 3 to 24", overflow_page_bits);
  if (segment_bytes != 0 && (!std::has_single_bit(segment_bytes) || segment_bytes < page_bytes()))
    return no("a segment size that is a power of two of at least a page", segment_bytes);
  return Status::kOk;
}

void PutGuid(const Guid& guid, GuidOrder order, uint8_t* bytes) {
  Put64(bytes, __builtin_bswap64(guid.high));
  Put64(bytes + 8, __builtin_bswap64(guid.low));
  if (order == GuidOrder::kRfc4122) return;
  std::reverse(bytes, bytes + 4);
  std::reverse(bytes + 4, bytes + 6);
  std::reverse(bytes + 6, bytes + 8);
}

Guid GetGuid(const uint8_t* bytes, GuidOrder order) {
  const bool mixed = order == GuidOrder::kMixedEndian;
  const uint64_t first = mixed ? Get32(bytes) : Big32(bytes);
  const uint64_t second = mixed ? Little16(bytes + 4) : Big16(bytes + 4);
  const uint64_t third = mixed ? Little16(bytes + 6) : Big16(bytes + 6);
  return {first << 32 | second << 16 | third, uint64_t{Big32(bytes + 8)} << 32 | Big32(bytes + 12)};
}

std::array<uint8_t, kIndexInfoBytes> Bytes(const IndexInfo& info) {
  std::array<uint8_t, kIndexInfoBytes> bytes{};
  Put32(&bytes[0], info.version);
  Put64(&bytes[8], info.table_size);
  Put64(&bytes[16], info.table_bytes);
  Put64(&bytes[24], info.overflow_bytes);
  Put64(&bytes[32], info.overflow_count);
  Put64(&bytes[40], info.begin);
  Put64(&bytes[48], info.start);
  return bytes;
}

std::array<uint8_t, kLogInfoBytes> Bytes(const LogInfo& info, GuidOrder order) {
  std::array<uint8_t, kLogInfoBytes> bytes{};
  bytes[0] = info.snapshot;
  Put32(&bytes[4], info.version);
  Put32(&bytes[8], info.threads);
  Put64(&bytes[16], info.flushed);
  Put64(&bytes[24], info.final_address);
  for (uint32_t i = 0; i < kMaxSessions; ++i) {
    Put64(&bytes[kSerialsAt + 8 * i], info.serials[i]);
    PutGuid(info.guids[i], order, &bytes[kGuidsAt + 16 * i]);
  }
  return bytes;
}

std::array<uint8_t, kSessionInfoBytes> Bytes(const SessionInfo& info, GuidOrder order) {
  std::array<uint8_t, kSessionInfoBytes> bytes{};
  Put64(&bytes[0], info.serial);
  Put32(&bytes[8], info.version);
  PutGuid(info.guid, order, &bytes[12]);
  return bytes;
}

Status Parse(std::string_view bytes, std::string_view file, IndexInfo* info, Diagnosis* why) {
  Checks checks(file, why);
  checks.That(bytes.size() >= kIndexInfoBytes, 0, "at least 56 bytes", bytes.size());
  if (!checks.ok()) return checks.status();
  const uint8_t* const at = Unsigned(bytes);
  const IndexInfo found{Get32(at),      Get64(at + 8),  Get64(at + 16), Get64(at + 24),
                        Get64(at + 32), Get64(at + 40), Get64(at + 48)};
  CheckVersion(found.version, 0, &checks);
  checks.That(
      std::has_single_bit(found.table_size) && found.table_size >= 256 && found.table_size <= kLargestTable,
      8, "a table of 2^8 to 2^30 buckets, a power of two", found.table_size);
  checks.That(found.table_bytes == found.table_size * kBucketBytes, 16, "64 bytes for each bucket",
              found.table_bytes);
  checks.That(found.overflow_bytes >= kBucketBytes && found.overflow_bytes % kBucketBytes == 0 &&
                  found.overflow_bytes < kAddressLimit,
              24, "one overflow bucket or more, 64 bytes each", found.overflow_bytes);
  checks.That(
      found.overflow_count >= found.overflow_bytes / kBucketBytes && found.overflow_count < kAddressLimit, 32,
      "at least as many overflow buckets as in ofb.dat", found.overflow_count);
  checks.That(found.begin >= kFirstAddress && found.begin < kAddressLimit, 40,
              "a begin address from 64 to 2^48 - 1", found.begin);
  checks.That(found.start >= found.begin && found.start < kAddressLimit, 48,
              "a start address of at least the begin address " + std::to_string(found.begin), found.start);
  for (size_t i = kIndexInfoBytes; i < bytes.size(); ++i)
    checks.That(bytes[i] == 0, i, "zeros to the end of the sector", at[i]);
  if (checks.ok()) *info = found;
  return checks.status();
}

Status Parse(std::string_view bytes, std::string_view file, GuidOrder order, LogInfo* info, Diagnosis* why) {
  Checks checks(file, why);
  checks.That(bytes.size() == kLogInfoBytes, std::min<uint64_t>(bytes.size(), kLogInfoBytes), "2336 bytes",
              bytes.size());
  if (!checks.ok()) return checks.status();
  const uint8_t* const at = Unsigned(bytes);
  LogInfo found;
  checks.That(at[0] <= 1, 0, "0 (fold-over) or 1 (snapshot)", at[0]);
  found.snapshot = at[0] == 1;
  found.version = Get32(at + 4);
  found.threads = Get32(at + 8);
  found.flushed = Get64(at + 16);
  found.final_address = Get64(at + 24);
  CheckVersion(found.version, 4, &checks);
  checks.That(found.final_address >= kFirstAddress && found.final_address < kAddressLimit - 1, 24,
              "a final address from 64 to 2^48 - 2", found.final_address);
  checks.That(found.snapshot ? found.flushed >= kFirstAddress && found.flushed <= found.final_address
                             : found.flushed < kAddressLimit,
              16, "an address up to which the log was flushed", found.flushed);
  std::set<Guid> seen;
  uint32_t used = 0;
  for (uint32_t i = 0; i < kMaxSessions; ++i) {
    found.serials[i] = Get64(at + kSerialsAt + 8 * i);
    found.guids[i] = GetGuid(at + kGuidsAt + 16 * i, order);
    if (found.guids[i].IsNull()) continue;
    ++used;
    checks.That(seen.insert(found.guids[i]).second, kGuidsAt + 16 * i, "each session once",
                found.guids[i].Text());
  }
  checks.That(found.threads == used, 8, std::to_string(used) + " sessions, as there are guids",
              found.threads);
  if (checks.ok()) *info = found;
  return checks.status();
}

Status Parse(std::string_view bytes, std::string_view file, GuidOrder order, SessionInfo* info,
             Diagnosis* why) {
  Checks checks(file, why);
  checks.That(bytes.size() == kSessionInfoBytes, std::min<uint64_t>(bytes.size(), kSessionInfoBytes),
              "32 bytes", bytes.size());
  if (!checks.ok()) return checks.status();
  const uint8_t* const at = Unsigned(bytes);
  const SessionInfo found{Get64(at), Get32(at + 8), GetGuid(at + 12, order)};
  checks.That(found.serial != ~uint64_t{0}, 0, "a serial number below 2^64 - 1", found.serial);
  CheckVersion(found.version, 8, &checks);
  checks.That(!found.guid.IsNull(), 12, "a session's guid", found.guid.Text());
  if (checks.ok()) *info = found;
  return checks.status();
}

Status CheckPair(const IndexInfo& index, const LogInfo& log, std::string_view index_file, Diagnosis* why) {
  Checks checks(index_file, why);
  checks.That(index.version == log.version, 0,
              "version " + std::to_string(log.version) + " as in the log's info.dat", index.version);
  checks.That(index.start <= log.final_address, 48,
              "a start address of at most the final address " + std::to_string(log.final_address),
              index.start);
  return checks.status();
}

}  // namespace faster::microsoft
