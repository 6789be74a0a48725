// figure-compaction: the oldest part of a log compacted by scan or by lookup (F2 paper, PVLDB'25, Figure 9).
//
// Records are loaded in order and updated at random, so that the region has dead ones; then it is compacted
// while nobody works. Every key is read afterwards.
#include <malloc.h>

#include <atomic>
#include <thread>

#include "experiments/bench/counting_storage.h"
#include "experiments/bench/device_rate.h"
#include "experiments/common/progress.h"
#include "experiments/figures/program.h"
#include "faster/device/throttled_storage.h"
#include "faster/store/faster_kv.h"
#include "workloads/generators.h"
#include "workloads/ycsb/value.h"

namespace {

namespace bench = experiments::bench;
namespace figures = experiments::figures;
using faster::Status;
using figures::Outcome;
using Value = workloads::ycsb::Value<104>;
using Kv = faster::FasterKv<uint64_t, Value, workloads::ycsb::AddWord<104>>;

struct Settings {
  uint64_t records, updates, memory, index_buckets, block_bytes, read_mb_per_s, write_mb_per_s;
  double region_share;
  std::string compaction;
};

void Declare(figures::Program* p, Settings* s) {
  p->AddChoice("compaction", "how what is live is found", &s->compaction, {"scan", "lookup"});
  p->AddNumber("records", "keys with values of 104 bytes, loaded in order", &s->records, 1000, 100'000'000);
  p->AddNumber("updates", "of keys drawn uniformly, after that", &s->updates, 0, 1'000'000'000);
  p->AddReal("region_share", "share of the log, from its begin, that is compacted", &s->region_share, 0.001,
             1);
  p->AddNumber("memory", "bytes of log buffer, a power of two", &s->memory, 1 << 16, uint64_t{1} << 40);
  p->AddNumber("index_buckets", "a power of two, 64 bytes each", &s->index_buckets, 1, uint64_t{1} << 32);
  p->AddNumber("block_bytes", "read from the device at once, a power of two", &s->block_bytes, 512, 1 << 20);
  p->AddNumber("read_mb_per_s", "limit of the device, 10^6 bytes; 0: none", &s->read_mb_per_s, 0, 1'000'000);
  p->AddNumber("write_mb_per_s", "the same for writes", &s->write_mb_per_s, 0, 1'000'000);
}

faster::StoreConfig ConfigOf(const Settings& s, uint64_t seed) {
  faster::StoreConfig config;
  config.page_bits = 12;
  while (config.page_bits < 20 && s.memory >> config.page_bits > 64) ++config.page_bits;
  config.buffer_pages = static_cast<uint32_t>(s.memory >> config.page_bits);
  config.mutable_pages = config.buffer_pages / 2;
  config.block_bytes = static_cast<uint32_t>(s.block_bytes);
  config.index_buckets = s.index_buckets;
  config.prefault = true;
  config.seed = seed;
  return config;
}

// The most memory that the allocator had handed out beyond what it had at the start, looked at all the time.
class HeapWatcher {
 public:
  HeapWatcher() : start_(InUse()), thread_([this] { Watch(); }) {}
  ~HeapWatcher() { Stop(); }
  uint64_t Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return most_;
  }

 private:
  static uint64_t InUse() {
    const struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
  }
  void Watch() {
    while (!stop_.load()) {
      const uint64_t now = InUse();
      if (now > start_ + most_) most_ = now - start_;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  const uint64_t start_;
  uint64_t most_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

bool Fill(const Settings& s, uint64_t seed, Kv* kv, std::vector<uint64_t>* words) {
  workloads::Random random(seed);
  const auto session = kv->StartSession();
  Status status = Status::kOk;
  words->assign(s.records, 0);
  for (uint64_t i = 0; i < s.records + s.updates && status == Status::kOk; ++i) {
    const uint64_t key = i < s.records ? i : random.Below(s.records);
    (*words)[key] = i + 1;
    status = session->Upsert(key, Value::Of(i + 1));
  }
  session->Close();
  return status == Status::kOk;
}

// The first key whose value is not what was written last; `words.size()` if all are.
uint64_t FirstWrong(Kv* kv, const std::vector<uint64_t>& words) {
  const auto session = kv->StartSession();
  uint64_t wrong = words.size();
  const auto check = [&](uint64_t key, Status status, const Value& value) {
    if ((status != Status::kOk || value.word[0] != words[key] || !value.Whole()) && key < wrong) wrong = key;
  };
  const auto collect = [&](const auto& op) {
    check(reinterpret_cast<uint64_t>(op.user), op.result, op.value.Value());
  };
  for (uint64_t key = 0; key < words.size(); ++key) {
    Value value{};
    const Status status = session->Read(key, &value, reinterpret_cast<void*>(key));
    if (status != Status::kPending) check(key, status, value);
    if (key % 256 == 255) session->CompletePending(true, collect);
  }
  session->CompletePending(true, collect);
  session->Close();
  return wrong;
}

Outcome Measure(const Settings& s, const figures::Cell& cell, figures::Output* output, std::string* problem) {
  std::string folder;
  if (!output->WorkFolder(&folder, problem)) return Outcome::kRefused;
  bench::CountingStorage device(folder);
  faster::ThrottledStorage slow(&device, {s.read_mb_per_s * 1'000'000, s.write_mb_per_s * 1'000'000});
  std::unique_ptr<Kv> kv;
  faster::Diagnosis why;
  if (Kv::Create(ConfigOf(s, cell.seed), &slow, {}, nullptr, &kv, &why) != Status::kOk)
    return *problem = "cannot make the store: " + why.Text(), Outcome::kRefused;
  std::vector<uint64_t> words;
  if (!Fill(s, cell.seed, kv.get(), &words)) return *problem = "an upsert failed", Outcome::kRefused;

  const faster::LogAddress begin = kv->log().begin(), tail = kv->log().tail();
  const auto until = begin + static_cast<uint64_t>(s.region_share * static_cast<double>(tail - begin));
  const auto kind = s.compaction == "scan" ? faster::CompactionKind::kScan : faster::CompactionKind::kLookup;
  faster::CompactionProgress progress;
  const uint64_t read = device.read(), written = device.written();
  HeapWatcher heap;
  const double start = experiments::MonotonicSeconds();
  const Status status = kv->Compact(until, kind, &progress);
  const double seconds = experiments::MonotonicSeconds() - start;
  const uint64_t most = heap.Stop();
  const double read_bytes = static_cast<double>(device.read() - read);
  if (status != Status::kOk)
    return *problem = "the compaction ended with " + std::string(StatusName(status)), Outcome::kViolated;
  if (const uint64_t wrong = FirstWrong(kv.get(), words); wrong != words.size())
    return *problem = "key " + std::to_string(wrong) + " is not what was written last", Outcome::kViolated;

  const auto region = static_cast<double>(progress.until - progress.begin);
  output->Metric("seconds", seconds);
  output->Metric("region_mb", region / 1e6);
  output->Metric("region_mb_s", region / seconds / 1e6);
  output->Metric("read_mb", read_bytes / 1e6);
  output->Metric("read_mb_s", read_bytes / seconds / 1e6);
  output->Metric("written_mb", static_cast<double>(device.written() - written) / 1e6);
  output->Metric("memory_mb", static_cast<double>(most) / 1e6);
  output->Metric("memory_over_region", static_cast<double>(most) / region);
  output->Metric("copied", static_cast<double>(progress.copied));
  output->Metric("live_share", static_cast<double>(progress.copied) /
                                   static_cast<double>(progress.copied + progress.superseded));
  return Outcome::kMeasured;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  figures::Program program("figure-compaction",
                           "Compaction of the oldest part of a log, by scan or by lookup.");
  Declare(&program, &settings);
  return program.Run(argc, argv,
                     [&](const figures::Cell& cell, figures::Output* output, std::string* problem) {
                       return Measure(settings, cell, output, problem);
                     });
}
