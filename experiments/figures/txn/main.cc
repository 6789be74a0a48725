// figure-txn: YCSB transactions on the transactional store, durable by CPR, CALC or WAL (CPR paper, Figures
// 10, 11 and 16). After every cell each value is checked, and that all of them together hold every write of
// every committed transaction once.
#include "experiments/figures/txn/measure.h"
#include "workloads/txn/ycsb_transactions.h"

namespace {

namespace figures = experiments::figures;
namespace txn = experiments::figures::txn;
using workloads::txn::TxnStore;
using workloads::txn::YcsbTransactionOptions;
using workloads::txn::YcsbTransactions;

struct Settings {
  txn::RunSettings run;
  uint64_t keys, keys_per_transaction, value_words, drawn_per_thread;
  double read_percent, zipf_theta;
  std::string distribution;
};

void Declare(figures::Program* p, Settings* s) {
  txn::DeclareRun(p, &s->run);
  p->AddNumber("keys", "loaded before", &s->keys, 100, 1'000'000'000);
  p->AddNumber("keys_per_transaction", "distinct ones", &s->keys_per_transaction, 1, 64);
  p->AddNumber("value_words", "8 bytes each", &s->value_words, 1, 1024);
  p->AddNumber("drawn_per_thread", "keys drawn ahead, taken in a ring", &s->drawn_per_thread, 1, 1 << 28);
  p->AddReal("read_percent", "of the accesses; the others write", &s->read_percent, 0, 100);
  p->AddChoice("distribution", "of the keys", &s->distribution, {"uniform", "zipf_hashed", "zipf_raw"});
  p->AddReal("zipf_theta", "skew", &s->zipf_theta, 0.0001, 0.9999);
}

YcsbTransactionOptions OptionsOf(const Settings& s, uint64_t seed) {
  YcsbTransactionOptions options;
  options.keys = s.keys;
  options.keys_per_transaction = static_cast<uint32_t>(s.keys_per_transaction);
  options.write_share = 1 - s.read_percent / 100;
  static_cast<void>(workloads::ParseDistribution(s.distribution, &options.distribution));  // of the choices
  options.theta = s.zipf_theta;
  options.drawn_per_thread = s.drawn_per_thread;
  options.value_words = static_cast<uint32_t>(s.value_words);
  options.seed = seed;
  return options;
}

std::vector<std::string> Wrong(const YcsbTransactions& workload, const TxnStore& store,
                               const std::vector<uint64_t>& serials) {
  std::vector<std::string> wrong = workload.Check(store);
  uint64_t expected = 0;
  for (uint32_t thread = 0; thread < serials.size(); ++thread) {
    for (uint64_t serial = 1; serial <= serials[thread]; ++serial)
      expected += workload.WritesOf(thread, serial);
  }
  const uint64_t found = workload.Writes(store);
  if (found != expected)
    wrong.push_back("the values hold " + std::to_string(found) + " writes; committed were " +
                    std::to_string(expected));
  return wrong;
}

figures::Outcome Measure(const Settings& s, const figures::Cell& cell, figures::Output* output,
                         std::string* problem) {
  const YcsbTransactionOptions options = OptionsOf(s, cell.seed);
  *problem = CheckYcsbTransactions(options);
  if (!problem->empty()) return figures::Outcome::kRefused;
  const YcsbTransactions workload(options);
  const auto check = [&workload](const TxnStore& store, const std::vector<uint64_t>& serials) {
    return Wrong(workload, store, serials);
  };
  return txn::Measure(s.run, workload, check, output, problem);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  figures::Program program("figure-txn",
                           "YCSB transactions on the transactional store of the CPR paper: throughput, "
                           "latency, aborts, where time goes, and all of it over time.");
  Declare(&program, &settings);
  return program.Run(argc, argv,
                     [&](const figures::Cell& cell, figures::Output* output, std::string* problem) {
                       return Measure(settings, cell, output, problem);
                     });
}
