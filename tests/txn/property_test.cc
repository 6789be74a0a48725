// Random transactions of several clients, interleaved down to one inside another, commits asked for at random
// moments, and power cuts at any point of the I/O, recoveries included: what comes back must be the
// transactions within the commit points, in the order in which they happened, and nothing else.
//
// An execution runs on the fibers of a FakeScheduler over the storage model, so unsynced sectors, sizes and
// names survive or not as the model says. All transactions run on one fiber: the order of their commits is a
// serial order that they must be equivalent to (locks are held to the end). Each write depends on all that
// its transaction has read, and a replay of what was committed must read the same again (no committed
// transaction has seen an uncommitted one).
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>

#include "faults/device/sim_storage.h"
#include "tests/device/fake_scheduler.h"
#include "workloads/generators.h"
#include "workloads/txn/store.h"

namespace workloads::txn {
namespace {

using faults::FakeScheduler;
using faults::FaultPlan;
using faults::Outcome;
using faults::SimStorage;

constexpr uint64_t kClients = 4, kKeys = 6;

using Place = std::pair<uint32_t, uint64_t>;  // table, key
using State = std::map<Place, uint64_t>;      // first words; absent is 0

struct Done {  // a transaction that committed
  uint64_t client, serial;
  std::vector<std::pair<Place, uint64_t>> reads, writes;
};

uint64_t Mix(uint64_t a, uint64_t b) { return FnvHash64(a * 31 + b) | 1; }

// What one life of the store did, kept where a crash does not take it.
struct Life : TxnObserver {
  std::vector<Done> done;
  std::map<uint64_t, uint64_t> issued, reported;  // by client: serials
  std::map<uint64_t, uint64_t> at_request;        // completed when the commit `requested` was
  uint64_t requested = 0;
  std::string wrong;

  void OnCommit(const Commit& commit) override {
    if (commit.status != Status::kOk) {
      if (commit.number >= requested) requested = 0;
      return;
    }
    for (const ClientPoint& point : commit.points) {
      if (point.serial < reported[point.client]) Wrong("a commit point of a client went back");
      reported[point.client] = point.serial;
    }
    if (requested == 0 || commit.number < requested) return;
    for (const auto& [client, serial] : at_request) {
      if (reported[client] < serial) Wrong("a commit lacks what was complete when it was requested");
    }
    requested = 0;
  }
  void Wrong(const std::string& what) {
    if (wrong.empty()) wrong = what;
  }
};

// The memory of stores that a crash ended is never freed, but stays reachable.
std::vector<const void*>& Graveyard() {
  static std::vector<const void*> graveyard;
  return graveyard;
}

struct Plan {
  CommitScheme scheme;
  std::vector<std::vector<uint32_t>> programs;  // one a life
  std::vector<uint64_t> crashes;                // I/O points after which a life ends, and its recovery
  uint32_t refresh_interval;
  uint64_t seed;
  std::string faults;
};

class Execution {
 public:
  explicit Execution(const Plan& plan) : plan_(plan), scheduler_(plan.seed) {
    std::string error;
    if (!FaultPlan::Parse(plan.faults, &faults_, &error)) wrong_ = error;
    SimStorage::Options options;
    options.disk.tear_mix = plan.seed % 2 == 0;
    storage_.Reset(options, &scheduler_, &faults_);
  }

  // "" or what is wrong.
  std::string Run() {
    for (size_t number = 0; number < plan_.programs.size() && wrong_.empty(); ++number) {
      life_ = new Life;
      Graveyard().push_back(life_);
      const bool first = number == 0;
      if (!Begin(first)) return wrong_;
      scheduler_.crash_at = scheduler_.step() + plan_.crashes[2 * number];
      Do([&] { Program(plan_.programs[number]); });
      if (wrong_.empty()) wrong_ = life_->wrong;
      last_ = life_;
      PowerCut();
    }
    if (wrong_.empty()) {
      life_ = new Life;
      Graveyard().push_back(life_);
      static_cast<void>(Begin(false));
    }
    return wrong_;
  }

 private:
  Outcome Do(std::function<void()> body) {
    scheduler_.SpawnFunction(std::move(body));
    const Outcome outcome = scheduler_.Run().outcome;
    if (outcome == Outcome::kDeadlock || outcome == Outcome::kFailed) wrong_ = "the execution got stuck";
    return outcome;
  }
  void PowerCut() {
    storage_.Crash();
    scheduler_.Begin({}, plan_.seed + ++cuts_);
    storage_.Reopen();
  }
  TxnConfig Config() const {
    TxnConfig config;
    config.scheme = plan_.scheme;
    config.tables = {{1, 8}, {3, 8}};
    config.refresh_interval = plan_.refresh_interval;
    config.log_ring_bytes = 16384;
    return config;
  }

  // Starts or recovers the store; a recovery may crash, or meet a fault, and then is tried again. False: the
  // execution is over.
  bool Begin(bool first) {
    for (int attempt = 0; attempt < 5; ++attempt) {
      Status status = Status::kPending;
      auto* const recovered = new RecoveredTxns;
      Graveyard().push_back(recovered);
      store_ = new TxnStore(Config(), &storage_, life_);
      Graveyard().push_back(store_);
      if (attempt == 0 && !first) scheduler_.crash_at = scheduler_.step() + plan_.crashes[1];
      Do([&, recovered] {
        Diagnosis why;
        status = first ? store_->Start(&why) : store_->Recover(recovered, &why);
        if (status == Status::kCorruption || status == Status::kNotFound) wrong_ = "recovery: " + why.Text();
        if (status == Status::kOk && !first) Check(*recovered);
      });
      if (!wrong_.empty()) return false;
      if (status == Status::kOk) return true;
      if (first) return false;  // a fault or a crash: never started
      PowerCut();
    }
    return false;
  }

  void Program(const std::vector<uint32_t>& program) {
    program_ = &program;
    next_ = 0;
    for (auto& client : clients_) client = nullptr;
    while (next_ < program.size()) Step(program[next_++], 0);
  }

  void Step(uint32_t word, int depth) {
    const uint32_t kind = word % 16;
    const uint64_t id = word / 16 % kClients + 1;
    if (kind <= 9) {
      Transact(id, word, depth, kind <= 4);
    } else if (kind <= 11) {
      Request();
    } else if (kind == 12) {
      static_cast<void>(store_->Poll());
    } else if (kind == 13) {
      if (clients_[id] != nullptr && !busy_[id]) {
        delete clients_[id];
        clients_[id] = nullptr;
      }
    } else if (kind == 14) {
      for (uint32_t i = 0; i < word / 64 % 64; ++i) {
        if (depth == 0) scheduler_.Yield();
        static_cast<void>(store_->Poll());
      }
    } else if (clients_[id] != nullptr && !busy_[id]) {
      clients_[id]->Refresh();
    }
  }

  void Request() {
    std::map<uint64_t, uint64_t> complete = life_->issued;
    uint64_t number = 0;
    const uint64_t requested = life_->requested;
    if (requested == 0) {
      life_->at_request = complete;
      life_->requested = ~uint64_t{0};
    }
    const Status status = store_->RequestCommit(&number);
    if (status == Status::kOk) {
      if (life_->requested == ~uint64_t{0}) life_->requested = number;
    } else if (requested == 0) {
      life_->requested = 0;
    }
  }

  Client* Opened(uint64_t id) {
    if (clients_[id] != nullptr) return clients_[id];
    std::unique_ptr<Client> client;
    if (store_->StartClient(id, &client) != Status::kOk) {
      life_->Wrong("a client could not be opened");
      return nullptr;
    }
    if (client->serial() != life_->issued[id]) life_->Wrong("a client goes on after another serial");
    return clients_[id] = client.release();
  }

  void Transact(uint64_t id, uint32_t word, int depth, bool nest) {
    if (busy_[id]) return;
    Client* const client = Opened(id);
    if (client == nullptr) return;
    busy_[id] = true;
    Done done{id, client->serial() + 1, {}, {}};
    const TxnResult result = client->Execute([&](Transaction& transaction) {
      Random random(word);
      const uint64_t accesses = 1 + random.Below(3);
      uint64_t seen = Mix(id, done.serial);
      for (uint64_t i = 0; i < accesses; ++i) {
        if (!Access(transaction, random, &seen, &done)) return false;
        if (nest && depth < 3 && next_ < program_->size()) Step((*program_)[next_++], depth + 1);
      }
      return random.Below(16) != 0;
    });
    busy_[id] = false;
    if (result.serial != done.serial) life_->Wrong("a result names another serial");
    if (!result.committed()) return;
    life_->issued[id] = done.serial;
    life_->done.push_back(std::move(done));
  }

  bool Access(Transaction& transaction, Random& random, uint64_t* seen, Done* done) {
    const Place place{static_cast<uint32_t>(random.Below(2)), random.Below(kKeys)};
    const bool write = random.Below(2) != 0;
    uint64_t* const written = write ? transaction.Write(place.first, place.second) : nullptr;
    const uint64_t* const value = write ? written : transaction.Read(place.first, place.second);
    if (value == nullptr) return false;
    if (place.first == 1 && value[0] != 0 && (value[1] != ~value[0] || value[2] != value[0] * 3))
      life_->Wrong("a torn value");
    // What the transaction wrote itself it has not read.
    const bool own = std::any_of(done->writes.begin(), done->writes.end(),
                                 [&](const auto& before) { return before.first == place; });
    if (!own) done->reads.emplace_back(place, value[0]);
    *seen = Mix(*seen, value[0]);
    if (!write) return true;
    written[0] = *seen;
    if (place.first == 1) {
      written[1] = ~written[0];
      written[2] = written[0] * 3;
    }
    done->writes.emplace_back(place, *seen);
    return true;
  }

  static uint64_t PointOf(const RecoveredTxns& recovered, uint64_t client) {
    for (const ClientPoint& point : recovered.points) {
      if (point.client == client) return point.serial;
    }
    return 0;
  }
  void Check(const RecoveredTxns& recovered) {
    const Life none;
    const Life& last = last_ != nullptr ? *last_ : none;
    std::map<uint64_t, uint64_t> points;
    for (uint64_t id = 1; id <= kClients; ++id) {
      points[id] = PointOf(recovered, id);
      const auto reported = last.reported.find(id);
      const auto issued = last.issued.find(id);
      if (reported != last.reported.end() && points[id] < reported->second)
        wrong_ = "less than was reported came back";
      if (points[id] > (issued == last.issued.end() ? 0 : issued->second))
        wrong_ = "more than was issued came back";
      if (points[id] < base_points_[id]) wrong_ = "less than before came back";
    }
    State state = base_;
    for (const Done& done : last.done) {
      if (done.serial > points[done.client]) continue;
      for (const auto& [place, value] : done.reads) {
        const auto found = state.find(place);
        if ((found == state.end() ? 0 : found->second) != value)
          wrong_ = "a committed transaction has seen an uncommitted one";
      }
      for (const auto& [place, value] : done.writes) state[place] = value;
    }
    for (uint32_t table = 0; table < 2; ++table) {
      for (uint64_t key = 0; key < kKeys; ++key) {
        uint64_t value[3] = {};
        static_cast<void>(store_->Peek(table, key, value));
        const auto found = state.find({table, key});
        if (value[0] != (found == state.end() ? 0 : found->second)) wrong_ = "the state is another one";
        if (table == 1 && value[0] != 0 && (value[1] != ~value[0] || value[2] != value[0] * 3))
          wrong_ = "a torn value came back";
      }
    }
    if (!wrong_.empty()) return;
    // A recovery that crashed may have come back with more than the next one must: nobody was told.
    base_ = std::move(state);
    base_points_ = points;
    life_->issued = life_->reported = points;
    last_ = nullptr;
    last_ = life_;
  }

  const Plan& plan_;
  FakeScheduler scheduler_;
  FaultPlan faults_;
  SimStorage storage_;
  uint64_t cuts_ = 0;
  TxnStore* store_ = nullptr;
  Life* life_ = nullptr;
  Life* last_ = nullptr;
  Client* clients_[kClients + 1] = {};
  bool busy_[kClients + 1] = {};
  const std::vector<uint32_t>* program_ = nullptr;
  size_t next_ = 0;
  State base_;
  std::map<uint64_t, uint64_t> base_points_;
  std::string wrong_;
};

Plan Drawn(bool with_faults) {
  Plan plan;
  plan.scheme = *rc::gen::element(CommitScheme::kCpr, CommitScheme::kCalc, CommitScheme::kWal);
  const auto word = rc::gen::resize(rc::kNominalSize, rc::gen::inRange<uint32_t>(0, 1u << 31));
  const auto lives = *rc::gen::inRange(1, 4);
  for (int i = 0; i < lives; ++i) {
    plan.programs.push_back(*rc::gen::scale(2.0, rc::gen::container<std::vector<uint32_t>>(word)));
    const bool late = *rc::gen::arbitrary<bool>();
    plan.crashes.push_back(late ? 100000
                                : *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<uint64_t>(0, 60)));
    plan.crashes.push_back(*rc::gen::resize(rc::kNominalSize, rc::gen::inRange<uint64_t>(0, 40)));
  }
  plan.refresh_interval = *rc::gen::element(1u, 1u, 3u, 1000u);
  plan.seed = *word;
  if (!with_faults) return plan;
  const std::string nth = std::to_string(*rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, 9))) + "th";
  plan.faults = *rc::gen::element<std::string>("eio:write:*", "eio:sync:*", "eio:dirsync:*", "eio:meta:*",
                                               "enospc:write:*", "short:write:*") +
                ":" +
                (nth == "1th"   ? "1st"
                 : nth == "2th" ? "2nd"
                 : nth == "3th" ? "3rd"
                                : nth);
  return plan;
}

void Hunt(bool with_faults) {
  const bool good = rc::check([with_faults] {
    const Plan plan = Drawn(with_faults);
    Execution execution(plan);
    const std::string wrong = execution.Run();
    if (!wrong.empty()) RC_LOG() << SchemeName(plan.scheme) << ": " << wrong << "\n";
    RC_ASSERT(wrong.empty());
  });
  EXPECT_TRUE(good);
}

TEST(TxnProperty, APowerCutLeavesThePrefixOfEveryClient) { Hunt(false); }
TEST(TxnProperty, AndSoItDoesOnADeviceWithErrors) { Hunt(true); }

}  // namespace
}  // namespace workloads::txn
