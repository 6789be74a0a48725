#include "faster/core/config.h"

#include <bit>

namespace faster {
namespace {

Status Refuse(Diagnosis* why, const char* name, const std::string& expected, uint64_t found) {
  if (why) *why = {"", 0, std::string(name) + " " + expected, std::to_string(found)};
  return Status::kInvalidArgument;
}

}  // namespace

Status StoreConfig::Validate(uint64_t record_bytes, Diagnosis* why) const {
  if (page_bits < 9 || page_bits > 30) return Refuse(why, "page_bits", "between 9 and 30", page_bits);
  if (buffer_pages < 4 || !std::has_single_bit(buffer_pages)) {
    return Refuse(why, "buffer_pages", "a power of two of at least 4", buffer_pages);
  }
  if (mutable_pages < 1 || mutable_pages > buffer_pages - 2) {
    return Refuse(why, "mutable_pages", "between 1 and buffer_pages - 2", mutable_pages);
  }
  if (!std::has_single_bit(block_bytes) || block_bytes > page_bytes() || block_bytes < 64) {
    return Refuse(why, "block_bytes", "a power of two between 64 and the page size", block_bytes);
  }
  if (record_bytes + 8 > block_bytes) {
    return Refuse(why, "block_bytes", "at least 8 more than a record of " + std::to_string(record_bytes),
                  block_bytes);
  }
  if (segment_pages < 1) return Refuse(why, "segment_pages", "at least 1", segment_pages);
  if (open_segments < 1 || open_segments > 1u << 20)
    return Refuse(why, "open_segments", "1 to 2^20", open_segments);
  if (index_buckets < 1 || !std::has_single_bit(index_buckets) || index_buckets > uint64_t{1} << 40) {
    return Refuse(why, "index_buckets", "a power of two of at least 1", index_buckets);
  }
  if (!std::has_single_bit(max_index_buckets) || max_index_buckets > uint64_t{1} << 40) {
    return Refuse(why, "max_index_buckets", "a power of two of at most 2^40", max_index_buckets);
  }
  if (version_bits < 1 || version_bits > 13)
    return Refuse(why, "version_bits", "between 1 and 13", version_bits);
  if (max_sessions < 1 || max_sessions > 65536)
    return Refuse(why, "max_sessions", "1 to 65536", max_sessions);
  if (recovery_threads < 1 || recovery_threads > 256)
    return Refuse(why, "recovery_threads", "1 to 256", recovery_threads);
  if (read_cache_bytes != 0 &&
      (!std::has_single_bit(read_cache_bytes) || read_cache_bytes > uint64_t{1} << 46)) {
    return Refuse(why, "read_cache_bytes", "0 or a power of two up to 2^46", read_cache_bytes);
  }
  if (session_slots < 1 || session_slots > 65536)
    return Refuse(why, "session_slots", "1 to 65536", session_slots);
  if (refresh_interval < 1) return Refuse(why, "refresh_interval", "at least 1", refresh_interval);
  if (batch_ahead < 1 || batch_ahead > kMaxBatchAhead)
    return Refuse(why, "batch_ahead", "1 to 16", batch_ahead);
  if (batch_group < 1) return Refuse(why, "batch_group", "at least 1", batch_group);
  return Status::kOk;
}

}  // namespace faster
