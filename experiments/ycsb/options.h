// Options: the command line of cpr-ycsb: YCSB's own flags (one dash), ours (two), and the workload they
// describe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/common/storage_choice.h"
#include "workloads/ycsb/checkpoint_log.h"
#include "workloads/ycsb/report.h"
#include "workloads/ycsb/spec.h"

namespace experiments::ycsb {

struct Options {
  bool help = false;
  std::string help_text;
  std::vector<std::string> workload_files;  // -P, in order
  workloads::Properties properties;
  workloads::ycsb::WorkloadSpec spec;
  std::string db = "faster";
  bool ours = true;  // a store with our sessions, batches and checkpoints: faster or f2
  bool load = true;
  bool run = true;
  bool status = false;
  std::string label;
  workloads::ycsb::ReportPlan report;
  bool cpp_report = false;

  StorageChoice storage;
  std::string dir;  // the store's directory; "" = a new one in the result folder
  std::string out;
  bool keep = false;
  bool json = false;
  double checkpoint_every = 0;
  workloads::ycsb::CheckpointChoice checkpoint;
  double crash_after = 0;
  bool verify = false;
  std::string survive = "random";        // what of the unsynced sectors survives the kill: none, all, random
  std::string convert_keys, convert_to;  // nothing else is done then
  std::vector<std::string> arguments;
};

// False and one line in *error for what cannot be run. With `help` set nothing else is.
bool ParseOptions(const std::vector<std::string>& arguments, Options* options, std::string* error);

// What the user may not have meant: properties that nobody asked for, and values without effect.
std::vector<std::string> Notes(const Options& options);

}  // namespace experiments::ycsb
