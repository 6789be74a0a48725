// figure-recovery: how long a store needs until it takes operations again (ours; no paper measures it).
#include "experiments/bench/device_rate.h"
#include "experiments/figures/program.h"
#include "experiments/figures/recovery/recovery_cell.h"

namespace {

namespace bench = experiments::bench;
namespace figures = experiments::figures;
using figures::Outcome;
using figures::RecoverySettings;

void Declare(figures::Program* p, RecoverySettings* s) {
  p->AddNumber("records", "in the log, of 8-byte keys and values", &s->records, 1000, 1'000'000'000);
  p->AddNumber("keys", "different ones", &s->keys, 1000, 1'000'000'000);
  p->AddNumber("memory", "bytes of log buffer at most, of the store that writes and of the one that recovers",
               &s->memory, uint64_t{32} << 20, uint64_t{1} << 40);
  p->AddNumber("recovery_threads", "threads of a recovery", &s->threads, 1, 64);
  p->AddChoice("kind", "of the last checkpoint", &s->kind, {"fold-over", "snapshot", "incremental"});
  p->AddNumber("deltas", "incremental: of them after a snapshot of half of the records", &s->deltas, 1, 1000);
  p->AddReal(
      "index_share",
      "share of the records that are in the newest checkpoint of the index; 0: there is none, 1: it is "
      "of the same checkpoint",
      &s->index_share, 0, 1);
  p->AddNumber("recoveries", "of the same store, the median counts", &s->recoveries, 1, 1000);
  p->AddFlag("cold", "the page cache is asked to forget the files before each reading", &s->cold);
}

Outcome Measure(const RecoverySettings& settings, const figures::Cell& cell, figures::Output* output,
                std::string* problem) {
  *problem = CheckSettings(settings);
  std::string folder;
  if (!problem->empty() || !output->WorkFolder(&folder, problem)) return Outcome::kRefused;
  const bench::RecoveredStore store = StoreOf(settings, folder);
  if (!Fill(store, problem)) return Outcome::kRefused;
  bench::Settle(folder);
  bench::Transfer warming;  // what was written past the page cache is not in it yet
  if (!settings.cold && !TimeSequentialRead(folder, &warming, problem)) return Outcome::kRefused;
  std::vector<bench::Recovery> recoveries;
  std::vector<figures::PlainRead> reads;
  for (uint64_t i = 0; i < settings.recoveries; ++i) {
    bench::Transfer plain;
    if (settings.cold && !bench::Drop(folder, problem)) return Outcome::kRefused;
    if (!TimeSequentialRead(folder, &plain, problem)) return Outcome::kRefused;
    if (settings.cold && !bench::Drop(folder, problem)) return Outcome::kRefused;
    bench::Recovery recovery;
    const uint64_t seed = (cell.seed + 1) * 1000003 + i;
    if (!Recover(store, static_cast<uint32_t>(settings.threads), seed, {}, &recovery, problem))
      return Outcome::kViolated;
    if (recovery.serial != settings.records) {
      *problem = "the commit point that came back is " + std::to_string(recovery.serial) + ", of " +
                 std::to_string(settings.records) + " operations before the checkpoint";
      return Outcome::kViolated;
    }
    recoveries.push_back(recovery);
    reads.push_back({plain.seconds, plain.bytes});
  }
  output->Threads(settings.threads);
  for (const auto& [name, value] : MetricsOf(settings, recoveries, reads)) output->Metric(name, value);
  return Outcome::kMeasured;
}

}  // namespace

int main(int argc, char** argv) {
  RecoverySettings settings;
  figures::Program program("figure-recovery",
                           "How long a store needs to recover, and what that consists of.");
  Declare(&program, &settings);
  return program.Run(argc, argv,
                     [&](const figures::Cell& cell, figures::Output* output, std::string* problem) {
                       return Measure(settings, cell, output, problem);
                     });
}
