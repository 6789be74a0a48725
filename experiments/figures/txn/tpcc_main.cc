// figure-txn-tpcc: TPC-C's Payment and New-Order on the transactional store (CPR paper, Figure 17). After
// every cell the consistency conditions are checked (workloads/txn/tpcc_check.cc).
#include "experiments/figures/txn/measure.h"
#include "workloads/txn/tpcc.h"

namespace {

namespace figures = experiments::figures;
namespace txn = experiments::figures::txn;
using workloads::txn::Tpcc;
using workloads::txn::TpccOptions;
using workloads::txn::TxnStore;

struct Settings {
  txn::RunSettings run;
  uint64_t warehouses, customers_per_district, items, window;
  double payment_percent;
  bool home_only;
};

void Declare(figures::Program* p, Settings* s) {
  txn::DeclareRun(p, &s->run);
  p->AddNumber("warehouses", "thread t works for the t-th, round robin", &s->warehouses, 1, 10'000);
  p->AddNumber("customers_per_district", "3000 in the specification", &s->customers_per_district, 1,
               1'000'000);
  p->AddNumber("items", "100000 in the specification", &s->items, 1, 100'000'000);
  p->AddNumber("window", "orders and payments kept per district", &s->window, 1, 100'000'000);
  p->AddReal("payment_percent", "the other transactions are New-Orders", &s->payment_percent, 0, 100);
  p->AddFlag("home_only", "no stock and no customers of other warehouses", &s->home_only);
}

figures::Outcome Measure(const Settings& s, const figures::Cell& cell, figures::Output* output,
                         std::string* problem) {
  TpccOptions options;
  options.warehouses = static_cast<uint32_t>(s.warehouses);
  options.customers_per_district = static_cast<uint32_t>(s.customers_per_district);
  options.items = static_cast<uint32_t>(s.items);
  options.window = static_cast<uint32_t>(s.window);
  options.payment_share = s.payment_percent / 100;
  options.home_only = s.home_only;
  options.seed = cell.seed;
  *problem = CheckTpcc(options);
  if (!problem->empty()) return figures::Outcome::kRefused;
  const Tpcc workload(options);
  const auto check = [&workload](const TxnStore& store, const std::vector<uint64_t>&) {
    return workload.Check(store);
  };
  return txn::Measure(s.run, workload, check, output, problem);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  figures::Program program("figure-txn-tpcc",
                           "TPC-C's Payment and New-Order on the transactional store of the CPR paper; the "
                           "consistency conditions are checked after every cell.");
  Declare(&program, &settings);
  return program.Run(argc, argv,
                     [&](const figures::Cell& cell, figures::Output* output, std::string* problem) {
                       return Measure(settings, cell, output, problem);
                     });
}
