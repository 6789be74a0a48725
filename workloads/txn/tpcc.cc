#include "workloads/txn/tpcc.h"

#include <algorithm>
#include <cstring>

namespace workloads::txn {

using namespace tpcc;

namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ull;

void Add(uint64_t* word, int64_t amount) { *word += static_cast<uint64_t>(amount); }

// Fills what is not a column, so that records are as large as they look.
void Fill(uint64_t* row, uint32_t from, uint32_t words, Random* random) {
  for (uint32_t i = from; i < words; ++i) row[i] = random->Next() | 1;
}

// The non-uniform distribution of the specification (2.1.6), numbers from 0.
uint64_t NonUniform(Random* random, uint64_t a, uint64_t c, uint64_t range) {
  return ((random->Below(a + 1) | random->Below(range)) + c) % range;
}

class TpccThread final : public WorkloadThread {
 public:
  TpccThread(const TpccOptions& options, uint32_t thread) : options_(options), thread_(thread) {}

  void Draw(uint64_t serial, uint64_t given_up) override {
    Random random((options_.seed * 1000003 + thread_ + 1) * kGolden ^ given_up << 48 ^
                  serial * 0xbf58476d1ce4e5b9ull);
    const uint64_t home =
        options_.home_per_thread ? thread_ % options_.warehouses : random.Below(options_.warehouses);
    warehouse_ = home;
    district_ = home * kDistricts + random.Below(kDistricts);
    customer_district_ = district_;
    customer_ = NonUniform(&random, 1023, 259, options_.customers_per_district);
    payment_ = random.NextDouble() < options_.payment_share;
    payment_ ? DrawPayment(&random) : DrawNewOrder(&random);
  }
  TxnResult Try(Client& client, bool timed) override {
    const auto body = [this](Transaction& transaction) {
      return payment_ ? Payment(transaction) : NewOrder(transaction);
    };
    return timed ? client.Execute<TickTiming>(body) : client.Execute(body);
  }

 private:
  struct Line {
    uint64_t item, supplier, quantity;
  };

  uint64_t Another(Random* random) const {  // warehouse
    const uint64_t other = random->Below(options_.warehouses - 1);
    return other < warehouse_ ? other : other + 1;
  }
  bool Remote(Random* random, double share) const {
    return !options_.home_only && options_.warehouses > 1 && random->NextDouble() < share;
  }
  void DrawPayment(Random* random) {
    amount_ = static_cast<int64_t>(100 + random->Below(500'000 - 99));
    if (Remote(random, 0.15)) customer_district_ = Another(random) * kDistricts + random->Below(kDistricts);
  }
  void DrawNewOrder(Random* random) {
    lines_.resize(5 + random->Below(kMostLines - 4));
    for (Line& line : lines_) {
      line.item = NonUniform(random, 8191, 7911, options_.items);
      line.supplier = Remote(random, 0.01) ? Another(random) : warehouse_;
      line.quantity = 1 + random->Below(10);
    }
    if (random->NextDouble() < options_.rollback_share) lines_.back().item = options_.items;
  }

  bool Payment(Transaction& transaction) const {
    uint64_t* const warehouse = transaction.Write(kWarehouse, warehouse_);
    if (warehouse == nullptr) return false;
    uint64_t* const district = transaction.Write(kDistrict, district_);
    if (district == nullptr) return false;
    const uint64_t customer_key = customer_district_ * options_.customers_per_district + customer_;
    uint64_t* const customer = transaction.Write(kCustomer, customer_key);
    if (customer == nullptr) return false;
    const uint64_t number = ++district[DistrictRow::kPayments];
    uint64_t* const history =
        transaction.Write(kHistory, district_ * options_.window + number % options_.window);
    if (history == nullptr) return false;

    Add(&warehouse[WarehouseRow::kYtd], amount_);
    Add(&district[DistrictRow::kYtd], amount_);
    district[DistrictRow::kDropped] += history[HistoryRow::kAmount];
    Add(&customer[CustomerRow::kBalance], -amount_);
    Add(&customer[CustomerRow::kYtdPayment], amount_);
    ++customer[CustomerRow::kPayments];
    if (customer[CustomerRow::kBadCredit] != 0) {  // what was there moves on, the new comes first
      uint64_t* const data = customer + CustomerRow::kData;
      std::memmove(data + 3, data, (kWords[kCustomer] - CustomerRow::kData - 3) * 8);
      data[0] = customer_key;
      data[1] = district_;
      data[2] = static_cast<uint64_t>(amount_);
    }
    history[HistoryRow::kAmount] = static_cast<uint64_t>(amount_);
    history[HistoryRow::kCustomer] = customer_key;
    history[HistoryRow::kDistrict] = district_;
    history[HistoryRow::kNumber] = number;
    return true;
  }

  bool NewOrder(Transaction& transaction) const {
    const uint64_t* const warehouse = transaction.Read(kWarehouse, warehouse_);
    if (warehouse == nullptr) return false;
    uint64_t* const district = transaction.Write(kDistrict, district_);
    if (district == nullptr) return false;
    const uint64_t customer_key = district_ * options_.customers_per_district + customer_;
    const uint64_t* const customer = transaction.Read(kCustomer, customer_key);
    if (customer == nullptr) return false;
    const uint64_t number = district[DistrictRow::kNextOrder]++;
    district[DistrictRow::kLines] += lines_.size();
    const uint64_t place = district_ * options_.window + number % options_.window;
    uint64_t* const order = transaction.Write(kOrder, place);
    uint64_t* const entry = order == nullptr ? nullptr : transaction.Write(kNewOrder, place);
    if (entry == nullptr) return false;
    const uint64_t lines_before = order[OrderRow::kLines];
    bool local = true;
    for (size_t i = 0; i < lines_.size(); ++i) {
      local = local && lines_[i].supplier == warehouse_;
      if (!AddLine(transaction, lines_[i], number, place * kMostLines + i)) return false;
    }
    for (uint64_t i = lines_.size(); i < lines_before; ++i) {  // of the order that is overwritten
      uint64_t* const line = transaction.Write(kOrderLine, place * kMostLines + i);
      if (line == nullptr) return false;
      std::fill_n(line, kWords[kOrderLine], 0);
    }
    order[OrderRow::kNumber] = number;
    order[OrderRow::kCustomer] = customer_key;
    order[OrderRow::kLines] = lines_.size();
    order[OrderRow::kAllLocal] = local ? 1 : 0;
    *entry = number;
    return true;
  }

  bool AddLine(Transaction& transaction, const Line& line, uint64_t number, uint64_t key) const {
    if (line.item >= options_.items) return false;  // the entry error of the specification
    const uint64_t* const item = transaction.Read(kItem, line.item);
    if (item == nullptr) return false;
    uint64_t* const stock = transaction.Write(kStock, line.supplier * options_.items + line.item);
    if (stock == nullptr) return false;
    uint64_t* const row = transaction.Write(kOrderLine, key);
    if (row == nullptr) return false;
    uint64_t& quantity = stock[StockRow::kQuantity];
    quantity = quantity >= line.quantity + 10 ? quantity - line.quantity : quantity + 91 - line.quantity;
    stock[StockRow::kYtd] += line.quantity;
    ++stock[StockRow::kOrders];
    if (line.supplier != warehouse_) ++stock[StockRow::kRemote];
    row[OrderLineRow::kOrder] = number;
    row[OrderLineRow::kItem] = line.item;
    row[OrderLineRow::kSupplier] = line.supplier;
    row[OrderLineRow::kQuantity] = line.quantity;
    row[OrderLineRow::kAmount] = line.quantity * item[ItemRow::kPrice];
    return true;
  }

  const TpccOptions options_;
  const uint32_t thread_;
  bool payment_ = false;
  uint64_t warehouse_ = 0, district_ = 0, customer_district_ = 0,
           customer_ = 0;  // the last within its district
  int64_t amount_ = 0;
  std::vector<Line> lines_;
};

}  // namespace

std::string CheckTpcc(const TpccOptions& options) {
  const auto within = [](const char* what, uint64_t value, uint64_t most) {
    return value >= 1 && value <= most ? std::string()
                                       : std::string(what) + ": expected 1.." + std::to_string(most) +
                                             ", not " + std::to_string(value);
  };
  for (const std::string& wrong :
       {within("warehouses", options.warehouses, 100'000),
        within("customers per district", options.customers_per_district, 1'000'000),
        within("items", options.items, 100'000'000), within("window", options.window, 100'000'000)}) {
    if (!wrong.empty()) return wrong;
  }
  for (const double share : {options.payment_share, options.rollback_share}) {
    if (!(share >= 0 && share <= 1)) return "a share: expected 0..1, not " + std::to_string(share);
  }
  return "";
}

std::vector<TableConfig> Tpcc::Tables() const {
  const uint64_t warehouses = options_.warehouses;
  const uint64_t districts = warehouses * kDistricts, places = districts * options_.window;
  const uint64_t rows[kTables] = {warehouses,
                                  districts,
                                  districts * options_.customers_per_district,
                                  options_.items,
                                  warehouses * options_.items,
                                  places,
                                  places,
                                  places,
                                  places * kMostLines};
  std::vector<TableConfig> tables;
  for (uint32_t id = 0; id < kTables; ++id) tables.push_back({kWords[id], rows[id]});
  return tables;
}

Status Tpcc::Load(TxnStore* store) const {
  Random random(options_.seed * kGolden);
  uint64_t row[82];
  const auto put = [&](uint32_t table, uint64_t key, uint32_t columns) {
    Fill(row, columns, kWords[table], &random);
    return store->Load(table, key, row);
  };
  Status status = Status::kOk;
  const auto all = [&](uint64_t count, auto&& fill) {
    for (uint64_t key = 0; key < count && status == Status::kOk; ++key) {
      std::fill(std::begin(row), std::end(row), 0);
      status = fill(key);
    }
  };
  const uint64_t warehouses = options_.warehouses;
  all(warehouses, [&](uint64_t key) {
    row[WarehouseRow::kYtd] = static_cast<uint64_t>(kWarehouseYtd);
    row[WarehouseRow::kTax] = random.Below(2001);
    return put(kWarehouse, key, WarehouseRow::kTax + 1);
  });
  all(warehouses * kDistricts, [&](uint64_t key) {
    row[DistrictRow::kYtd] = static_cast<uint64_t>(kDistrictYtd);
    row[DistrictRow::kTax] = random.Below(2001);
    row[DistrictRow::kNextOrder] = 1;
    return put(kDistrict, key, DistrictRow::kLines + 1);
  });
  all(warehouses * kDistricts * options_.customers_per_district, [&](uint64_t key) {
    row[CustomerRow::kBalance] = static_cast<uint64_t>(kCustomerBalance);
    row[CustomerRow::kYtdPayment] = static_cast<uint64_t>(kCustomerYtd);
    row[CustomerRow::kPayments] = 1;
    row[CustomerRow::kDiscount] = random.Below(5001);
    row[CustomerRow::kBadCredit] = random.Below(10) == 0 ? 1 : 0;
    return put(kCustomer, key, CustomerRow::kData);
  });
  all(options_.items, [&](uint64_t key) {
    row[ItemRow::kPrice] = 100 + random.Below(9901);
    return put(kItem, key, ItemRow::kImage);
  });
  all(warehouses * options_.items, [&](uint64_t key) {
    row[StockRow::kQuantity] = 10 + random.Below(91);
    return put(kStock, key, StockRow::kRemote + 1);
  });
  return status;
}

std::unique_ptr<WorkloadThread> Tpcc::Thread(uint32_t thread) const {
  return std::make_unique<TpccThread>(options_, thread);
}

}  // namespace workloads::txn
