#include "workloads/txn/ycsb_transactions.h"

#include <algorithm>
#include <bit>

namespace workloads::txn {

namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ull;

KeyOptions KeysOf(const YcsbTransactionOptions& options) {
  KeyOptions keys;
  keys.distribution = options.distribution;
  keys.insert_count = options.keys;
  keys.theta = options.theta;
  return keys;
}

uint64_t ThreadSeed(const YcsbTransactionOptions& options, uint32_t thread) {
  return (options.seed * 1000003 + thread + 1) * kGolden;
}

// Bit i: access i of the transaction writes.
uint64_t WriteBits(const YcsbTransactionOptions& options, uint32_t thread, uint64_t serial) {
  Random random(ThreadSeed(options, thread) ^ serial * 0xbf58476d1ce4e5b9ull);
  uint64_t bits = 0;
  for (uint32_t i = 0; i < options.keys_per_transaction; ++i)
    bits |= uint64_t{random.NextDouble() < options.write_share} << i;
  return bits;
}

class YcsbThread final : public WorkloadThread {
 public:
  YcsbThread(const YcsbTransactionOptions& options, uint32_t thread)
      : options_(options),
        thread_(thread),
        drawn_(
            PregenerateKeys(KeysOf(options), ThreadSeed(options, thread), options.drawn_per_thread, false)),
        keys_(options.keys_per_transaction) {}

  void Draw(uint64_t serial, uint64_t) override {
    writes_ = WriteBits(options_, thread_, serial);
    uint64_t at = serial * options_.keys_per_transaction % drawn_.size();
    for (size_t i = 0; i < keys_.size(); ++i) {
      uint64_t key = drawn_[at];
      if (++at == drawn_.size()) at = 0;
      // Distinct: the next one that is free. There are more keys than a transaction has.
      while (std::find(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(i), key) !=
             keys_.begin() + static_cast<std::ptrdiff_t>(i))
        key = key + 1 == options_.keys ? 0 : key + 1;
      keys_[i] = key;
    }
  }
  TxnResult Try(Client& client, bool timed) override {
    const auto body = [this](Transaction& transaction) { return Body(transaction); };
    return timed ? client.Execute<TickTiming>(body) : client.Execute(body);
  }

 private:
  bool Body(Transaction& transaction) {
    uint64_t sum = 0;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if ((writes_ >> i & 1) != 0) {
        uint64_t* const value = transaction.Write(0, keys_[i]);
        if (value == nullptr) return false;
        for (uint32_t word = 0; word < options_.value_words; ++word) ++value[word];
      } else {
        const uint64_t* const value = transaction.Read(0, keys_[i]);
        if (value == nullptr) return false;
        sum += *value;
      }
    }
    read_ = sum;
    return true;
  }

  const YcsbTransactionOptions options_;
  const uint32_t thread_;
  const std::vector<uint64_t> drawn_;
  std::vector<uint64_t> keys_;
  uint64_t writes_ = 0;
  volatile uint64_t read_ = 0;  // so that reads are not optimised away
};

}  // namespace

std::string CheckYcsbTransactions(const YcsbTransactionOptions& options) {
  if (options.keys_per_transaction == 0 || options.keys_per_transaction > 64)
    return "keys per transaction: expected 1..64, not " + std::to_string(options.keys_per_transaction);
  if (options.keys <= options.keys_per_transaction)
    return "keys: expected more than a transaction has, not " + std::to_string(options.keys);
  if (!(options.write_share >= 0 && options.write_share <= 1)) return "write share: expected 0..1";
  if (options.drawn_per_thread == 0) return "drawn keys per thread: expected at least 1";
  if (options.value_words == 0) return "value words: expected at least 1";
  return CheckKeyOptions(KeysOf(options));
}

std::vector<TableConfig> YcsbTransactions::Tables() const { return {{options_.value_words, options_.keys}}; }

Status YcsbTransactions::Load(TxnStore* store) const {
  const std::vector<uint64_t> value(options_.value_words, kLoaded);
  for (uint64_t key = 0; key < options_.keys; ++key) {
    if (const Status status = store->Load(0, key, value.data()); status != Status::kOk) return status;
  }
  return Status::kOk;
}

std::unique_ptr<WorkloadThread> YcsbTransactions::Thread(uint32_t thread) const {
  return std::make_unique<YcsbThread>(options_, thread);
}

std::vector<std::string> YcsbTransactions::Check(const TxnStore& store) const {
  std::vector<std::string> wrong;
  uint64_t found = 0;
  store.ForEach(0, [&](uint64_t key, const uint64_t* value) {
    ++found;
    if (!std::all_of(value, value + options_.value_words, [value](uint64_t word) { return word == *value; }))
      wrong.push_back("key " + std::to_string(key) + " holds words of more than one write");
    if (key >= options_.keys) wrong.push_back("key " + std::to_string(key) + " was never loaded");
  });
  if (found != options_.keys)
    wrong.push_back(std::to_string(found) + " keys of " + std::to_string(options_.keys) + " are there");
  return wrong;
}

uint64_t YcsbTransactions::Writes(const TxnStore& store) const {
  uint64_t sum = 0;
  store.ForEach(0, [&sum](uint64_t, const uint64_t* value) { sum += *value - kLoaded; });
  return sum;
}

uint64_t YcsbTransactions::WritesOf(uint32_t thread, uint64_t serial) const {
  return static_cast<uint64_t>(std::popcount(WriteBits(options_, thread, serial)));
}

}  // namespace workloads::txn
