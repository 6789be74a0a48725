// figure-txn-atomics: atomic changes of shared words per transaction of CPR, CALC and WAL, counted by single
// steps (CPR paper, Figures 10a and 10b; atomics.h).
#include "experiments/common/storage_choice.h"
#include "experiments/figures/txn/atomics.h"
#include "experiments/figures/txn/measure.h"

namespace {

namespace figures = experiments::figures;
namespace txn = experiments::figures::txn;
using faster::Status;
using workloads::txn::TxnConfig;
using workloads::txn::TxnStore;

struct Settings {
  std::string scheme;
  uint64_t clients, keys_per_transaction, transactions_per_client;
  double read_percent;
};

void Declare(figures::Program* p, Settings* s) {
  txn::DeclareScheme(p, &s->scheme);
  p->AddNumber("clients", "that take turns, each with keys of its own", &s->clients, 2, 1024);
  p->AddNumber("keys_per_transaction", "distinct ones", &s->keys_per_transaction, 1, 64);
  p->AddNumber("transactions_per_client", "each is executed in single steps", &s->transactions_per_client, 1,
               10'000);
  p->AddReal("read_percent", "of the accesses; the others write", &s->read_percent, 0, 100);
}

void Write(const txn::AtomicsCount& count, figures::Output* output) {
  const auto per = [](uint64_t number, uint64_t transactions) {
    return static_cast<double>(number) / static_cast<double>(transactions);
  };
  output->Metric("shared_atomics_per_transaction", per(count.shared, count.transactions));
  if (count.writing != 0)
    output->Metric("shared_atomics_per_writing_transaction", per(count.shared, count.writing));
  output->Metric("own_atomics_per_transaction", per(count.own, count.transactions));
  output->Metric("shared_words", static_cast<double>(count.shared_words));
  output->Metric("instructions_per_transaction", per(count.instructions, count.transactions));
  output->Threads(1);
}

figures::Outcome Measure(const Settings& s, figures::Output* output, std::string* problem) {
  if (!txn::Stepper::kSupported)
    return *problem = "single steps need an x86-64 machine", figures::Outcome::kRefused;
  txn::AtomicsPlan plan;
  plan.clients = static_cast<uint32_t>(s.clients);
  plan.keys_per_transaction = static_cast<uint32_t>(s.keys_per_transaction);
  plan.transactions = static_cast<uint32_t>(s.transactions_per_client);
  plan.write_share = 1 - s.read_percent / 100;
  std::string folder;
  if (!output->WorkFolder(&folder, problem)) return figures::Outcome::kRefused;
  const std::unique_ptr<faster::Storage> storage = experiments::MakeStorage({}, folder);
  TxnConfig config;
  config.scheme = txn::SchemeOf(s.scheme);
  config.tables = {{1, plan.keys()}};
  config.directory = "txn";
  config.log_ring_bytes = plan.keys() * 256;  // nothing is flushed meanwhile
  TxnStore store(config, storage.get(), nullptr);
  faster::Diagnosis why;
  Status status = Status::kOk;
  const uint64_t one = 1;
  for (uint64_t key = 0; key < plan.keys() && status == Status::kOk; ++key) status = store.Load(0, key, &one);
  if (status == Status::kOk) status = store.Start(&why);
  if (status != Status::kOk) {
    *problem = "cannot load the store: " + std::string(StatusName(status));
    return figures::Outcome::kRefused;
  }
  txn::AtomicsCount count;
  if (!CountAtomics(plan, &store, &count, problem)) return figures::Outcome::kViolated;
  Write(count, output);
  return figures::Outcome::kMeasured;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  figures::Program program("figure-txn-atomics",
                           "Counts the atomic changes of shared words that transactions of CPR, CALC and WAL "
                           "make, by executing them one instruction after another.");
  Declare(&program, &settings);
  return program.Run(argc, argv, [&](const figures::Cell&, figures::Output* output, std::string* problem) {
    return Measure(settings, output, problem);
  });
}
