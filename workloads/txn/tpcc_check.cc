// The consistency conditions of TPC-C (specification 5.11, 3.3.2), over what the rings of tpcc.h hold.
//
//   C1  W_YTD is the sum of its districts' D_YTD
//   C2  D_NEXT_O_ID - 1 is the greatest number among the district's orders, and among its new orders
//   C3  the numbers of a district's new orders have no gap
//   C4  a district has as many order lines as its orders' O_OL_CNT say together
//   C5  every order has its new order (none is delivered), and the other way round
//   C6  every order has exactly O_OL_CNT lines
//   C8, C9  W_YTD and D_YTD are what the history says
//   C10, C12  C_BALANCE + C_YTD_PAYMENT is what it was (nothing is delivered)
//   X1  all customers together paid what all warehouses got
//   X2  all stocks together were ordered from as often as the districts had order lines
//   X3  all customers together made as many payments as the districts had
#include <algorithm>

#include "workloads/txn/tpcc.h"

namespace workloads::txn {

using namespace tpcc;

namespace {

class Checker {
 public:
  Checker(const TpccOptions& options, const TxnStore& store) : options_(options), store_(store) {}

  std::vector<std::string> Run() {
    for (uint64_t warehouse = 0; warehouse < options_.warehouses; ++warehouse) CheckWarehouse(warehouse);
    CheckCustomers();
    CheckStock();
    return std::move(wrong_);
  }

 private:
  struct Row {
    uint64_t word[82] = {};
    uint64_t operator[](uint32_t i) const { return word[i]; }
    int64_t Money(uint32_t i) const { return static_cast<int64_t>(word[i]); }
  };

  Row At(uint32_t table, uint64_t key) const {  // zeros if there is none
    Row row;
    static_cast<void>(store_.Peek(table, key, row.word));
    return row;
  }
  template <class A, class B>
  void Equal(const std::string& condition, const std::string& where, A found, B expected) {
    if (found == static_cast<A>(expected)) return;
    wrong_.push_back(condition + " " + where + ": " + std::to_string(found) + ", expected " +
                     std::to_string(expected));
  }

  void CheckWarehouse(uint64_t number) {
    const std::string where = "warehouse " + std::to_string(number);
    const int64_t ytd = At(kWarehouse, number).Money(WarehouseRow::kYtd);
    int64_t districts_ytd = 0, history = 0;
    for (uint64_t i = 0; i < kDistricts; ++i) {
      const uint64_t district = number * kDistricts + i;
      districts_ytd += At(kDistrict, district).Money(DistrictRow::kYtd);
      history += CheckDistrict(district);
    }
    Equal("C1", where, districts_ytd, ytd);
    Equal("C8", where, history, ytd - kWarehouseYtd);
    paid_ += ytd - kWarehouseYtd;
  }

  // The sum of its history.
  int64_t CheckDistrict(uint64_t number) {
    const std::string where = "district " + std::to_string(number);
    const Row district = At(kDistrict, number);
    uint64_t greatest = 0, greatest_entry = 0, least_entry = ~uint64_t{0}, entries = 0, promised = 0,
             lines = 0;
    int64_t history = district.Money(DistrictRow::kDropped);
    for (uint64_t i = 0; i < options_.window; ++i) {
      const uint64_t place = number * options_.window + i;
      history += At(kHistory, place).Money(HistoryRow::kAmount);
      const Row order = At(kOrder, place);
      const uint64_t entry = At(kNewOrder, place)[0];
      Equal("C5", where + " place " + std::to_string(i), entry, order[OrderRow::kNumber]);
      const uint64_t here = LinesOf(place, order[OrderRow::kNumber]);
      Equal("C6", where + " order " + std::to_string(order[OrderRow::kNumber]), here,
            order[OrderRow::kLines]);
      lines += here;
      promised += order[OrderRow::kLines];
      greatest = std::max(greatest, order[OrderRow::kNumber]);
      if (entry == 0) continue;
      greatest_entry = std::max(greatest_entry, entry);
      least_entry = std::min(least_entry, entry);
      ++entries;
    }
    Equal("C2", where + " orders", greatest, district[DistrictRow::kNextOrder] - 1);
    Equal("C2", where + " new orders", greatest_entry, district[DistrictRow::kNextOrder] - 1);
    if (entries != 0) Equal("C3", where, entries, greatest_entry - least_entry + 1);
    Equal("C4", where, lines, promised);
    Equal("C9", where, history, district.Money(DistrictRow::kYtd) - kDistrictYtd);
    ordered_ += district[DistrictRow::kLines];
    payments_ += district[DistrictRow::kPayments];
    return history;
  }

  // Lines at the place; a line of another order than the one there counts for none.
  uint64_t LinesOf(uint64_t place, uint64_t order) {
    uint64_t lines = 0;
    for (uint64_t i = 0; i < kMostLines; ++i) {
      const Row line = At(kOrderLine, place * kMostLines + i);
      if (line[OrderLineRow::kOrder] == 0) continue;
      if (line[OrderLineRow::kOrder] == order) {
        ++lines;
      } else {
        wrong_.push_back("C6 place " + std::to_string(place) + ": a line of order " +
                         std::to_string(line[OrderLineRow::kOrder]) + " with order " + std::to_string(order));
      }
    }
    return lines;
  }

  void CheckCustomers() {
    int64_t paid = 0;
    uint64_t payments = 0;
    const uint64_t customers = uint64_t{options_.warehouses} * kDistricts * options_.customers_per_district;
    for (uint64_t key = 0; key < customers; ++key) {
      const Row customer = At(kCustomer, key);
      Equal("C10/C12", "customer " + std::to_string(key),
            customer.Money(CustomerRow::kBalance) + customer.Money(CustomerRow::kYtdPayment),
            kCustomerBalance + kCustomerYtd);
      paid += customer.Money(CustomerRow::kYtdPayment) - kCustomerYtd;
      payments += customer[CustomerRow::kPayments] - 1;
    }
    Equal("X1", "all customers", paid, paid_);
    Equal("X3", "all customers", payments, payments_);
  }

  void CheckStock() {
    uint64_t orders = 0;
    for (uint64_t key = 0; key < uint64_t{options_.warehouses} * options_.items; ++key)
      orders += At(kStock, key)[StockRow::kOrders];
    Equal("X2", "all stocks", orders, ordered_);
  }

  const TpccOptions& options_;
  const TxnStore& store_;
  std::vector<std::string> wrong_;
  int64_t paid_ = 0;
  uint64_t ordered_ = 0, payments_ = 0;
};

}  // namespace

std::vector<std::string> Tpcc::Check(const TxnStore& store) const { return Checker(options_, store).Run(); }

}  // namespace workloads::txn
