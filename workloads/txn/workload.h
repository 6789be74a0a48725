// Workload: what a driver's threads execute. Transaction `serial` of client `thread` is a function of the
// two (and of the workload's seed), so a client that is continued after a crash goes on in its sequence, and
// whoever checks the result can say what it did.
//
// A Workload is made and asked by one thread; each WorkloadThread is used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "workloads/txn/store.h"

namespace workloads::txn {

class WorkloadThread {
 public:
  virtual ~WorkloadThread() = default;
  // What Try does from now on: transaction `serial`, of which `given_up` draws were given up by their body.
  virtual void Draw(uint64_t serial, uint64_t given_up) = 0;
  // One attempt. `timed`: with the time breakdown of timing.h.
  virtual TxnResult Try(Client& client, bool timed) = 0;
};

class Workload {
 public:
  virtual ~Workload() = default;
  virtual std::vector<TableConfig> Tables() const = 0;
  virtual Status Load(TxnStore* store) const = 0;
  virtual std::unique_ptr<WorkloadThread> Thread(uint32_t thread) const = 0;
  // Lines, one for each thing that no serial execution leaves behind; while no transaction runs.
  virtual std::vector<std::string> Check(const TxnStore& store) const = 0;
};

}  // namespace workloads::txn
