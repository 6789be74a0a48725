#include "experiments/ycsb/options.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "experiments/common/cli.h"
#include "experiments/ycsb/ycsb_flags.h"
#include "workloads/peers/peers.h"

namespace experiments::ycsb {
namespace {

using workloads::Properties;

constexpr const char* kUsage =
    "./cpr ycsb -P workloads/ycsb/workloada [-P FILE]... [-p KEY=VALUE]... [-threads N] [-s] [FLAGS]";
constexpr const char* kDescription =
    "Runs a YCSB core workload (A, B, C, D, F, or workloadrmw) on the engine, with checkpoints if asked, "
    "and\n"
    "prints YCSB's report. YCSB's own flags:\n"
    "  -P FILE  -p KEY=VALUE         workload files, and properties that win over them\n"
    "  -threads N  -target N         threads (sessions); operations per second over all of them\n"
    "  -load  -t | -run              only the load phase, only the run phase; both if neither is given\n"
    "  -s  -l TEXT  -db NAME         status lines on stderr; their prefix; faster, f2, rocksdb, leveldb, "
    "tbb\n"
    "  load DB, run DB               in front of all flags: as for bin/ycsb\n"
    "readmodifywriteproportion is YCSB's read and then update; rmwproportion one atomic RMW of the engine. "
    "The\n"
    "store is set by faster.* properties (memory, mutable_fraction, index_buckets, grow_percent, grow_to,\n"
    "page_bits, block_bytes, segment_bytes, open_segments, huge_pages, prefault, refresh_interval,\n"
    "keys_per_thread, prefetch, readcache, readcache.second_chance, copy_reads_to_tail, seed, time_all,\n"
    "load_file, run_file). All properties, YCSB's and ours: workloads/ycsb/README.md.\n"
    "\n"
    "Examples:\n"
    "  ./cpr ycsb -P workloads/ycsb/workloada -p recordcount=100000 -p operationcount=1000000 -threads 2 -s\n"
    "  ./cpr ycsb -P workloads/ycsb/workloadb -p operationcount=300000 -db tbb\n"
    "  ./cpr ycsb -P workloads/ycsb/workloadf -p operationcount=100000 -p measurementtype=timeseries\n"
    "  ./cpr ycsb -P workloads/ycsb/workloada -p recordcount=50000 -p operationcount=1 --checkpoint-every "
    "0.1\n"
    "      --crash-after 1 --verify";

bool Seconds(const std::string& text, double* seconds) {
  char* end = nullptr;
  *seconds = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == 0 && std::isfinite(*seconds) && *seconds >= 0.05 && *seconds <= 1e6;
}

bool CheckStore(const Properties& properties, Options* options, std::string* error) {
  const std::string db = properties.Text("dbname", properties.Text("db", "faster"));
  options->db = db;
  if (db == "faster") return true;
  const workloads::peers::Peer* peer = workloads::peers::FindPeer(db);
  options->ours = peer != nullptr && peer->ours;
  if (peer == nullptr) {
    *error = "-db " + db + ": the stores are faster";
    for (const auto& known : workloads::peers::Peers()) *error += ", " + known.name;
  } else if (peer->make == nullptr) {
    *error = "-db " + db + ": not in this build; install " + peer->package + " and build again (./cpr does)";
  } else if ((options->crash_after > 0 || options->checkpoint_every > 0) && !peer->ours) {
    *error = "-db " + db + ": checkpoints and kills are of the engines faster and f2 only";
  } else if (peer->in_memory && !(options->load && options->run)) {
    *error = "-db " + db + ": what is in memory only cannot be loaded and run apart";
  }
  return error->empty();
}

bool CheckReport(const Options& options, std::string* error) {
  using namespace workloads::ycsb;
  const ReportPlan& report = options.report;
  const bool raw =
      std::find(report.types.begin(), report.types.end(), MeasurementType::kRaw) != report.types.end();
  if (options.json && report.exporter != Exporter::kText) {
    *error = "--json and exporter are two forms of the report: leave out one of them";
  } else if (options.cpp_report && (options.json || report.exporter != Exporter::kText)) {
    *error = "--report cpp is text: leave out --json and exporter";
  } else if (raw && report.raw_file.empty() && (options.json || report.exporter != Exporter::kText)) {
    *error =
        "measurementtype with raw prints lines on stdout, between the JSON: name a file for them with "
        "measurement.raw.output_file";
  }
  return error->empty();
}

bool CheckStorageFlags(const Options& options, std::string* error) {
  *error = CheckFlags(options.storage);
  if (error->empty() && options.db != "faster" && !StorageFlags(options.storage).empty())
    *error = "-db " + options.db + ": --storage, --direct and limits are of the engine faster only";
  return error->empty();
}

bool CheckCombination(const Options& options, std::string* error) {
  if (options.run && options.spec.operation_count == 0) {
    *error =
        "operationcount is not set: say how many operations there are, as with -p operationcount=1000000";
  } else if (options.run && options.load && options.spec.load_file.empty() != options.spec.run_file.empty()) {
    *error = "faster.load_file and faster.run_file: a run on the keys of a file needs both";
  } else if (!options.load && options.dir.empty()) {
    *error = "a run without a load phase needs --dir with a store that was loaded before";
  } else if (options.verify && options.crash_after == 0) {
    *error = "--verify checks what a killed run left behind: it needs --crash-after";
  } else if (options.crash_after > 0 && !(options.load && options.run)) {
    *error = "--crash-after kills a run that loaded its own store: leave out -load and -t";
  } else if (options.crash_after > 0 && !options.dir.empty()) {
    *error = "--crash-after works on a store of its own: leave out --dir";
  } else if (options.crash_after > 0 && options.checkpoint_every == 0) {
    *error = "--crash-after needs --checkpoint-every: without checkpoints there is nothing to come back to";
  } else if (options.crash_after > 0 && options.spec.threads > workloads::ycsb::kJournalSessions) {
    *error = "--crash-after: at most " + std::to_string(workloads::ycsb::kJournalSessions) + " threads";
  }
  return error->empty();
}

bool CheckValues(const Options& options, std::string* error) {
  if (options.db == "faster" || options.spec.fixed()) return true;
  *error = "-db " + options.db + ": values of " + std::to_string(options.spec.value_bytes) +
           " bytes: all stores but faster are built for 8, 100, 104 and 256";
  return false;
}

// A batch is of one kind of operation, so a mixed workload is reordered within it; and it does not wait.
bool CheckBatch(const Options& options, std::string* error) {
  using workloads::Operation;
  if (!CheckValues(options, error)) return false;
  const auto& spec = options.spec;
  if (spec.batch == 1) return true;
  if (!options.ours) {
    *error = "--batch: only the engine faster has batched operations";
  } else if (spec.inserts()) {
    *error = "--batch: a workload that inserts waits for each record it made, so nothing can be batched";
  } else if (spec.mix.Contains(Operation::kReadModifyWrite)) {
    *error = "--batch: YCSB's read-modify-write waits for its read; use rmwproportion instead";
  } else if (spec.target != 0) {
    *error = "--batch: operations of a batch begin together, so they cannot be spread by -target";
  }
  return error->empty();
}

bool CheckVerifiable(const Options& options, std::string* error) {
  using workloads::Operation;
  if (options.crash_after == 0) return true;
  const auto& mix = options.spec.mix;
  if (mix.Contains(Operation::kInsert)) {
    *error =
        "--crash-after: which keys an inserting workload has depends on timing, so it cannot be verified";
  } else if (mix.Contains(Operation::kRmw) &&
             (mix.Contains(Operation::kUpdate) || mix.Contains(Operation::kReadModifyWrite))) {
    *error = "--crash-after: updates and RMWs of the same key do not commute; verify one or the other";
  } else if (!(options.spec.load_file + options.spec.run_file).empty()) {
    *error = "--crash-after: keys from a file are not verified; use a requestdistribution";
  } else if (options.spec.insert_start > 0 &&
             (options.spec.keys.distribution == workloads::Distribution::kLatest ||
              options.spec.keys.distribution == workloads::Distribution::kExponential)) {
    *error = "--crash-after: this requestdistribution draws keys below insertstart, which nobody loaded";
  } else if (options.spec.keys.distribution == workloads::Distribution::kSequential) {
    *error = "--crash-after: the sequential distribution is shared by the threads and cannot be verified";
  }
  return error->empty();
}

// What a checkpoint is and how versions shift, as words of the command line.
struct CheckpointWords {
  std::string kind = "full", log = "foldover", shift = "fine", guarantee = "strict", copy = "before";

  void AddTo(CommandLine* line) {
    line->AddChoice("checkpoint", {"full", "log", "index", "incremental"}, "what a checkpoint holds (full)",
                    &kind);
    line->AddChoice("log", {"foldover", "snapshot"}, "how the log part is made (foldover)", &log);
    line->AddChoice("shift", {"fine", "coarse"}, "scheme of the version shift (fine)", &shift);
    line->AddChoice("guarantee", {"strict", "relaxed"},
                    "pending operations: a checkpoint waits for them, or leaves them out (strict)",
                    &guarantee);
    line->AddChoice("index-copy", {"before", "overlapped"},
                    "when a full checkpoint copies the index: before the version shift or during it (before)",
                    &copy);
  }
  void Apply(Options* options) const {
    options->checkpoint.kind = kind == "full"    ? faster::CheckpointKind::kFull
                               : kind == "index" ? faster::CheckpointKind::kIndexOnly
                               : kind == "log"   ? faster::CheckpointKind::kLogOnly
                                                 : faster::CheckpointKind::kIncremental;
    options->checkpoint.backend =
        log == "snapshot" ? faster::LogBackend::kSnapshot : faster::LogBackend::kFoldOver;
    options->spec.shift = shift == "coarse" ? faster::ShiftScheme::kCoarse : faster::ShiftScheme::kFine;
    options->spec.guarantee =
        guarantee == "relaxed" ? faster::Guarantee::kRelaxed : faster::Guarantee::kStrict;
    options->spec.overlap_index = copy == "overlapped";
  }
};

}  // namespace

bool ParseOptions(const std::vector<std::string>& arguments, Options* options, std::string* error) {
  options->arguments = arguments;
  error->clear();
  std::vector<std::string> rest;
  YcsbFlags flags(arguments, options);
  CheckpointWords words;
  const auto seconds = [](double* value) {
    return [value](const std::string& text, std::string* reason) {
      *reason = "must be a number of seconds, at least 0.05";
      return Seconds(text, value);
    };
  };
  CommandLine line(kUsage, kDescription);
  uint64_t batch = 1;
  std::string report = "java";
  line.AddNumber(
      "batch", "N",
      "N operations per call of the engine: its batched operations; those of one kind together (1)", &batch,
      1, 1 << 16);
  line.Add("checkpoint-every", "S", "a checkpoint every S seconds of the run phase",
           seconds(&options->checkpoint_every));
  words.AddTo(&line);
  AddStorageFlags(&line, &options->storage);
  line.AddText("dir", "DIR",
               "the store's directory; it stays (default: below the results, removed at the end)",
               &options->dir);
  line.AddSwitch("keep", "keep the store of a run without --dir", &options->keep);
  line.AddText("out", "DIR", "results there instead of store/ycsb/<UTC time>", &options->out);
  line.AddSwitch("json", "the report as a JSON array", &options->json);
  line.AddChoice("report", {"java", "cpp"}, "status lines and report as YCSB or as YCSB-cpp has them (java)",
                 &report);
  line.AddText("convert-keys", "FILE", "make a key file of what YCSB's basic database printed, and end",
               &options->convert_keys);
  line.AddText("to", "FILE", "the key file that --convert-keys makes", &options->convert_to);
  line.Add("crash-after", "S", "run in a child process, kill it S seconds into the run phase, recover",
           seconds(&options->crash_after));
  line.AddSwitch("verify", "after the recovery check every key against the sessions' commit points",
                 &options->verify);
  line.AddChoice("survive", {"none", "all", "random"}, "which unsynced sectors survive the kill (random)",
                 &options->survive);
  if (!flags.Take(&rest, error)) return false;
  if (!line.Parse(rest, error)) return false;
  options->help_text = line.Help();
  if ((options->help = line.help_wanted())) return true;
  if (!line.positional().empty()) {
    *error = "unexpected argument " + ShellQuote(line.positional().front());
    return false;
  }
  if (options->convert_keys.empty() != options->convert_to.empty()) {
    *error = "--convert-keys FILE and --to FILE belong together";
    return false;
  }
  if (!options->convert_keys.empty()) return true;
  if (options->workload_files.empty()) {
    *error = "which workload? Name a file, as in -P workloads/ycsb/workloada";
    return false;
  }
  words.Apply(options);
  const bool checkpoints = options->checkpoint_every > 0;
  options->cpp_report = report == "cpp";
  if (!flags.TakeProperties(error) || !CheckStore(options->properties, options, error) ||
      !workloads::ycsb::ParseReport(options->properties, &options->report, error) ||
      !workloads::ycsb::ParseSpec(options->properties, checkpoints, &options->spec, error)) {
    return false;
  }
  options->spec.batch = static_cast<uint32_t>(batch);
  return CheckReport(*options, error) && CheckStorageFlags(*options, error) && CheckBatch(*options, error) &&
         CheckCombination(*options, error) && CheckVerifiable(*options, error);
}

std::vector<std::string> Notes(const Options& options) {
  std::vector<std::string> notes;
  for (const std::string& key : options.properties.Unused())
    notes.push_back("property " + key + " has no meaning here");
  if (options.properties.Text("readallfields", "true") != "true")
    notes.push_back("readallfields=false has no effect: a record is one value, and all of it is read");
  return notes;
}

}  // namespace experiments::ycsb
