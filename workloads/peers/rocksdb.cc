// RocksDB with its defaults: memtables, compression as built, a write-ahead log that is not synced. An RMW is
// a merge: RocksDB adds it up when somebody reads.
#include <rocksdb/db.h>
#include <rocksdb/merge_operator.h>

#include <cstring>

#include "workloads/peers/peer_engine.h"

namespace workloads::peers {
namespace {

template <class V>
class AddOperator final : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice&, const rocksdb::Slice* existing, const rocksdb::Slice& operand,
             std::string* merged, rocksdb::Logger*) const override {
    V sum;
    if (operand.size() != sizeof sum || (existing != nullptr && existing->size() != sizeof sum)) return false;
    std::memcpy(&sum, operand.data(), sizeof sum);
    if (existing != nullptr) {
      V old;
      std::memcpy(&old, existing->data(), sizeof old);
      sum = V::Of(old.word[0] + sum.word[0]);
    }
    merged->assign(reinterpret_cast<const char*>(&sum), sizeof sum);
    return true;
  }
  const char* Name() const override { return "AddOperator"; }
};

template <class V>
class RocksDbStore {
 public:
  bool Open(const std::string& directory, std::string* error) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.merge_operator = std::make_shared<AddOperator<V>>();
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, directory + "/rocksdb", &db);
    db_.reset(db);
    if (!status.ok()) *error = status.ToString();
    return status.ok();
  }
  Status Get(uint64_t key, V* value) {
    rocksdb::PinnableSlice found;
    const rocksdb::Status status =
        db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), KeyOf(key), &found);
    if (status.IsNotFound()) return Status::kNotFound;
    if (!status.ok()) return Status::kIoError;
    if (found.size() != sizeof *value) return Status::kCorruption;
    std::memcpy(value, found.data(), sizeof *value);
    return Status::kOk;
  }
  Status Put(uint64_t key, const V& value) {
    return db_->Put(rocksdb::WriteOptions(), KeyOf(key), Bytes(value)).ok() ? Status::kOk : Status::kIoError;
  }
  Status PutMany(const uint64_t* keys, const V* values, size_t count) {
    rocksdb::WriteBatch batch;
    bool good = true;
    for (size_t i = 0; i < count; ++i) good = good && batch.Put(KeyOf(keys[i]), Bytes(values[i])).ok();
    return good && db_->Write(rocksdb::WriteOptions(), &batch).ok() ? Status::kOk : Status::kIoError;
  }
  Status Add(uint64_t key, uint64_t operand) {
    const V value = V::Of(operand);
    return db_->Merge(rocksdb::WriteOptions(), KeyOf(key), Bytes(value)).ok() ? Status::kOk
                                                                              : Status::kIoError;
  }

 private:
  static rocksdb::Slice KeyOf(const uint64_t& key) {
    return {reinterpret_cast<const char*>(&key), sizeof key};
  }
  static rocksdb::Slice Bytes(const V& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

std::unique_ptr<ycsb::Engine> MakeRocksDb(uint32_t stored_bytes, const std::string& directory) {
  return MakePeer<RocksDbStore>(stored_bytes, directory);
}

}  // namespace workloads::peers
