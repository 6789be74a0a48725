// What users of YCSB and YCSB-cpp bring with them: properties, flags, files and reports, as the program takes
// them. The table of workloads/ycsb/README.md says which test is for what.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/ycsb/ycsb_program.h"
#include "workloads/generators.h"

namespace {

namespace fs = std::filesystem;
using ycsb_program::Outcome;

class YcsbUsers : public ycsb_program::Ycsb {
 protected:
  std::string Side(const std::string& name) const { return folder_ + "-" + name; }
  void TearDown() override {
    Ycsb::TearDown();
    for (const char* name : {"store", "report", "keys", "more", "text"}) fs::remove_all(Side(name));
  }
  static std::string TextOf(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // Key files of `count` and `run` keys; those of the run are some of the others, by their places.
  void WriteKeys(uint64_t count, const std::vector<uint64_t>& run) const {
    std::ofstream load(Side("keys"), std::ios::binary), more(Side("more"), std::ios::binary);
    const auto key = [](uint64_t n) { return workloads::FnvHash64(n) ^ 0x5555; };
    for (uint64_t n = 0; n < count; ++n) Put(load, key(n));
    for (const uint64_t n : run) Put(more, key(n));
  }
  static void Put(std::ostream& out, uint64_t key) {
    out.write(reinterpret_cast<const char*>(&key), sizeof key);
  }
};

TEST_F(YcsbUsers, BothSpellingsOfProperties) {
  const Outcome java =
      Run("workloada", "-p operationcount=2000 -p db=tbb -p target=4000 -p status=true -p label=L:");
  EXPECT_EQ(java.status, 0) << java.text;
  EXPECT_GE(Results()["run"]["seconds"].get<double>(), 0.49);
  EXPECT_EQ(Results()["parameters"]["db"], "tbb");
  EXPECT_NE(java.text.find("L:20"), std::string::npos) << java.text;
  const Outcome cpp =
      Run("workloada", "-p operationcount=2000 -p dbname=tbb -p limit.ops=4000 -p status=false");
  EXPECT_EQ(cpp.status, 0) << cpp.text;
  EXPECT_GE(Results()["run"]["seconds"].get<double>(), 0.49);
  EXPECT_EQ(Results()["parameters"]["db"], "tbb");
  EXPECT_EQ(cpp.text.find(" current ops/sec"), std::string::npos);
}

TEST_F(YcsbUsers, PhasesByFlagsWordsAndProperties) {
  const std::string store = " --dir " + Side("store") + " -p operationcount=2000 ";
  const auto phases = [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.status, 0) << outcome.text;
    const auto results = Results();
    return std::string(results.contains("load") ? "load " : "") + (results.contains("run") ? "run" : "");
  };
  EXPECT_EQ(phases(Run("workloada", store + "-p dotransactions=false")), "load ");
  EXPECT_EQ(phases(Run("workloada", store + "-p dotransactions=true")), "run");
  EXPECT_EQ(phases(Run("workloada", store + "-p dotransaction=true")), "run");
  fs::remove_all(Side("store"));
  EXPECT_EQ(phases(Run("workloada", store + "-p doload=true")), "load ");
  EXPECT_EQ(phases(Run("workloada", "-p operationcount=1000 -p doload=true -p dotransaction=true")),
            "load run");
  EXPECT_EQ(phases(Run("workloada", "-p operationcount=1000 -load -run -p dotransactions=false")),
            "load run");
  const std::string rest = " -P " + std::string(CPR_WORKLOADS) + "workloada -p operationcount=1000 --out " +
                           folder_ + " --dir " + Side("report");
  EXPECT_EQ(phases(Call("load faster" + rest)), "load ");
  EXPECT_EQ(phases(Call("run faster" + rest)), "run");
  const Outcome memory = Call("load tbb" + rest);  // the word is the engine's name
  EXPECT_EQ(memory.status, 2);
  EXPECT_NE(memory.text.find("-db tbb: "), std::string::npos) << memory.text;
  EXPECT_EQ(Run("workloada", "-p doload=false").status, 2);
}

TEST_F(YcsbUsers, WithoutAnOperationCountTheTimeEndsTheRun) {
  const Outcome timed = Run("workloadd", "-p operationcount=0 -p maxexecutiontime=1");
  EXPECT_EQ(timed.status, 0) << timed.text;
  EXPECT_GE(Results()["run"]["seconds"].get<double>(), 0.99);
  EXPECT_LT(Results()["run"]["seconds"].get<double>(), 10);
  EXPECT_GT(Results()["run"]["operations"].get<uint64_t>(), 10000u);
}

TEST_F(YcsbUsers, TheTargetIsOfTheLoadPhaseToo) {
  for (const std::string db : {"faster", "tbb"}) {
    const std::string both = db == "tbb" ? " -p operationcount=500" : " -load";
    double least = 100;
    for (int i = 0; i < 5 && (i == 0 || (db == "tbb" && least > 0.4)); ++i) {
      const Outcome load = Run("workloada", "-p recordcount=1000 -target 2000 -threads 2 -db " + db + both);
      EXPECT_EQ(load.status, 0) << load.text;
      least = std::min(least, Results()["load"]["seconds"].get<double>());
      fs::remove_all(folder_);
    }
    if (db == "tbb")
      EXPECT_LT(least, 0.4);  // both phases: as in YCSB-cpp it is the run's alone
    else
      EXPECT_GE(least, 0.4);
  }
}

TEST_F(YcsbUsers, AThrottledPeerEndsInTime) {
  const Outcome slow = Run("workloada", "-p operationcount=100000 -target 5 -p maxexecutiontime=1 -db tbb");
  EXPECT_EQ(slow.status, 0) << slow.text;
  EXPECT_LT(Results()["run"]["seconds"].get<double>(), 6);  // looking every 64 operations it takes 13 s
}

// Not until the watcher looks, which it does every 10 ms. The best of a few, as others may run here.
TEST_F(YcsbUsers, ARunEndsWithItsLastOperation) {
  double best = 1;
  for (int i = 0; i < 20 && best > 0.0095; ++i) {
    EXPECT_EQ(Run("workloadc", "-p operationcount=1000").status, 0);
    best = std::min(best, Results()["run"]["seconds"].get<double>());
    fs::remove_all(folder_);
  }
  EXPECT_LT(best, 0.0095);
}

TEST_F(YcsbUsers, SleepsAfterTheLoad) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Run("workloada", "-p operationcount=1000 -p sleepafterload=1").status, 0);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_F(YcsbUsers, PartsOfAReadModifyWriteAreTimed) {
  for (const std::string db : {"faster", "tbb"}) {
    const Outcome f = Run("workloadf", "-p operationcount=5000 -p faster.time_all=true -db " + db);
    EXPECT_EQ(f.status, 0) << f.text;
    EXPECT_EQ(f.Value("READ", "Operations"), 5000) << db;
    EXPECT_EQ(f.Value("UPDATE", "Operations"), f.Value("READ-MODIFY-WRITE", "Operations"));
    EXPECT_GT(f.Value("UPDATE", "AverageLatency(us)"), 0) << f.text;
    EXPECT_GE(f.Value("READ-MODIFY-WRITE", "MinLatency(us)"), f.Value("UPDATE", "MinLatency(us)"));
  }
}

// Reads beyond what was loaded: insertcount is less than the store that runs.
TEST_F(YcsbUsers, FailedReadsHaveANameOfTheirOwn) {
  const std::string dir = " --dir " + Side("store");
  EXPECT_EQ(Run("workloadc", "-load -p insertcount=500" + dir).status, 0);
  const Outcome run = Run("workloadc", "-t -p operationcount=5000 -p requestdistribution=uniform" + dir);
  EXPECT_EQ(run.status, 0) << run.text;
  EXPECT_EQ(run.Value("READ", "Operations") + run.Value("READ-FAILED", "Operations"), 5000);
  EXPECT_NEAR(run.Value("READ-FAILED", "Operations"), 2500, 300);
  EXPECT_EQ(run.Value("READ", "Return=NOT_FOUND"), run.Value("READ-FAILED", "Operations"));
  EXPECT_GT(run.Value("READ-FAILED", "99thPercentileLatency(us)"), 0);
  const Outcome named =
      Run("workloadc",
          "-t -p operationcount=500 -p reportlatencyforeacherror=true -p requestdistribution=uniform" + dir);
  EXPECT_GT(named.Value("READ-NOT_FOUND", "Operations"), 0) << named.text;
}

TEST_F(YcsbUsers, TimesEveryOperationIfAsked) {
  const Outcome all =
      Run("workloada", "-p operationcount=3000 -p faster.time_all=true -p measurementtype=raw -threads 2");
  EXPECT_EQ(all.status, 0) << all.text;
  size_t lines = 0;
  std::istringstream in(all.text);
  const std::regex raw("(READ|UPDATE),\\d{13},\\d+\\.\\d{3}");
  for (std::string line; std::getline(in, line);) lines += std::regex_match(line, raw);
  EXPECT_EQ(lines, 3000u);
  EXPECT_EQ(all.Value("READ", "Total Operations") + all.Value("UPDATE", "Total Operations"), 3000);
  EXPECT_EQ(Results()["parameters"]["latency_sampled_every"], 1);
}

TEST_F(YcsbUsers, IntendedLatenciesCountTheDelay) {
  const Outcome both = Run(
      "workloada", "-p operationcount=300 -target 1000 -p measurement.interval=both -p faster.time_all=true");
  EXPECT_EQ(both.status, 0) << both.text;
  for (const char* metric : {"READ", "UPDATE"}) {
    EXPECT_EQ(both.Value(std::string("Intended-") + metric, "Operations"), both.Value(metric, "Operations"));
    EXPECT_GE(both.Value(std::string("Intended-") + metric, "AverageLatency(us)"),
              both.Value(metric, "AverageLatency(us)"));
  }
}

TEST_F(YcsbUsers, ExportsToAFile) {
  const std::string exporter = "-p operationcount=2000 -p exporter=site.ycsb.measurements.exporter.";
  const Outcome run =
      Run("workloadb", exporter + "JSONArrayMeasurementsExporter -p exportfile=" + Side("report"));
  EXPECT_EQ(run.status, 0) << run.text;
  const auto array = nlohmann::json::parse(TextOf(Side("report")), nullptr, false);
  ASSERT_TRUE(array.is_array()) << TextOf(Side("report"));
  EXPECT_EQ(array[1]["measurement"], "Throughput(ops/sec)");
  double operations = 0;
  for (const auto& line : array)
    if (line["measurement"] == "Operations") operations += line["value"].get<double>();
  EXPECT_EQ(operations, 2000);  // the run phase's
  // On stdout there is nothing but the exporter's output.
  const Outcome out = Call("-P " + std::string(CPR_WORKLOADS) + "workloadb --out " + folder_ + " --dir " +
                               Side("store") + " -load " + exporter + "JSONArrayMeasurementsExporter",
                           "2>/dev/null");
  EXPECT_TRUE(nlohmann::json::parse(out.text, nullptr, false).is_array()) << out.text;
  const Outcome text = Run("workloadb", "-p operationcount=2000 -p exportfile=" + Side("report"));
  EXPECT_EQ(TextOf(Side("report")).find("[OVERALL], RunTime(ms), "), 0u);
  EXPECT_EQ(text.text.find("[READ]"), std::string::npos);
}

TEST_F(YcsbUsers, RawPointsGoToTheirFile) {
  const Outcome run =
      Run("workloadc",
          "-p operationcount=640 -p measurementtype=hdrhistogram+raw -p measurement.raw.output_file=" +
              Side("report"));
  EXPECT_EQ(run.status, 0) << run.text;
  const std::string raw = TextOf(Side("report"));
  EXPECT_EQ(raw.find("RawINSERT latency raw data: op, timestamp(ms), latency(us)\nRawINSERT,"), 0u) << raw;
  EXPECT_NE(raw.find("\nRawREAD,"), std::string::npos);
  EXPECT_EQ(run.Value("HdrREAD", "Operations"), 640);
  EXPECT_EQ(run.Value("RawREAD", "Total Operations"), 10);
}

TEST_F(YcsbUsers, PrintsAsYcsbCppIfAsked) {
  const Outcome run = Call("-P " + std::string(CPR_WORKLOADS) + "workloadf --out " + folder_ +
                               " -p operationcount=2000 -s --report cpp",
                           "2>/dev/null");
  EXPECT_EQ(run.status, 0) << run.text;
  EXPECT_TRUE(std::regex_search(
      run.text, std::regex("Load runtime\\(sec\\): [\\d.e-]+\nLoad operations\\(ops\\): 1000\n"
                           "Load throughput\\(ops/sec\\): [\\d.e+]+\n")))
      << run.text;
  EXPECT_NE(run.text.find("Run operations(ops): 2000\n"), std::string::npos);
  const std::regex status(
      "20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d 0 sec: 2000 operations;( \\[[A-Z]+: Count=\\d+ "
      "Max=[\\d.]+ Min=[\\d.]+ Avg=[\\d.]+ 90=[\\d.]+ 99=[\\d.]+ 99.9=[\\d.]+ 99.99=[\\d.]+\\])+");
  EXPECT_TRUE(std::regex_search(run.text, status)) << run.text;
  EXPECT_NE(run.text.find("[READMODIFYWRITE: Count="), std::string::npos);
  EXPECT_EQ(run.text.find("[OVERALL]"), std::string::npos);
}

TEST_F(YcsbUsers, ATimeSeriesHasItsStatusOnStdout) {
  const std::string arguments = "-P " + std::string(CPR_WORKLOADS) + "workloadc --out " + folder_ +
                                " -p operationcount=1000 -s -p measurementtype=";
  const std::regex line("sec: 1000 operations;.* \\[READ AverageLatency\\(us\\)=[\\d.]+\\]");
  EXPECT_TRUE(std::regex_search(Call(arguments + "timeseries", "2>/dev/null").text, line));
  EXPECT_FALSE(std::regex_search(Call(arguments + "histogram", "2>/dev/null").text, line));
  EXPECT_TRUE(std::regex_search(Call(arguments + "histogram").text, line));
}

TEST_F(YcsbUsers, VerifiesDataIntegrity) {
  const Outcome run = Run("workloadb", "-p operationcount=2000 -p dataintegrity=true -p fieldlength=100");
  EXPECT_EQ(run.Value("VERIFY", "Return=OK"), run.Value("READ", "Operations")) << run.text;
  EXPECT_EQ(run.Value("VERIFY", "Return=UNEXPECTED_STATE"), -1);
}

TEST_F(YcsbUsers, StoresFieldsOfDifferentLengths) {
  std::ofstream(Side("text")) << "BlockSize\t50\n0\t5\n1\t3\n2\t1\n3\t1\n";
  const std::string sizes = "-p recordcount=3000 -p fieldcount=3 -p fieldlength=150 ";
  for (const std::string& kind :
       {std::string("fieldlengthdistribution=uniform -p minfieldlength=20"),
        std::string("field_len_dist=zipfian"),
        "fieldlengthdistribution=histogram -p fieldlengthhistogram=" + Side("text")}) {
    for (const std::string more :
         {" -p operationcount=9000 -threads 2", " -p operationcount=9000 --batch 16",
          " -p operationcount=9000 -p faster.memory=262144 -p faster.page_bits=14"}) {
      const Outcome run = Run("workloada", sizes + "-p " + kind + more);
      EXPECT_EQ(run.status, 0) << kind << more << run.text;
      EXPECT_EQ(run.Value("READ", "Return=OK") + run.Value("UPDATE", "Return=OK"), 9000) << kind << more;
      EXPECT_LT(run.Value("MEMORY", "LogBytesPerKey"), run.Value("MEMORY", "RecordBytes"));
    }
    const Outcome rmw = Run("workloadrmw", sizes + "-p operationcount=9000 -p " + kind);
    EXPECT_EQ(rmw.Value("RMW", "Return=OK"), 9000) << rmw.text;
  }
  for (const char* workload : {"workloada", "workloadrmw"}) {
    const Outcome killed = Run(workload, sizes +
                                             "-p operationcount=1 -p field_len_dist=uniform -threads 2 "
                                             "--checkpoint-every 0.05 --crash-after 0.5 --verify");
    EXPECT_NE(killed.text.find("verified 3,000 keys: 0 mismatches"), std::string::npos) << killed.text;
  }
}

TEST_F(YcsbUsers, RunsOnTheKeysOfFiles) {
  std::vector<uint64_t> run;
  for (uint64_t i = 0; i < 1000; ++i) run.push_back(i % 700);
  WriteKeys(700, run);
  const std::string files =
      "-p faster.load_file=" + Side("keys") + " -p faster.run_file=" + Side("more") + " ";
  for (const std::string more : {"-db faster -threads 3", "-db tbb", "-db faster --batch 8"}) {
    const Outcome both = Run("workloada", "-p recordcount=700 -p operationcount=5000 " + files + more);
    EXPECT_EQ(both.status, 0) << both.text;
    EXPECT_EQ(both.Value("INSERT", "Operations"), 700);
    EXPECT_EQ(both.Value("READ-FAILED", "Operations"), -1) << more;
    EXPECT_EQ(both.Value("READ", "Return=OK") + both.Value("UPDATE", "Return=OK"), 5000);
    EXPECT_EQ(Results()["parameters"]["requestdistribution"], "file");
  }
  // Every key of the run is drawn as often as it stands in the file: 100 of 1000 were not loaded.
  for (uint64_t& n : run) n = n < 100 ? 700 + n : n;
  run.resize(1000);
  const auto missing =
      static_cast<double>(std::count_if(run.begin(), run.end(), [](uint64_t n) { return n >= 700; }));
  WriteKeys(700, run);
  const Outcome once = Run("workloadc", "-p recordcount=700 -p operationcount=1000 -threads 3 " + files);
  EXPECT_EQ(once.Value("READ-FAILED", "Operations"), missing) << once.text;
  EXPECT_GT(missing, 0);
  // As many records as the file has if nobody says how many.
  std::ofstream(Side("text")) << "operationcount=10\nreadproportion=1\nupdateproportion=0\n";
  const Outcome all = Call("-P " + Side("text") + " --out " + folder_ + " " + files);
  EXPECT_EQ(all.Value("INSERT", "Operations"), 700) << all.text;
}

TEST_F(YcsbUsers, ConvertsYcsbsText) {
  std::ofstream text(Side("text"));
  for (int i = 0; i < 50; ++i)
    text << "INSERT usertable user" << workloads::FnvHash64(static_cast<uint64_t>(i)) << " [ ]\n";
  text.close();
  const Outcome converted = Call("--convert-keys " + Side("text") + " --to " + Side("keys"));
  EXPECT_EQ(converted.status, 0) << converted.text;
  EXPECT_EQ(converted.text.find("50 keys of "), 0u) << converted.text;
  const Outcome run =
      Run("workloadc", "-p recordcount=50 -p operationcount=100 -p faster.load_file=" + Side("keys") +
                           " -p faster.run_file=" + Side("keys"));
  EXPECT_EQ(run.Value("READ", "Return=OK"), 100) << run.text;
  EXPECT_EQ(Call("--convert-keys " + Side("text")).status, 2);
  EXPECT_EQ(Call("--convert-keys /nonexistent --to " + Side("keys")).status, 2);
}

TEST_F(YcsbUsers, WarnsOfWhatHasNoMeaning) {
  const Outcome run = Run("workloadc",
                          "-p operationcount=100 -p recordcuont=7 -p readallfields=false -p zeropadding=12 "
                          "-p table=t -p writeallfields=true -p core_workload_insertion_retry_limit=3");
  EXPECT_EQ(run.status, 0) << run.text;
  EXPECT_NE(run.text.find("cpr ycsb: property recordcuont has no meaning here\n"), std::string::npos)
      << run.text;
  EXPECT_NE(run.text.find("cpr ycsb: readallfields=false has no effect"), std::string::npos);
  EXPECT_EQ(run.text.find("zeropadding"), std::string::npos);
  EXPECT_EQ(run.text.find("property table"), std::string::npos);
}

TEST_F(YcsbUsers, BadInputIsOneLine) {
  std::ofstream(Side("keys"), std::ios::binary) << std::string(21, '\1');
  std::ofstream(Side("more"), std::ios::binary) << std::string(32, '\1');
  std::ofstream(Side("text")) << "INSERT usertable user1 [ ]\n";
  const std::string odd = Side("keys"), good = Side("more"), text = Side("text");
  const std::pair<std::string, std::string> cases[] = {
      {"workloade", "a hash index has no order of keys"},
      {"workloada -p workload=site.ycsb.workloads.TimeSeriesWorkload", "site.ycsb.workloads.CoreWorkload"},
      {"workloada -p limit.file=/tmp/limits", "use target"},
      {"workloada -p zeropadding=x", "zeropadding"},
      {"workloada -p readallfields=maybe", "readallfields"},
      {"workloada -p scanlengthdistribution=latest", "uniform, zipfian"},
      {"workloada -p status=yes", "status"},
      {"workloada -p dotransactions=1", "dotransactions"},
      {"workloada -p sleepafterload=-1", "sleepafterload"},
      {"workloada -p core_workload_insertion_retry_limit=x", "core_workload_insertion_retry_limit"},
      {"workloada -p insertstart=10 -p insertcount=991", "insertcount"},
      {"workloada -p threadcount=x", "threadcount"},
      {"workloada -p target=fast", "target"},
      {"workloada -p limit.ops=fast", "limit.ops"},
      {"workloada -p maxexecutiontime=1m", "maxexecutiontime"},
      {"workloada -p status.interval=0", "status.interval"},
      {"workloada -p insertorder=random", "hashed, ordered"},
      {"workloada -p zipfian_const=1", "zipfian_const"},
      {"workloada -p requestdistribution=hotspot -p hotspotdatafraction=0", "hotspotdatafraction"},
      {"workloada -p requestdistribution=hotspot -p hotspotopnfraction=2", "hotspotopnfraction"},
      {"workloada -p requestdistribution=exponential -p exponential.percentile=0", "exponential.percentile"},
      {"workloada -p requestdistribution=exponential -p exponential.frac=0", "exponential.frac"},
      {"workloada -p minfieldlength=x", "minfieldlength"},
      {"workloada -p fieldlengthdistribution=histogram", "hist.txt"},
      {"workloada -p fieldlengthdistribution=uniform -p dataintegrity=true", "dataintegrity=true"},
      {"workloada -p fieldlengthdistribution=uniform -db tbb", "8, 100, 104 and 256"},
      {"workloada -p measurementtype=x", "measurementtype"},
      {"workloada -p exporter=x", "exporter"},
      {"workloada -p operationcount=1 -p exportfile=/nonexistent/file",
       "/nonexistent/file: cannot be written"},
      {"workloada -p operationcount=1 -p measurementtype=raw -p measurement.raw.output_file=/nonexistent/x",
       "/nonexistent/x: cannot be written"},
      {"workloada -p measurementtype=raw --json", "measurement.raw.output_file"},
      {"workloada -p exporter=JSONMeasurementsExporter --json", "leave out one"},
      {"workloada -p exporter=JSONMeasurementsExporter --report cpp", "leave out"},
      {"workloada --report perl", "java, cpp"},
      {"workloada --to x", "--convert-keys"},
      {"workloada -p faster.time_all=x", "faster.time_all"},
      {"workloada -p faster.load_file=" + odd, "21 bytes, 5 of them after the last whole key"},
      {"workloada -p faster.run_file=/nonexistent", "no such file"},
      {"workloada -p faster.load_file=" + text, "--convert-keys"},
      {"workloada -p recordcount=5 -p faster.load_file=" + good, "as many as"},
      {"workloada -p recordcount=4 -p operationcount=1 -p faster.load_file=" + good, "needs both"},
      {"workloadd -p recordcount=4 -p faster.load_file=" + good, "insertproportion"},
      {"workloada -p recordcount=4 -p faster.load_file=" + good + " -p faster.run_file=" + good +
           " --checkpoint-every 1 --crash-after 1",
       "not verified"},
  };
  for (const auto& [arguments, word] : cases) {
    const size_t blank = arguments.find(' ');
    const Outcome refused =
        Run(arguments.substr(0, blank), blank == std::string::npos ? "" : arguments.substr(blank + 1));
    EXPECT_EQ(refused.status, 2) << arguments << ": " << refused.text;
    EXPECT_NE(refused.text.find(word), std::string::npos) << arguments << ": " << refused.text;
    EXPECT_EQ(std::count(refused.text.begin(), refused.text.end(), '\n'), 1)
        << arguments << ": " << refused.text;
  }
}

// The examples of --help, as they stand there, are run.
TEST_F(YcsbUsers, ExamplesOfTheHelpWork) {
  const Outcome help = Call("--help");
  EXPECT_EQ(help.status, 0);
  std::istringstream lines(help.text.substr(help.text.find("Examples:")));
  std::vector<std::string> examples;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("  ./cpr ycsb ") == 0)
      examples.push_back(line.substr(13));
    else if (line.find("      ") == 0 && !examples.empty() && line.find("      --crash") == 0)
      examples.back() += line.substr(5);
  }
  ASSERT_GE(examples.size(), 4u) << help.text;
  for (const std::string& example : examples) {
    const size_t path = example.find("workloads/ycsb/");
    ASSERT_NE(path, std::string::npos) << example;
    const std::string arguments = example.substr(0, path) + CPR_WORKLOADS +
                                  example.substr(path + std::string("workloads/ycsb/").size());
    const Outcome run = Call(arguments + " --out " + folder_);
    EXPECT_EQ(run.status, 0) << example << "\n" << run.text;
  }
}

}  // namespace
