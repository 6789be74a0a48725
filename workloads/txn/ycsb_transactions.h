// YCSB as transactions (CPR paper sec. 7.1): each accesses some distinct keys of one table, a share of them
// to write. A write adds to the value, so the sum of all values says how many writes took effect.
#pragma once

#include <string>

#include "workloads/generators.h"
#include "workloads/txn/workload.h"

namespace workloads::txn {

struct YcsbTransactionOptions {
  uint64_t keys = 2'500'000;
  uint32_t keys_per_transaction = 1;
  double write_share = 0.5;  // of the accesses, each on its own
  Distribution distribution = Distribution::kZipfHashed;
  double theta = 0.1;
  uint64_t drawn_per_thread = 1 << 20;  // keys, drawn ahead, taken in a ring
  uint32_t value_words = 1;
  uint64_t seed = 1;
};

// "" or one line that says what cannot work.
std::string CheckYcsbTransactions(const YcsbTransactionOptions& options);

class YcsbTransactions final : public Workload {
 public:
  static constexpr uint64_t kLoaded = 1;  // every value's first word after Load

  explicit YcsbTransactions(const YcsbTransactionOptions& options) : options_(options) {}

  std::vector<TableConfig> Tables() const override;
  Status Load(TxnStore* store) const override;
  std::unique_ptr<WorkloadThread> Thread(uint32_t thread) const override;
  // That every value's words are equal, and none is below what was loaded.
  std::vector<std::string> Check(const TxnStore& store) const override;

  // The sum of all values less what was loaded: how many writes the store holds.
  uint64_t Writes(const TxnStore& store) const;
  // How many of the accesses of `thread`'s transaction `serial` write.
  uint64_t WritesOf(uint32_t thread, uint64_t serial) const;

 private:
  const YcsbTransactionOptions options_;
};

}  // namespace workloads::txn
