// SubjectOf: how a Subject is built and judged, for any kind of store. `Store` says what differs:
//   Kv, Config, Functions      the store
//   MakeConfig(plan, scale)    its configuration
//   Value(number)              the value that stands for `number`; NumberOf() the other way round
//   Key(number)
//   Recover(...)               Kv::Recover with the arguments in order
//   Migrate(kv)                for a pair: moves what is on disk to the cold store
#pragma once

#include <set>
#include <thread>
#include <utility>

#include "faster/cpr/checkpointer.h"
#include "tests/fuzz/subject.h"
#include "tests/fuzz/target.h"

namespace damage {

struct Kind {
  faster::CheckpointKind kind;
  faster::LogBackend backend;
};

// What a subject does: rounds of operations, each ended by a checkpoint.
struct Plan {
  std::string name;
  std::vector<Kind> rounds;
  bool goes_back = false;  // a recovery to the first checkpoint before the last round
};

constexpr uint64_t kKeys = 40;           // times the scale: used by rounds
constexpr uint64_t kFreshKeys = 100000;  // used after a recovery: kFreshKeys and following

struct DurableObserver final : faster::CheckpointObserver {
  void OnDurable(const faster::Token& ended, faster::CheckpointKind, faster::Status result, uint64_t,
                 const std::vector<faster::SessionCommit>& points) override {
    status = result;
    token = ended;
    sessions = points;
  }
  faster::Status status = faster::Status::kPending;
  faster::Token token;
  std::vector<faster::SessionCommit> sessions;
};

template <class Store>
class SubjectOf final : public Subject {
 public:
  using Kv = typename Store::Kv;
  using SessionType = typename Kv::SessionType;
  using Status = faster::Status;

  SubjectOf(const Plan& plan, uint32_t scale)
      : config_(Store::MakeConfig(plan, scale)), keys_(kKeys * scale) {
    name_ = plan.name;
    Build(plan, scale);
  }

  Outcome Recover(faster::Storage* storage, const std::optional<faster::Token>& token,
                  Depth depth) const override {
    Outcome outcome;
    DurableObserver observer;
    std::unique_ptr<Kv> kv;
    faster::RecoveryResult result;
    outcome.status = Open(storage, &observer, token, 77, &kv, &result, &outcome.why);
    if (outcome.status != Status::kOk) return Refused(std::move(outcome));
    outcome.token = result.log_token;
    outcome.ending = Ending::kRight;
    if (depth == Depth::kRecover) return outcome;
    const Committed* expected = Find(result.log_token);
    if (expected == nullptr || (token && *token != result.log_token))
      return Violation(std::move(outcome), "recovered checkpoint " + result.log_token.Text());
    if (!(result.sessions == expected->sessions)) return Violation(std::move(outcome), "other commit points");
    std::set<uint64_t> unreadable;
    outcome.problem = ReadAll(*kv, expected->model, &unreadable);
    if (outcome.problem.empty() && depth == Depth::kGoOn)
      outcome.problem = GoOn(storage, &observer, std::move(kv), *expected, unreadable);
    outcome.read_errors = unreadable.size();
    if (!outcome.problem.empty())
      outcome.ending = Ending::kViolation;
    else if (!unreadable.empty())
      outcome.ending = Ending::kReadErrors;
    return outcome;
  }

 private:
  static Outcome Violation(Outcome outcome, std::string problem) {
    outcome.ending = Ending::kViolation;
    outcome.problem = std::move(problem);
    return outcome;
  }
  static Outcome Refused(Outcome outcome) {
    outcome.ending = outcome.status == Status::kNotFound ? Ending::kNone : Ending::kRefused;
    const bool named = !outcome.why.expected.empty() && !outcome.why.file.empty();
    if (outcome.ending == Ending::kRefused && !named)
      return Violation(std::move(outcome), "refused without the name of a file");
    return outcome;
  }

  Status Open(faster::Storage* storage, DurableObserver* observer, const std::optional<faster::Token>& token,
              uint64_t seed, std::unique_ptr<Kv>* kv, faster::RecoveryResult* result,
              faster::Diagnosis* why) const {
    typename Store::Config config = config_;
    Store::SetSeed(&config, seed);
    return Store::Recover(config, storage, observer, token, kv, result, why);
  }

  // --- operations ---

  template <class Issue>
  static Status Await(SessionType& session, Issue&& issue) {
    Status status = issue();
    if (status == Status::kPending)
      session.CompletePending(true, [&](const typename SessionType::Op& op) { status = op.result; });
    return status;
  }
  static Status Read(SessionType& session, uint64_t key, uint64_t* number) {
    typename Store::Out value{};
    const typename Store::KeyText name(key);
    Status status = session.Read(name.get(), &value);
    if (status == Status::kPending) {
      session.CompletePending(true, [&](const typename SessionType::Op& op) {
        status = op.result;
        if (status == Status::kOk) Store::Take(op.value, &value);
      });
    }
    if (status == Status::kOk) *number = Store::NumberOf(value);
    return status;
  }
  static void Upsert(SessionType& session, uint64_t key, uint64_t number) {
    const typename Store::KeyText name(key);
    const typename Store::ValueText value(number);
    fuzz::Require(Await(session, [&] { return session.Upsert(name.get(), value.get()); }) == Status::kOk,
                  "an upsert succeeds");
  }
  static void Delete(SessionType& session, uint64_t key) {
    const typename Store::KeyText name(key);
    static_cast<void>(Await(session, [&] { return session.Delete(name.get()); }));
  }
  static Status Checkpoint(Kv& kv, DurableObserver* observer, Kind kind) {
    faster::Token token;
    observer->status = Status::kPending;
    const Status started = kv.Checkpoint(kind.kind, kind.backend, &token);
    if (started != Status::kOk) return started;
    while (!kv.Poll()) std::this_thread::yield();
    return observer->status;
  }

  // "" or what is wrong. Keys that answer with an error go to *unreadable, unless they are there already and
  // have to stay so.
  std::string ReadAll(Kv& kv, const Model& model, std::set<uint64_t>* unreadable) const {
    const auto session = kv.StartSession();
    const auto check = [&](uint64_t key) -> std::string {
      uint64_t number = 0;
      const Status status = Read(*session, key, &number);
      if (faster::IsFailure(status)) return unreadable->insert(key), "";
      const auto found = model.find(key);
      const std::string name = "key " + std::to_string(key);
      if (status == Status::kNotFound) return found == model.end() ? "" : name + " is lost";
      if (found == model.end()) return name + " should be absent";
      return found->second == number ? "" : name + " has another value";
    };
    for (uint64_t key = 0; key < keys_ + 3; ++key) {
      if (std::string problem = check(key); !problem.empty()) return problem;
    }
    for (const auto& [key, number] : model) {
      if (key < keys_ + 3) continue;
      if (std::string problem = check(key); !problem.empty()) return problem;
    }
    return "";
  }

  // The store goes on from there: a session continues, another checkpoint and another recovery succeed.
  std::string GoOn(faster::Storage* storage, DurableObserver* observer, std::unique_ptr<Kv> kv,
                   const Committed& from, const std::set<uint64_t>& unreadable) const {
    Model model = from.model;
    auto session = kv->ContinueSession(from.sessions.front().session);
    if (session == nullptr) return "its session cannot be continued";
    if (session->serial() != from.sessions.front().serial) return "its session continues at another serial";
    for (uint64_t i = 0; i < 12; ++i) {
      Upsert(*session, kFreshKeys + i, 5 + i);
      model[kFreshKeys + i] = 5 + i;
    }
    session.reset();
    const Status status = Checkpoint(*kv, observer, {faster::CheckpointKind::kFull, Store::kBackend});
    if (status != Status::kOk) return "the next checkpoint: " + std::string(StatusName(status));
    kv.reset();
    faster::RecoveryResult result;
    faster::Diagnosis why;
    const Status again = Open(storage, observer, {}, 78, &kv, &result, &why);
    if (again == Status::kCorruption && !why.file.empty()) return "";  // damage beside what was recovered
    if (again != Status::kOk) return "the next recovery: " + why.Text();
    if (result.log_token != observer->token) return "the next recovery takes another checkpoint";
    std::set<uint64_t> then = unreadable;
    const std::string problem = ReadAll(*kv, model, &then);
    if (problem.empty() && then != unreadable) return "the next recovery has other unreadable keys";
    return problem.empty() ? "" : "after the next recovery " + problem;
  }

  // --- building ---

  void Build(const Plan& plan, uint32_t scale) {
    ImageStorage storage({});
    DurableObserver observer;
    std::unique_ptr<Kv> kv;
    faster::Diagnosis why;
    typename Store::Config config = config_;
    Store::SetSeed(&config, 1);
    const Status created = Kv::Create(config, &storage, {}, &observer, &kv, &why);
    fuzz::Require(created == Status::kOk, "a store: " + why.Text());
    faster::Guid id;
    Model model;
    for (size_t round = 0; round < plan.rounds.size(); ++round) {
      if (plan.goes_back && round + 1 == plan.rounds.size()) {
        kv.reset();
        faster::RecoveryResult result;
        fuzz::Require(
            Open(&storage, &observer, committed_.front().token, 3, &kv, &result, &why) == Status::kOk,
            "a way back: " + why.Text());
        model = committed_.front().model;
        for (size_t i = 1; i < committed_.size(); ++i) committed_[i].abandoned = true;
      }
      auto session = round == 0 ? kv->StartSession() : kv->ContinueSession(id);
      fuzz::Require(session != nullptr, "a session");
      id = session->id();
      Work(*session, round, scale, &model);
      session.reset();
      Store::Migrate(*kv);
      fuzz::Require(Checkpoint(*kv, &observer, plan.rounds[round]) == Status::kOk, "a checkpoint");
      if (plan.rounds[round].kind != faster::CheckpointKind::kIndexOnly)
        committed_.push_back({observer.token, model, observer.sessions});
    }
    kv.reset();
    image_ = TakeImage(storage);
  }

  void Work(SessionType& session, uint64_t round, uint32_t scale, Model* model) {
    for (uint64_t i = 0; i < 60 * scale; ++i) {
      const uint64_t draw = ((round + 1) * 1000003 + i) * 0x9e3779b97f4a7c15ull >> 20;
      const uint64_t key = draw % keys_;
      if (draw % 7 == 0) {
        Delete(session, key);
        model->erase(key);
      } else {
        Upsert(session, key, (*model)[key] = round * 1000 + i);
      }
    }
  }

  const typename Store::Config config_;
  const uint64_t keys_;
};

}  // namespace damage
