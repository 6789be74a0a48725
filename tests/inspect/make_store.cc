// make_store DIR KEYS KIND...: a store in DIR with KEYS records of 8 and 8 bytes and the hash of YCSB runs,
// and after each round of updates a checkpoint of the KIND: full/foldover, full/snapshot, log/foldover,
// log/snapshot, incremental, index. `open` as the last word: waits for its stdin to end before it closes.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "faster/device/posix_storage.h"
#include "faster/store/faster_kv.h"
#include "workloads/ycsb/value.h"

namespace faster {
namespace {

using Functions = workloads::ycsb::AddWord<8>;
using Value = workloads::ycsb::Value<8>;
using Kv = FasterKv<uint64_t, Value, Functions>;

struct Observer : CheckpointObserver {
  void OnDurable(const Token&, CheckpointKind, Status ended, uint64_t,
                 const std::vector<SessionCommit>&) override {
    status = ended;
  }
  Status status = Status::kPending;
};

bool Checkpoint(Kv* kv, Observer* observer, const std::string& kind) {
  CheckpointKind what = CheckpointKind::kFull;
  if (kind.starts_with("log")) what = CheckpointKind::kLogOnly;
  if (kind == "incremental") what = CheckpointKind::kIncremental;
  if (kind == "index") what = CheckpointKind::kIndexOnly;
  const LogBackend backend =
      kind.ends_with("/snapshot") || kind == "incremental" ? LogBackend::kSnapshot : LogBackend::kFoldOver;
  Token token;
  observer->status = Status::kPending;
  if (kv->Checkpoint(what, backend, &token) != Status::kOk) return false;
  while (!kv->Poll()) std::this_thread::yield();
  std::printf("%s\n", token.Text().c_str());
  return observer->status == Status::kOk;
}

int Main(int argc, char** argv) {
  if (argc < 4) return 2;
  const uint64_t keys = std::strtoull(argv[2], nullptr, 10);
  PosixStorage storage(argv[1]);
  StoreConfig config;
  config.page_bits = keys > 100000 ? 22 : 12;
  config.buffer_pages = 64;
  config.mutable_pages = 40;
  config.block_bytes = keys > 100000 ? 4096 : 512;
  config.segment_pages = 16;
  while (config.index_buckets < keys / 6) config.index_buckets *= 2;
  if (keys <= 100000) config.index_buckets = 256;
  Observer observer;
  std::unique_ptr<Kv> kv;
  Diagnosis why;
  if (Kv::Create(config, &storage, {}, &observer, &kv, &why) != Status::kOk) {
    std::fprintf(stderr, "%s\n", why.Text().c_str());
    return 1;
  }
  bool good = true, open = false;
  for (int i = 3; i < argc && good; ++i) {
    if (std::string(argv[i]) == "open") {
      open = true;
      continue;
    }
    auto session = kv->StartSession();
    const uint64_t count = i == 3 ? keys : keys / 10;
    for (uint64_t key = 0; key < count && good; ++key)
      good = session->Upsert(key * 7919, Value::Of(key + static_cast<uint64_t>(i))) == Status::kOk;
    session.reset();
    good = good && Checkpoint(kv.get(), &observer, argv[i]);
  }
  std::fflush(stdout);
  while (open && std::getchar() != EOF) {
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace faster

int main(int argc, char** argv) { return faster::Main(argc, argv); }
