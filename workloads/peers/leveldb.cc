// LevelDB with its defaults: a log that is not synced. It has no atomic update, so an RMW is a read and a
// write under a lock of its stripe of keys; blind writes take the same lock.
#include <leveldb/db.h>
#include <leveldb/write_batch.h>

#include <cstring>
#include <mutex>

#include "workloads/peers/peer_engine.h"

namespace workloads::peers {
namespace {

template <class V>
class LevelDbStore {
 public:
  bool Open(const std::string& directory, std::string* error) {
    leveldb::Options options;
    options.create_if_missing = true;
    leveldb::DB* db = nullptr;
    const leveldb::Status status = leveldb::DB::Open(options, directory + "/leveldb", &db);
    db_.reset(db);
    if (!status.ok()) *error = status.ToString();
    return status.ok();
  }
  Status Get(uint64_t key, V* value) {
    std::string found;
    const leveldb::Status status = db_->Get(leveldb::ReadOptions(), KeyOf(key), &found);
    if (status.IsNotFound()) return Status::kNotFound;
    if (!status.ok()) return Status::kIoError;
    if (found.size() != sizeof *value) return Status::kCorruption;
    std::memcpy(value, found.data(), sizeof *value);
    return Status::kOk;
  }
  Status Put(uint64_t key, const V& value) {
    std::lock_guard lock(Stripe(key));
    return Write(key, value);
  }
  // For the load: no other thread has these keys.
  Status PutMany(const uint64_t* keys, const V* values, size_t count) {
    leveldb::WriteBatch batch;
    for (size_t i = 0; i < count; ++i)
      batch.Put(KeyOf(keys[i]), {reinterpret_cast<const char*>(&values[i]), sizeof(V)});
    return db_->Write(leveldb::WriteOptions(), &batch).ok() ? Status::kOk : Status::kIoError;
  }
  Status Add(uint64_t key, uint64_t operand) {
    std::lock_guard lock(Stripe(key));
    V value;
    const Status status = Get(key, &value);
    if (status == Status::kNotFound) return Write(key, V::Of(operand));
    return status == Status::kOk ? Write(key, V::Of(value.word[0] + operand)) : status;
  }

 private:
  static constexpr uint64_t kStripes = 1024;
  std::mutex& Stripe(uint64_t key) { return stripes_[ycsb::AddWord<8>{}.Hash(key) % kStripes]; }
  Status Write(const uint64_t& key, const V& value) {
    const leveldb::Slice bytes(reinterpret_cast<const char*>(&value), sizeof value);
    return db_->Put(leveldb::WriteOptions(), KeyOf(key), bytes).ok() ? Status::kOk : Status::kIoError;
  }
  static leveldb::Slice KeyOf(const uint64_t& key) {
    return {reinterpret_cast<const char*>(&key), sizeof key};
  }
  std::unique_ptr<leveldb::DB> db_;
  std::mutex stripes_[kStripes];
};

}  // namespace

std::unique_ptr<ycsb::Engine> MakeLevelDb(uint32_t stored_bytes, const std::string& directory) {
  return MakePeer<LevelDbStore>(stored_bytes, directory);
}

}  // namespace workloads::peers
