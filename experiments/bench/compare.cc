// cpr-compare: our engine and its peers on the same operations, in turn, several rounds; medians and ratios.
//
// Every run is a process of its own, and the engines take turns within a round, so what disturbs the machine
// disturbs all of them. README.md of this folder says what a peer's program must understand and print.
// results.json is written after every cell, so what was measured before a failure is kept.
//
// Exit status: 0; 2 wrong usage, or a run that failed; 130 interrupted.
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/bench/report.h"
#include "experiments/bench/statistics.h"
#include "experiments/common/cli.h"
#include "experiments/common/results.h"
#include "experiments/common/storage_choice.h"
#include "workloads/peers/peers.h"
#include "workloads/ycsb/driver.h"

namespace experiments {
namespace {

using bench::Median;
using bench::Pace;
using bench::Split;
using nlohmann::ordered_json;
using workloads::ycsb::WorkloadSpec;

struct Contender {
  std::string name;
  std::string program;             // a peer's; empty: cpr-ycsb with
  std::vector<std::string> flags;  // these
  std::string durability;
};

struct Plan {
  std::vector<std::string> workloads = {"c", "b", "a", "rmw"};
  std::vector<std::string> distributions = {"uniform", "zipfian"};
  std::vector<Contender> contenders;  // ours first
  std::vector<std::string> peers;
  uint64_t rounds = 5, seconds = 3, records = 10'000'000, threads = 2, batch = 64;
  uint64_t memory = uint64_t{2} << 30, read_cache = 0;
  std::vector<std::string> properties;  // of ours, NAME=VALUE
  bool huge_pages = false;
  StorageChoice storage;  // of ours
  std::string out;
  std::string ycsb;  // path of cpr-ycsb
  std::string root;
  std::string folder;
};

struct Speed {  // operations per second
  double load = 0, run = 0;
};

int Complain(const std::string& what) {
  std::fprintf(stderr, "cpr bench: %s\n", what.c_str());
  return 2;
}

// Runs a command by the shell; its stdout. False: it failed.
bool Shell(const std::string& command, std::string* text) {
  std::FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return false;
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text->append(buffer, n);
  const int status = pclose(pipe);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::vector<std::string> Properties(const Plan& plan, const std::string& distribution) {
  std::vector<std::string> all = {"recordcount=" + std::to_string(plan.records),
                                  "operationcount=1000000000000",
                                  "maxexecutiontime=" + std::to_string(plan.seconds),
                                  "requestdistribution=" + distribution,
                                  "threadcount=" + std::to_string(plan.threads),
                                  "fieldcount=1",
                                  "fieldlength=8",
                                  "faster.memory=" + std::to_string(plan.memory),
                                  "faster.prefault=true"};
  all.insert(all.end(), plan.properties.begin(), plan.properties.end());
  return all;
}

// The keys that cpr-ycsb draws, for a peer: those to load, and those of the run, thread after thread.
bool WriteKeys(const Plan& plan, const std::string& distribution, std::string* error) {
  workloads::Properties properties;
  for (const std::string& property : Properties(plan, distribution)) {
    if (!properties.Assign(property, error)) return false;
  }
  WorkloadSpec spec;
  if (!workloads::ycsb::ParseSpec(properties, false, &spec, error)) return false;
  std::vector<uint64_t> keys;
  const auto write = [&](const std::string& name) {
    std::ofstream file(plan.folder + "/" + name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(keys.data()), static_cast<std::streamsize>(keys.size() * 8));
    if (!file.good()) *error = "cannot write " + plan.folder + "/" + name;
    return file.good();
  };
  for (uint64_t record = 0; record < plan.records; ++record)
    keys.push_back(workloads::ycsb::KeyOfRecord(record, true));
  if (!write("load.keys")) return false;
  keys.clear();
  for (size_t thread = 0; thread < plan.threads; ++thread) {
    const std::vector<uint64_t> drawn = workloads::ycsb::ThreadKeys(spec, thread, true);
    keys.insert(keys.end(), drawn.begin(), drawn.end());
  }
  return write(distribution + ".keys");
}

bool RunOurs(const Plan& plan, const Contender& who, const std::string& workload,
             const std::string& distribution, Speed* speed) {
  const std::string out = plan.folder + "/one";
  std::string command =
      ShellQuote(plan.ycsb) + " -P " + ShellQuote(plan.root + "/workloads/ycsb/workload" + workload);
  for (const std::string& property : Properties(plan, distribution)) command += " -p " + ShellQuote(property);
  for (const std::string& flag : who.flags) command += " " + ShellQuote(flag);
  std::string text, json, error;
  if (!Shell(command + " --out " + ShellQuote(out), &text)) return false;
  if (!ReadWholeFile(out + "/results.json", &json, &error)) return false;
  const auto results = nlohmann::json::parse(json, nullptr, false);
  if (results.is_discarded()) return false;
  *speed = {results["load"]["operations_per_second"], results["run"]["operations_per_second"]};
  std::filesystem::remove_all(out);
  return true;
}

bool RunPeer(const Plan& plan, Contender* who, const std::string& workload, const std::string& distribution,
             Speed* speed) {
  const std::string out = plan.folder + "/one";
  std::string text, error;
  if (!MakeFolder(out, &error)) return false;
  const bool good =
      Shell(ShellQuote(who->program) + " --workload " + workload + " --distribution " + distribution +
                " --threads " + std::to_string(plan.threads) + " --seconds " + std::to_string(plan.seconds) +
                " --load-keys " + ShellQuote(plan.folder + "/load.keys") + " --run-keys " +
                ShellQuote(plan.folder + "/" + distribution + ".keys") + " --dir " + ShellQuote(out),
            &text);
  std::filesystem::remove_all(out);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == "load") words >> speed->load;
    if (name == "run") words >> speed->run;
    if (name == "durability") std::getline(words >> std::ws, who->durability);
  }
  return good && speed->run > 0;
}

double LoadAverage() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

struct Cell {
  std::vector<std::vector<Speed>> rounds;  // by contender
  std::vector<double> load_average;
};

ordered_json CellJson(const Plan& plan, const Cell& cell, bool load) {
  ordered_json json;
  double ours = 0;
  for (size_t i = 0; i < plan.contenders.size(); ++i) {
    std::vector<double> values;
    for (const Speed& speed : cell.rounds[i]) values.push_back(load ? speed.load : speed.run);
    const double median = Median(values);
    if (i == 0) ours = median;
    json[plan.contenders[i].name] = {{"median", median}, {"rounds", values}};
    if (median > 0) json[plan.contenders[i].name]["ours_over_this"] = ours / median;
  }
  return json;
}

void Print(const Plan& plan, const std::string& title, const ordered_json& cell) {
  double reference = 0;
  for (const Contender& who : plan.contenders) {
    const std::vector<double> rounds = cell[who.name]["rounds"];
    const auto [least, most] = std::minmax_element(rounds.begin(), rounds.end());
    const double median = cell[who.name]["median"];
    if (reference == 0) reference = median;
    std::printf("%-16s %-22s %9.3f  [%8.3f %8.3f] Mops/s  %5.2f of ours\n", title.c_str(), who.name.c_str(),
                median / 1e6, *least / 1e6, *most / 1e6, reference > 0 ? median / reference : 0);
  }
  std::fflush(stdout);
}

// What a run takes besides its seconds: a guess, corrected by how long they take.
double ExpectedSeconds(const Plan& plan) {
  return static_cast<double>(plan.seconds) + 1 + static_cast<double>(plan.records) / 4e6;
}

bool RunCell(Plan* plan, const std::string& workload, const std::string& distribution, Pace* pace,
             ordered_json* results, std::string* error) {
  Cell cell;
  cell.rounds.resize(plan->contenders.size());
  for (uint64_t round = 0; round < plan->rounds; ++round) {
    cell.load_average.push_back(LoadAverage());
    for (size_t i = 0; i < plan->contenders.size(); ++i) {
      Contender& who = plan->contenders[i];
      Speed speed;
      pace->Begin(workload + " " + distribution + ", round " + std::to_string(round + 1) + " of " +
                      std::to_string(plan->rounds) + ", " + who.name,
                  ExpectedSeconds(*plan));
      const bool good = who.program.empty() ? RunOurs(*plan, who, workload, distribution, &speed)
                                            : RunPeer(*plan, &who, workload, distribution, &speed);
      if (!good) {
        *error = who.name + ": its run of workload " + workload + ", " + distribution + ", failed";
        return false;
      }
      cell.rounds[i].push_back(speed);
    }
  }
  ordered_json json = {{"workload", workload}, {"distribution", distribution}};
  json["run"] = CellJson(*plan, cell, false);
  json["load"] = CellJson(*plan, cell, true);
  json["load_average"] = cell.load_average;
  pace->Quiet();
  Print(*plan, workload + " " + distribution, json["run"]);
  Print(*plan, "(load) " + distribution, json["load"]);
  (*results)["cells"].push_back(json);
  for (const Contender& who : plan->contenders) (*results)["durability"][who.name] = who.durability;
  return true;
}

// Two under one name would be one line of the table.
bool IsNew(const Plan& plan, const std::string& name, const std::string& text, std::string* error) {
  for (const Contender& other : plan.contenders) {
    if (other.name != name) continue;
    *error = "--peers " + text + ": '" + name + "' is the name of another engine of this comparison";
    return false;
  }
  return true;
}

// Ours, and the same batched (unless a batch is one operation), with `flags` besides those of the storage.
void AddOurs(Plan* plan, const std::string& name, std::vector<std::string> flags) {
  const std::string durability = "none while it runs; checkpoints are taken when asked for";
  for (const std::string& flag : StorageFlags(plan->storage)) flags.push_back(flag);
  plan->contenders.push_back({name, "", flags, durability});
  if (plan->batch == 1) return;
  const std::string batch = std::to_string(plan->batch);
  flags.push_back("--batch=" + batch);
  plan->contenders.push_back({name + " batch " + batch, "", flags, durability});
}

bool AddContenders(Plan* plan, std::string* error) {
  AddOurs(plan, "faster", {});
  if (plan->read_cache != 0) {
    // The cache is taken from the log: no variant has more memory than another.
    const std::string cache = "faster.readcache=" + std::to_string(plan->read_cache);
    const std::string log = "faster.memory=" + std::to_string(plan->memory - plan->read_cache);
    AddOurs(plan, "faster read cache", {"-p", cache, "-p", log});
  }
  if (plan->huge_pages) AddOurs(plan, "faster huge", {"-p", "faster.huge_pages=true"});
  for (const std::string& text : plan->peers) {
    const size_t equals = text.find('=');
    if (equals != std::string::npos) {
      const std::string path = text.substr(equals + 1);
      if (equals == 0 || !std::filesystem::is_regular_file(path)) {
        *error = "--peers " + text + ": NAME=PATH needs the path of a program";
        return false;
      }
      if (!IsNew(*plan, text.substr(0, equals), text, error)) return false;
      plan->contenders.push_back({text.substr(0, equals), std::filesystem::absolute(path), {}, "not told"});
      continue;
    }
    const workloads::peers::Peer* const peer = workloads::peers::FindPeer(text);
    if (peer == nullptr || peer->make == nullptr) {
      *error = "--peers " + text +
               (peer == nullptr ? ": neither NAME=PATH nor rocksdb, leveldb or tbb"
                                : ": not in this build; install " + peer->package);
      return false;
    }
    if (!IsNew(*plan, text, text, error)) return false;
    plan->contenders.push_back({text, "", {"-db", text}, peer->durability});
  }
  return true;
}

bool Parse(const std::vector<std::string>& arguments, Plan* plan, std::string* help, std::string* error) {
  CommandLine line("./cpr bench --peers NAME=PATH... [FLAGS]",
                   "Runs our engine and its peers in turn on the same keys and prints the medians and their "
                   "ratios.\nA peer is a program (experiments/bench/README.md), or rocksdb, leveldb or tbb.");
  std::string workloads, distributions;
  line.Add("peers", "PEER", "NAME=PATH, rocksdb, leveldb or tbb; more of them may follow",
           [plan](const std::string& value, std::string*) {
             plan->peers.push_back(value);
             return true;
           });
  line.AddText("workloads", "LIST", "of a, b, c, rmw (c,b,a,rmw)", &workloads);
  line.AddText("distributions", "LIST", "of YCSB's (uniform,zipfian)", &distributions);
  line.AddNumber("rounds", "N", "rounds, of which the median counts (5)", &plan->rounds, 1, 1000);
  line.AddNumber("seconds", "N", "of each run phase (3)", &plan->seconds, 1, 3600);
  line.AddNumber("records", "N", "keys (10000000)", &plan->records, 1000, uint64_t{1} << 32);
  line.AddNumber("threads", "N", "threads of each (2)", &plan->threads, 1, 100);
  line.AddNumber("batch", "N", "operations per call where ours are batched; 1: only single calls (64)",
                 &plan->batch, 1, 1 << 16);
  line.AddNumber("memory", "BYTES", "of our log buffer (2147483648)", &plan->memory, 1 << 20,
                 uint64_t{1} << 46);
  line.AddNumber("read-cache", "BYTES", "ours also with so much of that memory as a read cache (0)",
                 &plan->read_cache, 0, uint64_t{1} << 46);
  line.Add("property", "NAME=VALUE", "of ours, as -p of cpr ycsb; may be given again",
           [plan](const std::string& value, std::string* why) {
             workloads::Properties properties;
             plan->properties.push_back(value);
             return properties.Assign(value, why);
           });
  AddStorageFlags(&line, &plan->storage);
  line.AddSwitch("huge-pages", "ours also with huge pages", &plan->huge_pages);
  line.AddText("out", "DIR", "results there instead of store/bench/<UTC time>", &plan->out);
  line.AddText("ycsb", "PATH", "the program cpr-ycsb (beside this one in the build)", &plan->ycsb);
  if (!line.Parse(arguments, error)) return false;
  if (line.help_wanted()) *help = line.Help();
  for (const std::string& peer : line.positional()) plan->peers.push_back(peer);
  if (!workloads.empty()) plan->workloads = Split(workloads);
  if (!distributions.empty()) plan->distributions = Split(distributions);
  for (const std::string& workload : plan->workloads) {
    if (workload == "a" || workload == "b" || workload == "c" || workload == "rmw") continue;
    *error = "--workloads " + workload + ": a, b, c or rmw";
    return false;
  }
  if (plan->read_cache >= plan->memory) {
    *error = "--read-cache " + std::to_string(plan->read_cache) + ": is taken from --memory, which has " +
             std::to_string(plan->memory) + " bytes";
    return false;
  }
  *error = CheckFlags(plan->storage);
  return error->empty() && AddContenders(plan, error);
}

int Fail(Pace* pace, const std::string& what) {
  pace->End();
  return Complain(what);
}

int Main(const std::vector<std::string>& arguments, const std::string& self) {
  Plan plan;
  std::string error, help;
  if (!Parse(arguments, &plan, &help, &error)) return Complain(error);
  if (!help.empty()) return std::fputs(help.c_str(), stdout) < 0 ? 2 : 0;
  plan.root = ProjectRoot();
  if (plan.ycsb.empty())
    plan.ycsb = std::filesystem::absolute(self).parent_path().parent_path() / "ycsb" / "cpr-ycsb";
  if (!std::filesystem::is_regular_file(plan.ycsb)) return Complain("there is no program " + plan.ycsb);
  ResultFolder folder;
  if (!folder.Create(plan.root, "bench", plan.out, &error)) return Complain(error);
  plan.folder = std::filesystem::absolute(folder.path());
  error = CheckStorage(plan.storage, plan.folder);
  if (!error.empty()) return Complain(error);
  ordered_json results = {{"arguments", arguments},   {"records", plan.records},
                          {"threads", plan.threads},  {"seconds", plan.seconds},
                          {"rounds", plan.rounds},    {"memory", plan.memory},
                          {"value_copied_out", true}, {"storage", StorageText(plan.storage)}};
  Pace pace;
  pace.SetTotal(ExpectedSeconds(plan) *
                static_cast<double>(plan.rounds * plan.contenders.size() * plan.workloads.size() *
                                    plan.distributions.size()));
  for (const std::string& distribution : plan.distributions) {
    if (!WriteKeys(plan, distribution, &error)) return Fail(&pace, error);
    for (const std::string& workload : plan.workloads) {
      if (!RunCell(&plan, workload, distribution, &pace, &results, &error)) return Fail(&pace, error);
      if (!folder.Write("results.json", results.dump(1) + "\n", &error)) return Fail(&pace, error);
    }
    std::filesystem::remove(plan.folder + "/" + distribution + ".keys");
  }
  pace.End();
  std::filesystem::remove(plan.folder + "/load.keys");
  for (const Contender& who : plan.contenders)
    std::printf("durability of %s: %s\n", who.name.c_str(), who.durability.c_str());
  std::printf("# results: %s\n", folder.path().c_str());
  return 0;
}

}  // namespace
}  // namespace experiments

int main(int argc, char** argv) { return experiments::Main({argv + 1, argv + argc}, argv[0]); }
