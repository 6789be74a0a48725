// Kills of real processes: the plans reach their cells, the campaign counts what it does and refuses
// nonsense.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "experiments/common/results.h"
#include "experiments/process/campaign.h"

namespace experiments::process {
namespace {

namespace fs = std::filesystem;

std::string Folder(const char* name) {
  const std::string folder =
      (fs::temp_directory_path() / ("cpr-process-" + std::to_string(getpid()) + "-" + name)).string();
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

TEST(Plans, ReachableCellsAreThoseOfTheMachine) {
  int cells = 0;
  for (int kind = 0; kind < kKinds; ++kind) {
    for (int row = 0; row < kRows; ++row) cells += Reachable(kind, row);
    EXPECT_EQ(KindOf(ChoiceOf(kind)), kind);
  }
  EXPECT_EQ(cells, 2 * 9 + 3 * 7 + 4);
  EXPECT_FALSE(Reachable(2, static_cast<int>(faster::Phase::kIndex)));
  EXPECT_FALSE(Reachable(4, static_cast<int>(faster::Phase::kPrepare)));
}

TEST(Plans, DrawnStoresAreValid) {
  Dice dice(5);
  int smaller = 0, larger = 0;  // memory of the recovery
  for (int i = 0; i < 500; ++i) {
    StoreOptions store = SmallStore("x", dice);
    DrawCompany(dice, false, &store);
    faster::Diagnosis why;
    EXPECT_EQ(store.config.Validate(store.spec.record_bytes(), &why), faster::Status::kOk) << why.Text();
    EXPECT_EQ(store.verify_config.Validate(store.spec.record_bytes(), &why), faster::Status::kOk)
        << why.Text();
    smaller += store.verify_config.buffer_pages < store.config.buffer_pages;
    larger += store.verify_config.buffer_pages > store.config.buffer_pages;
  }
  EXPECT_GT(smaller, 25);
  EXPECT_GT(larger, 100);
}

TEST(Kills, StrikeInTheChosenPhase) {
  const std::string folder = Folder("phase");
  Dice dice(11);
  std::string error;
  int in_phase = 0;
  constexpr int kTries = 6;
  for (int i = 0; i < kTries; ++i) {
    const auto store = KilledStore::Make(SmallStore(folder + "/store", dice), &error);
    ASSERT_NE(store, nullptr) << error;
    KillPlan plan = PlanInCell(0, static_cast<int>(faster::Phase::kWaitPending), {0, 2}, dice);
    plan.kill_after = 0;
    const KillReport report = store->Kill(plan);
    EXPECT_EQ(report.trouble, "");
    EXPECT_FALSE(report.violation()) << report.rule << ": " << report.what;
    in_phase += report.phase == faster::Phase::kWaitPending && KindOf(report.choice) == 0;
    store->RemoveFiles();
  }
  EXPECT_GE(in_phase, kTries / 2);  // the hold is 4 ms: a loaded machine may miss some
  fs::remove_all(folder);
}

TEST(Kills, SessionsGoOnWhereTheyCameBack) {
  const std::string folder = Folder("lives");
  Dice dice(12);
  std::string error;
  StoreOptions options = SmallStore(folder + "/store", dice);
  const auto store = KilledStore::Make(options, &error);
  ASSERT_NE(store, nullptr) << error;
  uint64_t committed = 0;
  for (int life = 0; life < 5; ++life) {
    KillPlan plan = PlanInCell(2, kRestAfter, {0, 1, 2, 3}, dice);
    const KillReport report = store->Kill(plan);
    EXPECT_EQ(report.trouble, "");
    EXPECT_FALSE(report.violation()) << report.rule << ": " << report.what;
    EXPECT_TRUE(report.recovered);
    EXPECT_EQ(report.keys_verified, options.spec.record_count);
    committed += report.committed;
  }
  EXPECT_GT(committed, 0u);
  fs::remove_all(folder);
}

// With syncs left out a kill that takes what was not synced is noticed: the mode costs what it says.
TEST(Kills, AStoreThatIsNeverSyncedIsNotDurable) {
  const std::string folder = Folder("unsynced");
  Dice dice(18);
  std::string error;
  bool noticed = false;
  for (int i = 0; i < 12 && !noticed; ++i) {
    StoreOptions options = SmallStore(folder + "/store", dice);
    options.storage.no_sync = true;
    const auto store = KilledStore::Make(options, &error);
    ASSERT_NE(store, nullptr) << error;
    const KillReport report = store->Kill(PlanInCell(2, kRestAfter, {0, 1, 2, 3}, dice));
    EXPECT_EQ(report.trouble, "");
    noticed = report.violation();
    store->RemoveFiles();
  }
  EXPECT_TRUE(noticed);
  fs::remove_all(folder);
}

TEST(Plans, EveryStorageIsDrawnUnlessOneIsAskedFor) {
  Dice dice(6);
  std::map<std::string, int> drawn;
  int few = 0;
  for (int i = 0; i < 400; ++i) {
    StoreOptions store;
    DrawStorage({}, dice, &store);
    ++drawn[StorageText(store.storage)];
    few += store.config.open_segments < 5;
    DrawStorage(StorageChoice{"uring", false, 0, 7}, dice, &store);
    EXPECT_EQ(StorageText(store.storage), "uring, writes at 7 MB/s");
  }
  EXPECT_EQ(drawn.size(), 3u);
  for (const auto& [text, times] : drawn) EXPECT_GT(times, 40) << text;
  EXPECT_GT(few, 100);
}

TEST(Plans, AllCompanyIsDrawn) {
  Dice dice(7);
  int cold = 0, batches = 0, grows = 0, cached = 0, compacts = 0, keeps = 0, to_tail = 0;
  for (int i = 0; i < 600; ++i) {
    StoreOptions store = i % 3 == 0 ? BigStore("x", dice) : SmallStore("x", dice);
    DrawCompany(dice, i % 3 == 0, &store);
    cold += store.cold;
    batches += store.spec.batch > 1;
    grows += store.config.grow_at_overflow_percent != 0;
    cached += store.config.read_cache_bytes != 0;
    compacts += store.config.compact_at_bytes != 0;
    keeps += store.config.keep_checkpoints != 0;
    to_tail += store.config.copy_reads_to_tail;
    EXPECT_FALSE(store.cold && !store.spec.fixed());
  }
  for (const int drawn : {cold, batches, grows, cached, compacts, keeps, to_tail}) EXPECT_GT(drawn, 30);
}

// Each by itself, over several lives of one store.
TEST(Kills, StoresInCompany) {
  const std::string folder = Folder("company");
  Dice dice(17);
  std::string error;
  const std::vector<std::pair<const char*, std::function<void(StoreOptions*)>>> companies = {
      {"batches", [](StoreOptions* store) { store->spec.batch = 24; }},
      {"growth",
       [](StoreOptions* store) {
         store->config.index_buckets = 1;
         store->config.grow_at_overflow_percent = store->spec.grow_percent = 10;
       }},
      {"cold",
       [](StoreOptions* store) {
         store->cold = true;
         store->spec.value_bytes = store->spec.stored_bytes = 8;
       }},
      {"compaction",
       [](StoreOptions* store) {
         store->config.compact_at_bytes = store->config.page_bytes() * store->config.buffer_pages;
         store->config.keep_checkpoints = 2;
       }},
      {"copies", [](StoreOptions* store) {
         store->config.read_cache_bytes = store->config.page_bytes() * 4;
         store->config.copy_reads_to_tail = true;
       }}};
  for (const auto& [name, add] : companies) {
    StoreOptions options = SmallStore(folder + "/store", dice);
    options.spec.record_count = options.spec.insert_count = options.spec.keys.insert_count = 2000;
    options.config.block_bytes = 512;
    options.config.page_bits = options.verify_config.page_bits = 12;
    options.verify_config.block_bytes = 512;
    add(&options);
    const auto store = KilledStore::Make(options, &error);
    ASSERT_NE(store, nullptr) << error;
    for (int life = 0; life < 5; ++life) {
      const KillReport report = store->Kill(PlanInCell(life % 4, kRestAfter, {0, 1, 2, 3}, dice));
      EXPECT_EQ(report.trouble, "") << name;
      ASSERT_FALSE(report.violation()) << name << ": " << report.rule << ": " << report.what;
      EXPECT_TRUE(report.recovered) << name;
    }
    store->RemoveFiles();
  }
  fs::remove_all(folder);
}

TEST(Kills, StoresOnIoUring) {
  const std::string folder = Folder("uring");
  Dice dice(13);
  std::string error;
  for (const bool direct : {false, true}) {
    StoreOptions options = SmallStore(folder + "/store", dice);
    options.storage = {"uring", direct, 0, 0};
    options.config.open_segments = 2;
    const auto store = KilledStore::Make(options, &error);
    ASSERT_NE(store, nullptr) << error;
    for (int life = 0; life < 4; ++life) {
      const KillReport report = store->Kill(PlanInCell(life % 2, kRestAfter, {0, 1, 2, 3}, dice));
      EXPECT_EQ(report.trouble, "");
      EXPECT_FALSE(report.violation()) << report.rule << ": " << report.what;
      EXPECT_TRUE(report.recovered);
    }
    store->RemoveFiles();
  }
  fs::remove_all(folder);
}

TEST(Campaign, CountsWhatItDoes) {
  const std::string folder = Folder("campaign");
  const std::string program = CPR_CRASH_PROCESS;
  EXPECT_EQ(std::system(
                (program + " --small --executions 12 --seed 4 --out " + folder + " >/dev/null 2>&1").c_str()),
            0);
  std::string text, error;
  ASSERT_TRUE(ReadWholeFile(folder + "/results.json", &text, &error)) << error;
  const nlohmann::json results = nlohmann::json::parse(text, nullptr, false);
  EXPECT_EQ(results["valid"], true);
  EXPECT_EQ(results["mode"], "process");
  EXPECT_EQ(results["executions"], 12);
  EXPECT_EQ(results["violations"], 0);
  uint64_t crashes = 0, cells = 0;
  for (const auto& [kind, rows] : results["coverage"].items()) {
    for (const auto& [row, cell] : rows.items()) {
      crashes += cell["crashes"].get<uint64_t>();
      cells += cell["crashes"].get<uint64_t>() != 0;
    }
  }
  EXPECT_EQ(crashes, 12u);
  EXPECT_GE(cells, 6u);  // the cell hit least is next
  EXPECT_EQ(
      results["recoveries"].get<uint64_t>() + results["recoveries_before_any_checkpoint"].get<uint64_t>(),
      12u);
  EXPECT_FALSE(fs::exists(folder + "/store"));
  fs::remove_all(folder);
}

// Runs a campaign, interrupts it after `after` and returns what it left in results.json.
nlohmann::json Interrupted(std::chrono::milliseconds after) {
  const std::string folder = Folder("interrupted");
  const pid_t child = fork();
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execl(CPR_CRASH_PROCESS, "cpr-crash-process", "--seconds", "100", "--out", folder.c_str(), nullptr);
    _exit(99);
  }
  std::this_thread::sleep_for(after);
  kill(child, SIGINT);
  const auto start = std::chrono::steady_clock::now();
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));  // 1 s on a quiet machine
  EXPECT_TRUE(WIFEXITED(status));
  std::string text, error;
  EXPECT_TRUE(ReadWholeFile(folder + "/results.json", &text, &error)) << error;
  EXPECT_FALSE(fs::exists(folder + "/store"));
  fs::remove_all(folder);
  return nlohmann::json::parse(text, nullptr, false);
}

TEST(Campaign, StopsWhenInterrupted) {
  nlohmann::json results;
  // On a loaded machine the first kill may need longer than the first try.
  for (const int seconds : {3, 10, 30}) {
    results = Interrupted(std::chrono::seconds(seconds));
    ASSERT_TRUE(results.is_object());
    EXPECT_EQ(results["interrupted"], true);
    EXPECT_EQ(results["violations"], 0);
    if (results["executions"].get<uint64_t>() > 0) break;
  }
  EXPECT_GT(results["executions"].get<uint64_t>(), 0u);
}

TEST(PhaseTable, MarksWhatWasNeverHitAndLeavesOutWhatCannotBe) {
  const std::vector<PhaseCell> cells = {{"full", "Rest", {1000, 500, 400, 0}, true},
                                        {"full", "Prepare", {7, 0, 0, 0}, true},
                                        {"index", "Prepare", {0, 0, 0, 0}, false},
                                        {"index", "WaitFlush", {1, 1, 0, 1}, false}};
  EXPECT_EQ(
      PhaseTableText(cells),
      "checkpoint     phase                   executions      crashes   recoveries   violations\n"
      "full           Rest                         1,000          500          400            0\n"
      "               Prepare                          7            0            0            0  never hit\n"
      "index          WaitFlush                        1            1            0            1\n");
  const nlohmann::ordered_json json = PhaseTableJson(cells);
  EXPECT_EQ(json["full"]["Rest"]["crashes"], 500);
  EXPECT_EQ(json["index"]["Prepare"]["reachable"], false);
  EXPECT_EQ(Percent(1, 8), "12.5 %");
  EXPECT_EQ(Percent(1, 0), "0.0 %");
}

TEST(Campaign, RefusesNonsense) {
  const std::string program = CPR_CRASH_PROCESS;
  for (const char* arguments : {"--seconds 0", "--mode sim", "--checkpoint index --log snapshot", "1 2", "x",
                                "--frob", "--direct", "--storage floppy", "--write-limit 0"}) {
    const int status = std::system((program + " " + arguments + " >/dev/null 2>&1").c_str());
    EXPECT_EQ(WEXITSTATUS(status), 2) << arguments;
  }
}

}  // namespace
}  // namespace experiments::process
