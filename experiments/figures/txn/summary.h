// Summary: what a run of the transactional store's driver says in numbers. Plain functions of plain values.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "workloads/txn/driver.h"

namespace experiments::figures::txn {

using Metrics = std::vector<std::pair<std::string, double>>;

//   throughput            committed transactions per second
//   transaction_ns        `threads` / throughput: what a transaction takes of a thread, draws and tries
//   included abort_rate            attempts that a lock or CPR aborted / all attempts but those that their
//   body gave up conflict_rate, shift_rate   its two parts given_up_rate         draws that their body gave
//   up / those and the committed ones commits, group_commits_per_second
// and if they were measured
//   latency_mean_ns, latency_p50_ns, latency_p99_ns
Metrics RunMetrics(const workloads::txn::RunResult& result, uint64_t threads);

// exec_ns, tail_ns, log_ns, abort_ns per committed transaction, and the same as shares of their sum in per
// cent: exec_percent, ... Nothing if no time was taken.
Metrics BreakdownMetrics(const workloads::txn::BreakdownNs& times);

// Transactions per second of each sample.
std::vector<double> Rates(const std::vector<workloads::txn::Sample>& samples);

// How throughput fares while commits run, from their request until they are durable:
//   rest_throughput       median of the samples that no commit touches
//   commit_throughput_K   of the samples that lie wholly within commit K (from 1): transactions / time
//   commit_ratio, ..._K   over rest_throughput; the first is the median of the K
//   commit_seconds        median
// A commit that is too short to have a sample of its own has no number; without any, nothing of commits.
// Commits that failed do not count.
Metrics CommitMetrics(const std::vector<workloads::txn::Sample>& samples,
                      const std::vector<workloads::txn::CommitRun>& commits);

}  // namespace experiments::figures::txn
