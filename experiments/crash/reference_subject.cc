// The reference subject: the smallest engine that the testbed accepts, and the template for testing your own.
//
// A map under one mutex. A checkpoint copies the map and every session's last serial while it holds the mutex
// (the world stands still, so the copy is a prefix per session by construction), then a background job writes
// the copy to `<number>.tmp`, syncs it, renames it to `<number>.chk` and syncs the directory; only then is it
// reported. Recovery reads the newest complete file, or the one that holds the named token. The log and the
// index of a real engine do not exist here, so all kinds of checkpoint are the same, except that "index"
// commits no session.
//
// It shows that the harness raises no alarm on a correct store. Thread-safety: everything under mutex_.
#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "experiments/crash/subject.h"

namespace {

using experiments::CheckpointRequest;
using experiments::RecoveredState;
using experiments::SubjectConfig;
using experiments::SubjectObserver;
using experiments::SubjectResult;
using faster::Diagnosis;
using faster::Guid;
using faster::SessionCommit;
using faster::Status;
using faster::Token;

constexpr uint64_t kMagic = 0x31304b4843524643ull;
constexpr const char* kPhases =
    R"({"full/foldover": ["Prepare", "WaitFlush", "PersistenceCallback", "Rest"],
        "full/snapshot": ["Prepare", "WaitFlush", "PersistenceCallback", "Rest"],
        "log/foldover": ["Prepare", "WaitFlush", "PersistenceCallback", "Rest"],
        "log/snapshot": ["Prepare", "WaitFlush", "PersistenceCallback", "Rest"],
        "index": ["PrepIndexChkpt", "IndexChkpt", "Rest"],
        "incremental": ["Prepare", "WaitFlush", "PersistenceCallback", "Rest"]})";

struct Image {  // what a checkpoint holds
  uint64_t number = 0;
  Token token;
  bool index_only = false;
  std::map<uint64_t, uint64_t> values;
  std::map<Guid, uint64_t> sessions;
};

void Append(std::vector<uint64_t>* words, const Guid& guid) {
  words->push_back(guid.high);
  words->push_back(guid.low);
}

uint64_t Digest(const std::vector<uint64_t>& words) {  // of all behind magic and digest
  uint64_t digest = 0;
  for (size_t i = 2; i < words.size(); ++i) digest = experiments::RmwWord(digest, words[i]);
  return digest;
}

std::vector<uint64_t> Encode(const Image& image) {
  std::vector<uint64_t> words = {
      kMagic, 0, image.number, image.index_only, image.values.size(), image.sessions.size()};
  Append(&words, image.token);
  for (const auto& [key, word] : image.values) words.insert(words.end(), {key, word});
  for (const auto& [session, serial] : image.sessions) {
    Append(&words, session);
    words.push_back(serial);
  }
  words[1] = Digest(words);
  return words;
}

bool Decode(const std::vector<uint64_t>& words, Image* image) {
  if (words.size() < 8 || words[0] != kMagic) return false;
  if (words[1] != Digest(words) || words.size() != 8 + words[4] * 2 + words[5] * 3) return false;
  image->number = words[2];
  image->index_only = words[3] != 0;
  image->token = {words[6], words[7]};
  size_t at = 8;
  for (uint64_t i = 0; i < words[4]; ++i, at += 2) image->values[words[at]] = words[at + 1];
  for (uint64_t i = 0; i < words[5]; ++i, at += 3)
    image->sessions[{words[at], words[at + 1]}] = words[at + 2];
  return true;
}

class Store;

class Session final : public experiments::SubjectSession {
 public:
  Session(Store* store, const Guid& id) : store_(store), id_(id) {}
  Guid id() const override { return id_; }
  SubjectResult Read(uint64_t key) override;
  SubjectResult Upsert(uint64_t key, uint64_t word) override;
  SubjectResult Rmw(uint64_t key, uint64_t operand) override;
  SubjectResult Delete(uint64_t key) override;
  SubjectResult Insert(uint64_t key, uint64_t word) override;
  void CompletePending(bool, experiments::OperationObserver*) override {}
  void Refresh() override {}
  void TakeCommits(std::vector<faster::CommitNotice>* commits) override;
  void Close() override {}

 private:
  Store* const store_;
  const Guid id_;
  uint64_t told_ = 0;  // checkpoints already reported to this session
};

class Store final : public experiments::Subject {
 public:
  Store(const SubjectConfig& config, faster::Storage* storage, SubjectObserver* observer)
      : config_(config), storage_(storage), observer_(observer), random_(config.seed) {}

  Status Create(Diagnosis* why) override;
  Status Recover(const Token* token, RecoveredState* state, Diagnosis* why) override;
  std::unique_ptr<experiments::SubjectSession> StartSession() override;
  std::unique_ptr<experiments::SubjectSession> ContinueSession(const Guid& id, uint64_t* serial) override;
  Status StartCheckpoint(const CheckpointRequest& request, Token* token) override;
  bool Poll() override {
    const std::lock_guard guard(mutex_);
    return !running_;
  }
  Status ScanLive(std::vector<std::pair<uint64_t, uint64_t>>* live, uint64_t* torn) override {
    *torn = 0;
    const std::lock_guard guard(mutex_);
    live->assign(state_.values.begin(), state_.values.end());
    return Status::kOk;
  }
  experiments::SubjectAbilities abilities() const override { return {.insert = true, .iterate = true}; }
  Status Iterate(std::vector<std::pair<uint64_t, uint64_t>>* live, uint64_t* torn) override {
    return ScanLive(live, torn);
  }
  std::string CheckInvariants() override { return ""; }
  std::string Describe() override { return running_ ? "a checkpoint runs" : "no checkpoint runs"; }
  const char* PhaseTable() const override { return kPhases; }

  template <class Change>
  SubjectResult Apply(const Guid& session, Change change) {
    const std::lock_guard guard(mutex_);
    SubjectResult result;
    result.serial = ++state_.sessions[session];
    change(&result);
    return result;
  }
  std::map<uint64_t, uint64_t>& values() { return state_.values; }  // inside Apply
  void TakeCommits(const Guid& session, uint64_t* told, std::vector<faster::CommitNotice>* commits);

 private:
  uint64_t NextRandom() {  // splitmix64
    uint64_t x = random_ += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
  }
  std::string Path(uint64_t number, const char* suffix) const {
    std::string text = std::to_string(number);
    text.insert(0, text.size() < 8 ? 8 - text.size() : 0, '0');
    return (config_.directory.empty() ? "" : config_.directory + "/") + text + suffix;
  }
  Status Load(const std::string& name, Image* image, bool* complete);
  Status Newest(const Token* token, Image* image, uint64_t* highest, bool* found);
  Status Save(const Image& image);
  void RunCheckpoint();
  static void Job(void* store) { static_cast<Store*>(store)->RunCheckpoint(); }

  const SubjectConfig config_;
  faster::Storage* const storage_;
  SubjectObserver* const observer_;
  std::mutex mutex_;
  uint64_t random_;
  std::unique_ptr<faster::DirectoryLock> lock_;
  Image state_;   // the live store; number and token are those of the last checkpoint
  Image saving_;  // while running_: the job's
  bool running_ = false;
  std::vector<Image> done_;  // values empty: what sessions are told
};

SubjectResult Session::Read(uint64_t key) {
  return store_->Apply(id_, [&](SubjectResult* result) {
    const auto found = store_->values().find(key);
    if (found == store_->values().end())
      result->status = Status::kNotFound;
    else
      result->word = found->second;
  });
}

SubjectResult Session::Upsert(uint64_t key, uint64_t word) {
  return store_->Apply(id_, [&](SubjectResult*) { store_->values()[key] = word; });
}

SubjectResult Session::Rmw(uint64_t key, uint64_t operand) {
  return store_->Apply(id_, [&](SubjectResult* result) {
    uint64_t& word = store_->values()[key];
    result->word = word = experiments::RmwWord(word, operand);
  });
}

SubjectResult Session::Delete(uint64_t key) {
  return store_->Apply(id_, [&](SubjectResult* result) {
    if (store_->values().erase(key) == 0) result->status = Status::kNotFound;
  });
}

SubjectResult Session::Insert(uint64_t key, uint64_t word) {
  return store_->Apply(id_, [&](SubjectResult* result) {
    const auto [entry, inserted] = store_->values().emplace(key, word);
    if (inserted) return;
    result->status = Status::kExists;
    result->word = entry->second;
  });
}

void Session::TakeCommits(std::vector<faster::CommitNotice>* commits) {
  store_->TakeCommits(id_, &told_, commits);
}

void Store::TakeCommits(const Guid& session, uint64_t* told, std::vector<faster::CommitNotice>* commits) {
  const std::lock_guard guard(mutex_);
  for (; *told < done_.size(); ++*told) {
    const auto found = done_[*told].sessions.find(session);
    if (found != done_[*told].sessions.end()) commits->push_back({done_[*told].token, found->second});
  }
}

Status Store::Create(Diagnosis* why) {
  Status status = storage_->Lock(config_.directory, &lock_);
  Image ignored;
  bool found = false;
  if (status == Status::kOk) status = Newest(nullptr, &ignored, &state_.number, &found);
  if (status == Status::kOk && found) status = Status::kExists;
  if (status != Status::kOk)
    *why = {config_.directory, 0, "an empty directory", std::string(StatusName(status))};
  return status;
}

Status Store::Load(const std::string& name, Image* image, bool* complete) {
  const std::string path = (config_.directory.empty() ? "" : config_.directory + "/") + name;
  std::unique_ptr<faster::File> file;
  uint64_t bytes = 0;
  Status status = storage_->Open(path, faster::OpenMode::kRead, &file);
  if (status == Status::kOk) status = file->Size(&bytes);
  if (status != Status::kOk) return status;
  std::vector<uint64_t> words(bytes / 8);
  status = faster::ReadFully(*file, 0, words.data(), words.size() * 8);
  *complete = status == Status::kOk && bytes % 8 == 0 && Decode(words, image);
  return status;
}

// The newest checkpoint that commits sessions, or the named one; *highest is the largest number in use.
Status Store::Newest(const Token* token, Image* image, uint64_t* highest, bool* found) {
  std::vector<std::string> names;
  Status status = storage_->List(config_.directory, &names);
  if (status != Status::kOk) return status;
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    if (name->size() < 12 || name->compare(name->size() - 4, 4, ".chk") != 0) continue;
    Image candidate;
    bool complete = false;
    status = Load(*name, &candidate, &complete);
    if (status != Status::kOk) return status;
    if (!complete) return Status::kCorruption;
    *highest = std::max(*highest, candidate.number);
    const bool wanted = !candidate.index_only && (token == nullptr || candidate.token == *token);
    if (wanted && !*found) {
      *image = std::move(candidate);
      *found = true;
    }
  }
  return Status::kOk;
}

Status Store::Recover(const Token* token, RecoveredState* state, Diagnosis* why) {
  Status status = storage_->Lock(config_.directory, &lock_);
  bool found = false;
  uint64_t highest = 0;
  if (status == Status::kOk) status = Newest(token, &state_, &highest, &found);
  if (status == Status::kOk && !found) status = Status::kNotFound;
  if (status != Status::kOk) {
    *why = {config_.directory, 0, "a complete checkpoint", std::string(StatusName(status))};
    return status;
  }
  state->log_token = state_.token;
  state->version = state_.number;
  for (const auto& [session, serial] : state_.sessions) state->sessions.push_back({session, serial});
  state_.number = highest;
  return Status::kOk;
}

std::unique_ptr<experiments::SubjectSession> Store::StartSession() {
  const std::lock_guard guard(mutex_);
  const Guid id{NextRandom(), NextRandom()};
  state_.sessions[id] = 0;
  return std::make_unique<Session>(this, id);
}

std::unique_ptr<experiments::SubjectSession> Store::ContinueSession(const Guid& id, uint64_t* serial) {
  const std::lock_guard guard(mutex_);
  const auto found = state_.sessions.find(id);
  if (found == state_.sessions.end()) return nullptr;
  *serial = found->second;
  return std::make_unique<Session>(this, id);
}

Status Store::StartCheckpoint(const CheckpointRequest& request, Token* token) {
  const std::lock_guard guard(mutex_);
  if (running_) return Status::kBusy;
  running_ = true;
  const bool index_only = request.kind == faster::CheckpointKind::kIndexOnly;
  observer_->OnPhase(index_only ? "PrepIndexChkpt" : "Prepare", state_.number);
  ++state_.number;
  state_.token = *token = {NextRandom(), NextRandom()};
  saving_ = state_;
  saving_.index_only = index_only;
  storage_->Schedule(&Job, this);
  return Status::kOk;
}

Status Store::Save(const Image& image) {
  const std::vector<uint64_t> words = Encode(image);
  std::unique_ptr<faster::File> file;
  Status status = storage_->Open(Path(image.number, ".tmp"), faster::OpenMode::kTruncate, &file);
  if (status == Status::kOk) status = faster::WriteFully(*file, 0, words.data(), words.size() * 8);
  if (status == Status::kOk) status = file->Sync();
  if (status == Status::kOk)
    status = storage_->Rename(Path(image.number, ".tmp"), Path(image.number, ".chk"));
  if (status == Status::kOk) status = storage_->SyncDirectory(config_.directory);
  return status;
}

void Store::RunCheckpoint() {
  observer_->OnPhase(saving_.index_only ? "IndexChkpt" : "WaitFlush", saving_.number);
  const Status status = Save(saving_);
  std::vector<SessionCommit> sessions;
  if (!saving_.index_only) {
    observer_->OnPhase("PersistenceCallback", saving_.number);
    for (const auto& [session, serial] : saving_.sessions) sessions.push_back({session, serial});
  }
  const std::lock_guard guard(mutex_);
  observer_->OnDurable(saving_.token, status, saving_.number, sessions);
  if (status == Status::kOk && !saving_.index_only) done_.push_back(std::move(saving_));
  observer_->OnPhase("Rest", state_.number);
  saving_ = {};
  running_ = false;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) experiments::Subject* cpr_subject_create(
    const SubjectConfig& config, faster::Storage* storage, SubjectObserver* observer) {
  return new Store(config, storage, observer);
}
