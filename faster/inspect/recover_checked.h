// RecoverChecked: looks at every checkpoint of a store, sets broken ones aside if asked to, and recovers the
// latest.
//
// A recovery verifies what it reads: of a log on disk that is its end. This one reads all of it first, of
// every checkpoint that is kept, so that what an older key needs is known to be whole before a client comes;
// and a damaged checkpoint is found while others are there to go back to.
//
// kOk: *store is open, *report says what was found. kCorruption: there are issues, and options.repair is
// false or could not help; nothing is opened, *why is the first of them. Any other error is one of the check
// (self_check.h) or of the recovery. For a moment between the two the directory is not locked: another
// process may open the store then, and the recovery ends with kBusy. Blocking. COST: reading all checkpoints
// (validate.h), then the recovery.
#pragma once

#include <memory>
#include <string_view>

#include "faster/cpr/recovery.h"
#include "faster/inspect/self_check.h"

namespace faster {

// The check alone. kOk: a recovery finds report->latest.
inline Status CheckBeforeRecovery(Storage* storage, std::string_view directory,
                                  const CheckpointSelfCheckOptions& options,
                                  CheckpointSelfCheckReport* report, Diagnosis* why) {
  const Status status = CheckpointSelfCheck(storage, directory, options, report, why);
  if (status != Status::kCorruption || report->issues.empty()) return status;
  const CheckpointIssue& first = report->issues.front();
  if (!first.findings.empty()) *why = first.findings.front().what;
  return status;
}

// Store: a FasterKv.
template <class Store, class Functions>
Status RecoverChecked(const StoreConfig& config, Storage* storage, const Functions& functions,
                      CheckpointObserver* observer, const CheckpointSelfCheckOptions& options,
                      std::unique_ptr<Store>* store, RecoveryResult* result,
                      CheckpointSelfCheckReport* report, Diagnosis* why) {
  const Status status = CheckBeforeRecovery(storage, config.directory, options, report, why);
  if (status != Status::kOk) return status;
  return Store::Recover(config, storage, functions, observer, {}, {}, store, result, why);
}

// The same for an F2Kv, whose configuration has one of its hot store.
template <class Store, class Config, class Functions>
requires requires(const Config& config) { config.hot.directory; }
Status RecoverChecked(const Config& config, Storage* storage, const Functions& functions,
                      CheckpointObserver* observer, const CheckpointSelfCheckOptions& options,
                      std::unique_ptr<Store>* store, RecoveryResult* result,
                      CheckpointSelfCheckReport* report, Diagnosis* why) {
  const Status status = CheckBeforeRecovery(storage, config.hot.directory, options, report, why);
  if (status != Status::kOk) return status;
  return Store::Recover(config, storage, functions, observer, {}, store, result, why);
}

}  // namespace faster
