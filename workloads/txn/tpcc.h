// TPC-C's Payment and New-Order (CPR paper sec. 7.1 and Figure 17), in fixed-size records.
//
// Records have the columns that the two transactions and the consistency conditions need, as words, and
// filler up to the size that the specification gives them. Money is in cents, as signed numbers in words.
//
// Differs from the specification (5.11), for reasons:
//   * Orders, their lines, new orders and the history are kept for the last `window` of each district, in
//     rings: nothing else removes them here, and memory is fixed. A district keeps the sums of what was
//     overwritten (history amounts, order lines ever), so no condition becomes weaker.
//   * A customer is chosen by number, never by last name: the secondary index is not what is measured.
//   * There are no orders at the start; the other three transactions are left out, as in the paper.
//   * `home_only`: no remote stock and no remote customers. Set it when threads have a home warehouse each
//     and conflicts shall not depend on how few warehouses there are.
#pragma once

#include <string>

#include "workloads/generators.h"
#include "workloads/txn/workload.h"

namespace workloads::txn {

struct TpccOptions {
  uint32_t warehouses = 2;
  uint32_t customers_per_district = 3000;
  uint32_t items = 100'000;
  uint32_t window = 3000;       // orders and payments kept per district
  double payment_share = 0.5;   // the rest are New-Orders
  bool home_per_thread = true;  // thread t works for warehouse t mod warehouses; else each transaction draws
  bool home_only = true;
  double rollback_share = 0.01;  // New-Orders with an item that there is not: the body gives up
  uint64_t seed = 1;
};

// "" or one line that says what cannot work.
std::string CheckTpcc(const TpccOptions& options);

namespace tpcc {

constexpr uint32_t kDistricts = 10;  // per warehouse
constexpr uint32_t kMostLines = 15;
constexpr int64_t kWarehouseYtd = 30'000'000, kDistrictYtd = 3'000'000;
constexpr int64_t kCustomerBalance = -1000, kCustomerYtd = 1000;

enum TableId : uint32_t {
  kWarehouse,
  kDistrict,
  kCustomer,
  kItem,
  kStock,
  kHistory,
  kOrder,
  kNewOrder,
  kOrderLine,
  kTables
};
// Words of a record of each table.
constexpr uint32_t kWords[kTables] = {12, 14, 82, 11, 39, 6, 4, 1, 7};

// The words of the records; what is not named is filler.
struct WarehouseRow {
  enum : uint32_t { kYtd, kTax };
};
struct DistrictRow {
  enum : uint32_t { kYtd, kTax, kNextOrder, kPayments, kDropped, kLines };
};
struct CustomerRow {
  enum : uint32_t { kBalance, kYtdPayment, kPayments, kDeliveries, kDiscount, kBadCredit, kData };
};
struct ItemRow {
  enum : uint32_t { kPrice, kImage };
};
struct StockRow {
  enum : uint32_t { kQuantity, kYtd, kOrders, kRemote };
};
struct HistoryRow {
  enum : uint32_t { kAmount, kCustomer, kDistrict, kNumber };  // numbers from 1
};
struct OrderRow {
  enum : uint32_t { kNumber, kCustomer, kLines, kAllLocal };
};
struct OrderLineRow {
  enum : uint32_t { kOrder, kItem, kSupplier, kQuantity, kAmount };
};

}  // namespace tpcc

class Tpcc final : public Workload {
 public:
  explicit Tpcc(const TpccOptions& options) : options_(options) {}

  std::vector<TableConfig> Tables() const override;
  Status Load(TxnStore* store) const override;
  std::unique_ptr<WorkloadThread> Thread(uint32_t thread) const override;
  // The consistency conditions 1-6, 8-10 and 12 of the specification (3.3.2), each line with its number, and
  // X1-X3 for what the two transactions keep equal across tables. See tpcc_check.cc.
  std::vector<std::string> Check(const TxnStore& store) const override;

 private:
  const TpccOptions options_;
};

}  // namespace workloads::txn
