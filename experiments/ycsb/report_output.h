// The report of a run: on stdout or in a file, as YCSB, as one of its exporters, as YCSB-cpp, or as JSON with
// the phases named.
//
// YCSB does one phase a run; where both are done here, an export file holds the report of the run phase, and
// that of the load phase is printed. Errors are one line.
#pragma once

#include <string>
#include <vector>

#include "experiments/ycsb/options.h"
#include "experiments/ycsb/output.h"

namespace experiments::ycsb {

// False: *error; the files that the report goes to cannot be written.
bool CheckReportFiles(const Options& options, std::string* error);
bool PrintReport(const Options& options, const RunOutcome& outcome, std::string* error);

// Whether stdout is for people: comments (#) and lines that YCSB does not have may stand there.
bool PrintsText(const Options& options);
workloads::ycsb::StatusStyle StatusStyleOf(const Options& options);

// Bytes of memory per key: what the process grew by in the load phase, and the store's own account of it.
std::vector<workloads::ycsb::ReportLine> MemoryReport(const Options& options, const RunOutcome& outcome);

}  // namespace experiments::ycsb
