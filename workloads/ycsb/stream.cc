#include "workloads/ycsb/stream.h"

namespace workloads::ycsb {

void OperationMix::Add(Operation operation, double weight) {
  if (weight <= 0 || count_ == kMost) return;
  operations_[count_] = operation;
  weights_[count_++] = weight;
  double total = 0, sum = 0;
  for (int i = 0; i < count_; ++i) total += weights_[i];
  for (int i = 0; i < count_; ++i) {
    sum += weights_[i];
    const double limit = sum / total * 0x1p64;
    limits_[i] = limit >= 0x1p64 ? ~uint64_t{0} : static_cast<uint64_t>(limit);
  }
}

bool OperationMix::Contains(Operation operation) const {
  for (int i = 0; i < count_; ++i) {
    if (operations_[i] == operation) return true;
  }
  return false;
}

}  // namespace workloads::ycsb
