// cpr-ycsb from outside: what it does, what it prints and leaves behind, and what it refuses.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>
#include <thread>

#include "plots/csv.h"
#include "tests/ycsb/ycsb_program.h"
#include "workloads/ycsb/status_lines.h"

namespace {

namespace fs = std::filesystem;
using ycsb_program::Outcome;
using ycsb_program::Ycsb;

TEST_F(Ycsb, DoesEveryOperationOnce) {
  const Outcome a = Run("workloada", "-p recordcount=2000 -p operationcount=50001 -threads 3");
  EXPECT_EQ(a.status, 0) << a.text;
  EXPECT_EQ(a.Value("READ", "Operations") + a.Value("UPDATE", "Operations"), 50001);
  EXPECT_EQ(a.Value("READ", "Return=OK"), a.Value("READ", "Operations"));  // every record was loaded
  EXPECT_EQ(a.Value("INSERT", "Operations"), 2000);
  EXPECT_NEAR(a.Value("READ", "Operations"), 25000, 1000);
  EXPECT_GT(a.Value("OVERALL", "Throughput(ops/sec)"), 0);
  EXPECT_GE(a.Value("READ", "99thPercentileLatency(us)"), a.Value("READ", "50thPercentileLatency(us)"));
  const nlohmann::json results = Results();
  EXPECT_EQ(results["valid"], true);
  EXPECT_EQ(results["run"]["operations"], 50001);
  EXPECT_EQ(results["parameters"]["requestdistribution"], "zipfian");
  EXPECT_FALSE(fs::exists(folder_ + "/data"));  // a store of its own does not stay
  EXPECT_TRUE(fs::exists(folder_ + "/throughput.png"));
}

TEST_F(Ycsb, KnowsBothReadModifyWrites) {
  const Outcome f = Run("workloadf", "-p recordcount=500 -p operationcount=20000 -p fieldlength=100");
  EXPECT_EQ(f.status, 0) << f.text;
  EXPECT_EQ(f.Value("READ", "Operations"), 20000);  // the read of a read-modify-write counts as one
  EXPECT_EQ(f.Value("UPDATE", "Operations"), f.Value("READ-MODIFY-WRITE", "Operations"));
  EXPECT_NEAR(f.Value("UPDATE", "Operations"), 10000, 500);
  const Outcome rmw = Run("workloadrmw", "-p recordcount=500 -p operationcount=20000 -p fieldlength=256");
  EXPECT_EQ(rmw.status, 0) << rmw.text;
  EXPECT_EQ(rmw.Value("RMW", "Return=OK"), 20000);
}

TEST_F(Ycsb, InsertsAndReadsTheLatest) {
  const Outcome d = Run("workloadd", "-p recordcount=1000 -p operationcount=20000 -threads 2");
  EXPECT_EQ(d.status, 0) << d.text;
  EXPECT_NEAR(d.Value("INSERT", "Operations"), 1000, 300);
  EXPECT_EQ(d.Value("READ", "Operations") + d.Value("INSERT", "Operations"), 20000);
  EXPECT_EQ(d.Value("READ", "Return=NOT_FOUND"), -1);  // nobody reads what is not acknowledged
}

TEST_F(Ycsb, ReadsBackWhatIsOnDisk) {
  const Outcome c = Run("workloadc",
                        "-p recordcount=20000 -p operationcount=30000 -threads 2 -p faster.memory=65536 "
                        "-p faster.page_bits=12 -p requestdistribution=uniform --json");
  EXPECT_EQ(c.status, 0) << c.text;
  const nlohmann::json results = Results();
  EXPECT_GT(results["log"]["head"].get<uint64_t>(), 200000u);
  EXPECT_EQ(results["run"]["report"].size(), 2 + 8u);  // no line but of reads that were OK
  EXPECT_EQ(results["run"]["operations"], 30000);
}

// Values of a length that no engine is compiled for: in memory and on disk, alone and in batches.
TEST_F(Ycsb, StoresValuesOfAnyLength) {
  for (const std::string length : {"1", "9", "250", "5000"}) {
    const Outcome a = Run("workloada",
                          "-p recordcount=2000 -p operationcount=9000 -threads 2 -p fieldcount=1 "
                          "-p faster.memory=262144 -p faster.page_bits=14 -p fieldlength=" +
                              length);
    EXPECT_EQ(a.status, 0) << a.text;
    EXPECT_EQ(a.Value("READ", "Operations") + a.Value("UPDATE", "Operations"), 9000);
    EXPECT_EQ(a.Value("READ", "Return=OK"), a.Value("READ", "Operations"));
  }
  const Outcome c =
      Run("workloadc", "-p recordcount=2000 -p operationcount=9000 -p fieldlength=33 --batch 16");
  EXPECT_EQ(c.status, 0) << c.text;
  EXPECT_EQ(c.Value("READ", "Return=OK"), 9000);
  const Outcome rmw =
      Run("workloadrmw", "-p recordcount=500 -p operationcount=9000 -p fieldlength=300 --batch 8");
  EXPECT_EQ(rmw.status, 0) << rmw.text;
  EXPECT_EQ(rmw.Value("RMW", "Return=OK"), 9000);
}

TEST_F(Ycsb, MarksItsCheckpoints) {
  for (const std::string flags : {"--checkpoint full --log foldover", "--checkpoint log --log snapshot"}) {
    const Outcome a = Run("workloada",
                          "-p recordcount=5000 -p operationcount=1000000000 -p maxexecutiontime=1 -threads 2 "
                          "--checkpoint-every 0.1 " +
                              flags);
    EXPECT_EQ(a.status, 0) << a.text;
    plots::Csv csv;
    std::string error;
    ASSERT_TRUE(csv.Read(folder_ + "/checkpoints.csv", &error)) << error;
    ASSERT_GE(csv.rows(), 2u);
    double before = 0;
    for (size_t row = 0; row < csv.rows(); ++row) {
      double requested, durable;
      ASSERT_TRUE(csv.Number(row, csv.Column("requested"), &requested));
      ASSERT_TRUE(csv.Number(row, csv.Column("durable"), &durable));
      EXPECT_GE(requested, before);  // one at a time
      EXPECT_GT(durable, requested);
      EXPECT_EQ(csv.Cell(row, csv.Column("status")), "ok");
      EXPECT_NE(flags.find(csv.Cell(row, csv.Column("backend"))), std::string::npos);
      EXPECT_EQ(csv.Cell(row, csv.Column("token")).size(), 36u);
      before = durable;
    }
    EXPECT_EQ(Results()["checkpoints_durable"], csv.rows());
    ASSERT_TRUE(csv.Read(folder_ + "/throughput.csv", &error)) << error;
    double operations = 0;
    ASSERT_TRUE(csv.Number(csv.rows() - 1, csv.Column("operations"), &operations));
    EXPECT_EQ(operations, Results()["run"]["operations"].get<double>());
  }
}

TEST_F(Ycsb, LoadsNowAndRunsLater) {
  const std::string store = " --dir " + folder_ + "-store -p recordcount=3000 ";
  EXPECT_EQ(Run("workloada", store + "-load").status, 0);
  const Outcome run = Run("workloada", store + "-t -p operationcount=10000");
  EXPECT_EQ(run.status, 0) << run.text;
  EXPECT_EQ(run.Value("READ", "Return=OK"), run.Value("READ", "Operations"));
  EXPECT_EQ(run.Value("READ-FAILED", "Operations"), -1);
  const Outcome again = Run("workloada", store + "-load");
  EXPECT_EQ(again.status, 2) << again.text;  // a store that holds a checkpoint is not overwritten
  fs::remove_all(folder_ + "-store");
}

TEST_F(Ycsb, KilledAndVerified) {
  for (const char* workload : {"workloadrmw", "workloada", "workloadf", "workloada --batch 24",
                               "workloada -p updateproportion=0 -p rmwproportion=0.5 --batch 7",
                               "workloada -db f2", "workloadrmw -db f2 --batch 16"}) {
    const Outcome killed = Run(workload,
                               "-p recordcount=20000 -p operationcount=1 -threads 2 -p faster.memory=131072 "
                               "--checkpoint-every 0.05 --crash-after 0.8 --verify");
    EXPECT_EQ(killed.status, 0) << killed.text;
    EXPECT_NE(killed.text.find("verified 20,000 keys: 0 mismatches"), std::string::npos) << killed.text;
    const nlohmann::json kill = Results()["kill"];
    EXPECT_GT(kill["operations_committed"].get<uint64_t>(), 0u);
    EXPECT_EQ(kill["keys_verified"], 20000);
  }
}

// The figures of all lines of a metric, summed up.
uint64_t Counted(const std::string& text, const std::string& metric) {
  const std::string start = "[" + metric + ": Count=";
  uint64_t sum = 0;
  for (size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + 1))
    sum += std::strtoull(text.c_str() + at + start.size(), nullptr, 10);
  return sum;
}

TEST_F(Ycsb, SaysWhatEachOperationTookSinceTheLastLine) {
  const Outcome a = Run("workloada",
                        "-p recordcount=2000 -p operationcount=100000000 -p maxexecutiontime=3 -threads 2 -s "
                        "-l mine: -p status.interval=1");
  EXPECT_EQ(a.status, 0) << a.text;
  // Every operation is in one line: the last one is printed when all threads have ended.
  EXPECT_EQ(Counted(a.text, "READ"), a.Value("READ", "Operations")) << a.text;
  EXPECT_EQ(Counted(a.text, "UPDATE"), a.Value("UPDATE", "Operations"));
  EXPECT_EQ(Counted(a.text, "INSERT"), 2000u);
  const std::regex line(
      "mine:20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d:\\d\\d\\d \\d+ sec: \\d+ operations; "
      "[\\d.]+ current ops/sec;( est completion in \\d+ \\w+)?"
      "( \\[[A-Z]+: Count=\\d+, Max=[\\d.]+, Min=[\\d.]+, Avg=[\\d.]+, 50=[\\d.]+, 90=[\\d.]+, 99=[\\d.]+, "
      "99.9=[\\d.]+, 99.99=[\\d.]+\\])+");
  std::istringstream lines(a.text);
  int matched = 0;
  for (std::string text; std::getline(lines, text);) matched += std::regex_match(text, line);
  EXPECT_GE(matched, 3) << a.text;  // two of the run phase at least, and the last ones of both
}

TEST(StatusText, HasTheFiguresOfTheIntervalOnly) {
  using namespace workloads::ycsb;
  Measurements all;
  for (int i = 1; i <= 100; ++i) {
    all.Count(Metric::kRead, faster::Status::kOk);
    all.of(Metric::kRead).nanoseconds.Record(100000);
  }
  const Measurements before = all;
  EXPECT_EQ(StatusText(all.Since(before)), "");
  for (uint64_t us = 1; us <= 100; ++us) {
    all.Count(Metric::kUpdate, faster::Status::kOk);
    all.of(Metric::kUpdate).nanoseconds.Record(us);
  }
  all.Count(Metric::kRead, faster::Status::kNotFound);
  all.of(Metric::kRead).nanoseconds.Record(200);
  EXPECT_EQ(StatusText(all.Since(before)),
            " [READ: Count=1, Max=0.200, Min=0.200, Avg=0.200, 50=0.200, 90=0.200, 99=0.200, 99.9=0.200, "
            "99.99=0.200] [UPDATE: Count=100, Max=0.100, Min=0.001, Avg=0.051, 50=0.050, 90=0.090, 99=0.099, "
            "99.9=0.100, 99.99=0.100]");
}

TEST(StatusText, RemainingTimeInUnitsOfItsSize) {
  using workloads::ycsb::RemainingText;
  EXPECT_EQ(RemainingText(0.2), "0 seconds");
  EXPECT_EQ(RemainingText(1), "1 second");
  EXPECT_EQ(RemainingText(59), "59 seconds");
  EXPECT_EQ(RemainingText(125), "2 minutes");
  EXPECT_EQ(RemainingText(3660), "1 hour 1 minute");
  EXPECT_EQ(RemainingText(2 * 86400 + 3600 + 120), "2 days 1 hour");
}

TEST_F(Ycsb, StopsWhenInterrupted) {
  const pid_t child = fork();
  if (child == 0) {
    const std::string workload = std::string(CPR_WORKLOADS) + "workloada";
    std::freopen("/dev/null", "w", stdout);
    execl(CPR_YCSB_PROGRAM, "cpr-ycsb", "-P", workload.c_str(), "-p", "operationcount=100000000000", "--out",
          folder_.c_str(), "--checkpoint-every", "0.2", nullptr);
    _exit(99);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  kill(child, SIGINT);
  const auto start = std::chrono::steady_clock::now();
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));  // 1 s on a quiet machine
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
  const nlohmann::json results = Results();
  EXPECT_EQ(results["interrupted"], true);
  EXPECT_GT(results["run"]["operations"].get<uint64_t>(), 0u);
  EXPECT_FALSE(fs::exists(folder_ + "/data"));
}

// Batches do the same operations; an RMW adds, so a lost or repeated one would show in the verified run
// below.
TEST_F(Ycsb, BatchesDoTheSameOperations) {
  const std::string size = "-p recordcount=20000 -p operationcount=50000 -threads 2 --batch 48";
  const Outcome run = Run("workloada", size);
  EXPECT_EQ(run.status, 0) << run.text;
  EXPECT_EQ(run.Value("READ", "Operations") + run.Value("UPDATE", "Operations"), 50000);
  EXPECT_EQ(run.Value("READ", "Return=OK"), run.Value("READ", "Operations"));
  EXPECT_EQ(run.Value("READ-FAILED", "Operations"), -1);
  EXPECT_EQ(Results()["parameters"]["batch"], 48);
}

// What a key costs in memory is its record, its share of the index, and little else.
TEST_F(Ycsb, ReportsBytesPerKey) {
  const Outcome run = Run("workloadc", "-p recordcount=1000000 -p operationcount=1000");
  EXPECT_EQ(run.status, 0) << run.text;
  const double accounted = run.Value("MEMORY", "LogBytesPerKey") + run.Value("MEMORY", "IndexBytesPerKey");
  EXPECT_NEAR(run.Value("MEMORY", "LogBytesPerKey"), run.Value("MEMORY", "RecordBytes"), 0.5);
  EXPECT_NEAR(run.Value("MEMORY", "ResidentBytesPerKey"), accounted, accounted * 0.1);
  EXPECT_GT(Results()["memory"]["ResidentBytesPerKey"].get<double>(), 0);
}

// Records that do not fit into memory, on each storage: every operation is done, and the results say on what.
TEST_F(Ycsb, RunsOnTheStorageThatIsAskedFor) {
  const std::string larger =
      "-p recordcount=20000 -p operationcount=5000 -p faster.memory=262144 -p faster.page_bits=14 "
      "-p faster.segment_bytes=65536 -p faster.open_segments=2 --checkpoint-every 0.1 ";
  const std::pair<std::string, std::string> storages[] = {
      {"--storage posix", "posix"},
      {"--storage uring", "uring"},
      {"--storage uring --direct", "uring, direct"},
      {"--read-limit 500 --write-limit 400", "posix, reads at 500 MB/s, writes at 400 MB/s"},
      {"--no-sync", "posix, never synced"}};
  for (const auto& [flags, text] : storages) {
    const Outcome run = Run("workloada", larger + flags);
    if (run.status == 2 && run.text.find("is not possible here") != std::string::npos) continue;
    EXPECT_EQ(run.status, 0) << flags << ": " << run.text;
    EXPECT_EQ(run.Value("READ", "Return=OK"), run.Value("READ", "Operations"));
    EXPECT_EQ(run.Value("READ-FAILED", "Operations"), -1);
    EXPECT_EQ(Results()["parameters"]["storage"], text);
    fs::remove_all(folder_);
  }
}

// 2 MB of records at 1 MB a second: the load cannot end sooner.
TEST_F(Ycsb, KeepsToItsLimit) {
  const Outcome run = Run("workloadc",
                          "-p recordcount=100000 -p operationcount=1 -p faster.memory=262144 "
                          "-p faster.page_bits=14 --write-limit 1");
  EXPECT_EQ(run.status, 0) << run.text;
  EXPECT_GE(Results()["load"]["seconds"].get<double>(), 1.8);
}

TEST_F(Ycsb, RefusesInOneLine) {
  const std::pair<std::string, std::string> cases[] = {
      {"workloade", "scan"},
      {"workloada -p recordcount=many", "recordcount"},
      {"workloada -p recordcount=0", "recordcount"},
      {"workloada -p operationcount=0", "operationcount"},
      {"workloada -p fieldlength=17 -db tbb", "8, 100, 104 and 256"},
      {"workloada -p fieldlength=5000 -p faster.page_bits=12 -p faster.memory=65536", "block_bytes"},
      {"workloada -p fieldlength=16000000 -p fieldcount=1000", "largest page"},
      {"workloada -p requestdistribution=gauss", "requestdistribution"},
      {"workloada -p readproportion=0 -p updateproportion=0", "proportions"},
      {"workloada -p insertstart=5000", "insertstart"},
      {"workloada -p faster.memory=4096 -p faster.page_bits=12", "page"},
      {"workloada -p novalue", "KEY=VALUE"},
      {"workloada -threads 0", "threadcount"},
      {"workloada -db mysql", "rocksdb, leveldb, tbb"},
      {"workloada -db tbb --checkpoint-every 1", "-db tbb"},
      {"workloadd --batch 8", "inserts"},
      {"workloada --batch 0", "batch"},
      {"workloada --frobnicate", "frobnicate"},
      {"workloada --checkpoint-every soon", "seconds"},
      {"workloada --checkpoint some", "checkpoint"},
      {"workloada --verify", "--crash-after"},
      {"workloada --storage floppy", "posix"},
      {"workloada --direct", "--storage uring"},
      {"workloada -db tbb --storage uring", "-db tbb"},
      {"workloada --read-limit 0", "read-limit"},
      {"workloada --crash-after 1", "--checkpoint-every"},
      {"workloadd --crash-after 1 --checkpoint-every 1", "insert"},
      {"workloada -p insertstart=9 -p requestdistribution=latest --crash-after 1 --checkpoint-every 1",
       "insertstart"},
      {"workloada -p insertstart=9 -p requestdistribution=exponential --crash-after 1 --checkpoint-every 1",
       "insertstart"},
      {"workloada -t", "--dir"},
      {"workloada -t --dir /nonexistent/store", "/nonexistent"},
      {"none", "none"},
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

}  // namespace
