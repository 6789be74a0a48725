// Shape: what the course of a run says in numbers: how far throughput falls at a checkpoint, how long it
// needs to come back, how long the phases take, how high latency rises. Plain functions of plain values.
//
// "Rest" is the median of what was sampled before the first request. A checkpoint's window reaches from its
// request to the next one's, or to the end.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/figures/time_series/course.h"

namespace experiments::figures::time_series {

using Metrics = std::vector<std::pair<std::string, double>>;

//   rest_mops
//   dip, dip_K            1 - lowest average of three samples in a row / rest: of all, of checkpoint K from 1
//   lost_seconds, ..._K   seconds of work that the window lacks, below 0 if it has more; the first is their
//                         sum. Measured by the mean of what came ahead of the window (rest, or the last
//                         quarter of the window before) and its own last quarter, so that a machine that
//                         changes its speed over the run does not count. What never comes back counts half.
//   recovery_seconds_K    from the request until three samples in a row average 90 % of rest; the window's
//                         length if that does not happen
//   recovered, ..._K      average of the window's last quarter / rest; the first is the last one's
Metrics ThroughputShape(const std::vector<Sample>& samples, const std::vector<double>& requests);

//   latency_rest_ns, latency_spike_ns, ..._K, latency_spike, ..._K (over rest), latency_p99_rest_ns,
//   latency_p99_spike_ns; latency_during: median of the samples taken while a checkpoint ran / rest. A spike
//   is one sample; on a machine that takes cores away it may be of that, while the median is not.
// Nothing if no operation was timed before the first request.
Metrics LatencyShape(const std::vector<Sample>& samples, const std::vector<double>& requests);

//   phase_<name>_seconds    median over the checkpoints: "phase_wait_flush_seconds"
//   phase_others_seconds    the longest of the others but IndexChkpt
//   flush_over_others       WaitFlush / that
//   checkpoint_seconds      from request to durable, median
Metrics PhaseShape(const std::vector<workloads::ycsb::CheckpointEvent>& checkpoints);

// The seconds of each phase of a checkpoint, in order; the last one ends with its end.
std::vector<std::pair<faster::Phase, double>> PhaseSeconds(
    const workloads::ycsb::CheckpointEvent& checkpoint);

// "PersistenceCallback" -> "persistence_callback".
std::string SnakeCase(std::string_view name);

}  // namespace experiments::figures::time_series
