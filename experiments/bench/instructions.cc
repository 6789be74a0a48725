// cpr-instructions OPERATION KEYS COUNT: one loop of operations, for an instruction counter to watch.
//
//   valgrind --tool=callgrind --toggle-collect='*MeasuredLoop*' cpr-instructions read 100000 500000
//
// counts what happens inside MeasuredLoop only. OPERATION is read, upsert, rmw, insert, read-batch,
// upsert-batch, rmw-batch, insert-batch, or the loop itself without a call of the engine: nothing,
// nothing-batch (what the driver costs, to be subtracted). Keys are 8 bytes, values 8, everything stays in
// the mutable region; sessions look at the phase every 64 operations. `./cpr bench --instructions` runs them
// all.
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "faster/device/null_storage.h"
#include "faster/store/faster_kv.h"

namespace {

using faster::Status;

struct Add {
  using Input = uint64_t;
  uint64_t Hash(uint64_t key) const {
    const uint64_t h = key * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 32;
  }
  uint64_t Initial(uint64_t input) const { return input; }
  uint64_t Update(uint64_t old, uint64_t input) const { return old + input; }
};
using Kv = faster::FasterKv<uint64_t, uint64_t, Add>;
using Session = Kv::SessionType;

enum class Loop { kNothing, kRead, kUpsert, kRmw, kNothingBatch, kReadBatch, kUpsertBatch, kRmwBatch };
constexpr size_t kBatch = 64;

// Every form reads its keys from one array and uses what comes back, so that the loops differ in the call
// alone.
template <Loop kLoop>
[[gnu::noinline]] uint64_t MeasuredLoop(Session& session, const std::vector<uint64_t>& keys) {
  uint64_t sum = 0;
  if constexpr (kLoop < Loop::kNothingBatch) {
    for (const uint64_t key : keys) {
      uint64_t value = key;
      if constexpr (kLoop == Loop::kRead) sum += static_cast<uint64_t>(session.Read(key, &value));
      if constexpr (kLoop == Loop::kUpsert) sum += static_cast<uint64_t>(session.Upsert(key, value));
      if constexpr (kLoop == Loop::kRmw) sum += static_cast<uint64_t>(session.Rmw(key, value));
      sum += value;
    }
  } else {
    uint64_t values[kBatch];
    Status statuses[kBatch];
    for (size_t at = 0; at + kBatch <= keys.size(); at += kBatch) {
      const uint64_t* const group = &keys[at];
      if constexpr (kLoop == Loop::kReadBatch) session.ReadBatch(kBatch, group, values, statuses);
      if constexpr (kLoop == Loop::kUpsertBatch) session.UpsertBatch(kBatch, group, group, statuses);
      if constexpr (kLoop == Loop::kRmwBatch) session.RmwBatch(kBatch, group, group, values, statuses);
      for (size_t i = 0; i < kBatch; ++i) sum += group[i];
    }
  }
  return sum;
}

uint64_t Run(const std::string& name, Session& session, const std::vector<uint64_t>& keys) {
  if (name == "nothing") return MeasuredLoop<Loop::kNothing>(session, keys);
  if (name == "read") return MeasuredLoop<Loop::kRead>(session, keys);
  if (name == "upsert" || name == "insert") return MeasuredLoop<Loop::kUpsert>(session, keys);
  if (name == "rmw") return MeasuredLoop<Loop::kRmw>(session, keys);
  if (name == "nothing-batch") return MeasuredLoop<Loop::kNothingBatch>(session, keys);
  if (name == "read-batch") return MeasuredLoop<Loop::kReadBatch>(session, keys);
  if (name == "upsert-batch" || name == "insert-batch")
    return MeasuredLoop<Loop::kUpsertBatch>(session, keys);
  if (name == "rmw-batch") return MeasuredLoop<Loop::kRmwBatch>(session, keys);
  std::fprintf(stderr, "cpr-instructions: no operation %s\n", name.c_str());
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t key_count = argc > 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  const uint64_t count = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  if (key_count == 0 || count < kBatch) {
    std::fprintf(stderr, "usage: cpr-instructions OPERATION KEYS COUNT (at least %zu)\n", kBatch);
    return 2;
  }
  const std::string name = argv[1];
  const bool inserts = name.starts_with("insert");
  faster::StoreConfig config;
  config.page_bits = 20;
  config.buffer_pages = 256;
  config.mutable_pages = 250;
  config.refresh_interval = 64;
  config.index_buckets = std::bit_ceil((inserts ? count : key_count) / 2 + 1);
  faster::NullStorage storage;
  faster::Diagnosis why;
  std::unique_ptr<Kv> kv;
  if (Kv::Create(config, &storage, {}, nullptr, &kv, &why) != Status::kOk) {
    std::fprintf(stderr, "cpr-instructions: %s\n", why.Text().c_str());
    return 2;
  }
  const std::unique_ptr<Session> session = kv->StartSession();
  std::vector<uint64_t> keys(count & ~uint64_t{kBatch - 1});
  faster::IdSource random(7);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = inserts ? i : random.Next() % key_count;
  for (uint64_t key = 0; key < key_count && !inserts; ++key) {
    if (session->Upsert(key, key) != Status::kOk) return 3;
  }
  std::printf("operations %zu sum %llu\n", keys.size(),
              static_cast<unsigned long long>(Run(name, *session, keys)));
  return 0;
}
