#include "workloads/txn/table.h"

#include <algorithm>
#include <bit>

namespace workloads::txn {

using faster::Status;

Status Table::Allocate(const TableConfig& config, uint32_t id, bool keeps_stable) {
  constexpr uint64_t kMostRows = uint64_t{1} << 40;
  if (config.value_words == 0 || config.value_words > 4096 || config.rows == 0 || config.rows > kMostRows)
    return Status::kInvalidArgument;
  id_ = id;
  rows_ = config.rows;
  value_words_ = config.value_words;
  record_words_ = 2 + value_words_ * (keeps_stable ? 2 : 1);
  slots_ = std::bit_ceil(std::max<uint64_t>(rows_ + rows_ / 3 + 1, 2));
  shift_ = 64 - static_cast<uint32_t>(std::countr_zero(slots_));
  return memory_.Allocate(slots_ * record_words_ * 8, true) ? Status::kOk : Status::kOutOfMemory;
}

bool Table::Claim(uint64_t* words, uint64_t tag, uint64_t* found) {
  // Counted first: of two that meet at the last row at most one is refused for nothing, none is let in.
  if (used_.fetch_add(1, std::memory_order_relaxed) >= rows_) {
    used_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  std::atomic_ref<uint64_t> key(*words);
  if (key.compare_exchange_strong(*found, tag, std::memory_order_acq_rel, std::memory_order_acquire)) {
    *found = tag;
  } else {
    used_.fetch_sub(1, std::memory_order_relaxed);
  }
  return true;
}

}  // namespace workloads::txn
