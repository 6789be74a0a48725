#include "tests/fuzz/subject.h"

#include <charconv>

#include "faster/store/f2_kv.h"
#include "faster/store/faster_kv.h"
#include "tests/fuzz/subject_of.h"

namespace damage {

using namespace faster;

namespace {

StoreConfig TinyConfig(const Plan& plan, uint32_t scale) {
  StoreConfig config;
  config.page_bits = scale == 1 ? 9 : 11;
  config.buffer_pages = 4;
  config.mutable_pages = 1;
  // A delta is what changed in memory: nothing of its chain may have been written to the main log.
  for (const Kind& round : plan.rounds) {
    if (round.kind != CheckpointKind::kIncremental) continue;
    config.buffer_pages = scale == 1 ? 32 : 1024;
    config.mutable_pages = config.buffer_pages - 2;
  }
  config.block_bytes = scale == 1 ? 128 : 512;
  config.segment_pages = 4;
  config.index_buckets = 2 * scale;  // some overflow
  config.version_bits = 3;
  return config;
}

struct Numbers {
  using Input = uint64_t;
  uint64_t Hash(uint64_t key) const { return HashOfNumber(key); }
  uint64_t Initial(uint64_t input) const { return input; }
  uint64_t Update(uint64_t old, uint64_t input) const { return old + input; }
};

struct FixedStore {
  using Kv = FasterKv<uint64_t, uint64_t, Numbers>;
  using Config = StoreConfig;
  using Out = uint64_t;
  struct Number {
    explicit Number(uint64_t of) : number(of) {}
    uint64_t get() const { return number; }
    uint64_t number;
  };
  using KeyText = Number;
  using ValueText = Number;
  static constexpr LogBackend kBackend = LogBackend::kFoldOver;

  static Config MakeConfig(const Plan& plan, uint32_t scale) { return TinyConfig(plan, scale); }
  static void SetSeed(Config* config, uint64_t seed) { config->seed = seed; }
  template <class Value>
  static void Take(const Value& value, Out* out) {
    *out = value.Value();
  }
  static uint64_t NumberOf(Out value) { return value; }
  static Status Recover(const Config& config, Storage* storage, CheckpointObserver* observer,
                        const std::optional<Token>& token, std::unique_ptr<Kv>* kv, RecoveryResult* result,
                        Diagnosis* why) {
    return Kv::Recover(config, storage, {}, observer, token, {}, kv, result, why);
  }
  static void Migrate(Kv&) {}
};

struct Texts {
  using Input = std::string;
  uint64_t Hash(std::string_view key) const { return HashBytes(key); }
  size_t InitialBytes(const Input& input) const { return input.size(); }
  void Initial(const Input& input, char* to) const { input.copy(to, input.size()); }
  size_t UpdatedBytes(std::string_view, const Input& input) const { return input.size(); }
  void Update(std::string_view, const Input& input, char* to) const { input.copy(to, input.size()); }
};

// Keys and values whose length depends on the number that they stand for.
struct VariableStore {
  using Kv = FasterKv<VarKey, VarValue, Texts>;
  using Config = StoreConfig;
  using Out = ByteBuffer;
  struct KeyText {
    explicit KeyText(uint64_t of) : text(std::string(of % 9, 'k') + std::to_string(of)) {}
    std::string_view get() const { return text; }
    std::string text;
  };
  struct ValueText {
    explicit ValueText(uint64_t of) : text(std::to_string(of) + std::string(of % 23, '.')) {}
    std::string_view get() const { return text; }
    std::string text;
  };
  static constexpr LogBackend kBackend = LogBackend::kSnapshot;

  static Config MakeConfig(const Plan& plan, uint32_t scale) { return TinyConfig(plan, scale); }
  static void SetSeed(Config* config, uint64_t seed) { config->seed = seed; }
  template <class Value>
  static void Take(const Value& value, Out* out) {
    out->Assign(value);
  }
  static uint64_t NumberOf(const Out& value) {
    const std::string text(value.Value());
    uint64_t number = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool same = end.ec == std::errc() && ValueText(number).text == text;
    return same ? number : ~uint64_t{0};
  }
  static Status Recover(const Config& config, Storage* storage, CheckpointObserver* observer,
                        const std::optional<Token>& token, std::unique_ptr<Kv>* kv, RecoveryResult* result,
                        Diagnosis* why) {
    return Kv::Recover(config, storage, {}, observer, token, {}, kv, result, why);
  }
  static void Migrate(Kv&) {}
};

struct PairStore : FixedStore {
  using Kv = F2Kv<uint64_t, uint64_t, Numbers, 4>;
  using Config = F2Config;

  static Config MakeConfig(const Plan& plan, uint32_t scale) {
    Config config;
    config.hot = TinyConfig(plan, scale);
    config.cold.log = config.hot;
    config.cold.index = config.hot;
    config.cold.index.index_buckets = 1;
    config.cold.index_chunks = 8;
    return config;
  }
  static void SetSeed(Config* config, uint64_t seed) { config->hot.seed = seed; }
  static Status Recover(const Config& config, Storage* storage, CheckpointObserver* observer,
                        const std::optional<Token>& token, std::unique_ptr<Kv>* kv, RecoveryResult* result,
                        Diagnosis* why) {
    return Kv::Recover(config, storage, {}, observer, token, kv, result, why);
  }
  static void Migrate(Kv& kv) {
    fuzz::Require(kv.Migrate(MigrationKind::kHotCold, ~uint64_t{0}) == Status::kOk, "a migration");
  }
};

constexpr Kind kFullFoldOver{CheckpointKind::kFull, LogBackend::kFoldOver};
constexpr Kind kFullSnapshot{CheckpointKind::kFull, LogBackend::kSnapshot};
constexpr Kind kIndex{CheckpointKind::kIndexOnly, LogBackend::kFoldOver};
constexpr Kind kLogFoldOver{CheckpointKind::kLogOnly, LogBackend::kFoldOver};
constexpr Kind kLogSnapshot{CheckpointKind::kLogOnly, LogBackend::kSnapshot};
constexpr Kind kIncremental{CheckpointKind::kIncremental, LogBackend::kSnapshot};

template <class Store>
std::unique_ptr<Subject> Make(const Plan& plan, uint32_t scale) {
  return std::make_unique<SubjectOf<Store>>(plan, scale);
}

struct Entry {
  Plan plan;
  std::unique_ptr<Subject> (*make)(const Plan&, uint32_t);
};

const std::vector<Entry>& Entries() {
  static const std::vector<Entry> entries = {
      {{"full/foldover", {kFullFoldOver, kFullFoldOver}}, &Make<FixedStore>},
      {{"full/snapshot", {kFullSnapshot, kFullSnapshot}}, &Make<FixedStore>},
      {{"index, log/foldover", {kLogFoldOver, kIndex, kLogFoldOver}}, &Make<FixedStore>},
      {{"index, log/snapshot", {kLogSnapshot, kIndex, kLogSnapshot}}, &Make<FixedStore>},
      {{"log/foldover", {kLogFoldOver, kLogFoldOver}}, &Make<FixedStore>},
      {{"log/snapshot", {kLogSnapshot, kLogSnapshot}}, &Make<FixedStore>},
      {{"incremental", {kIncremental, kIncremental, kIncremental}}, &Make<FixedStore>},
      {{"back to an older one", {kLogFoldOver, kLogFoldOver, kFullFoldOver}, true}, &Make<FixedStore>},
      {{"variable, full/foldover", {kFullFoldOver, kFullFoldOver}}, &Make<VariableStore>},
      {{"variable, log/snapshot", {kLogSnapshot, kLogSnapshot}}, &Make<VariableStore>},
      {{"pair, full/foldover", {kFullFoldOver, kFullFoldOver}}, &Make<PairStore>},
      {{"pair, log/snapshot", {kLogSnapshot, kLogSnapshot}}, &Make<PairStore>},
  };
  return entries;
}

}  // namespace

const Committed* Subject::Find(const Token& token) const {
  for (const Committed& one : committed_) {
    if (one.token == token) return &one;
  }
  return nullptr;
}

std::vector<std::unique_ptr<Subject>> MakeSubjects(uint32_t scale) {
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const Entry& entry : Entries()) subjects.push_back(entry.make(entry.plan, scale));
  return subjects;
}

std::unique_ptr<Subject> MakeSubject(const std::string& name, uint32_t scale) {
  for (const Entry& entry : Entries()) {
    if (entry.plan.name == name) return entry.make(entry.plan, scale);
  }
  return nullptr;
}

std::vector<std::string> SubjectNames() {
  std::vector<std::string> names;
  for (const Entry& entry : Entries()) names.push_back(entry.plan.name);
  return names;
}

}  // namespace damage
