#include "experiments/process/plans.h"

#include <algorithm>

namespace experiments::process {

using faster::CheckpointKind;
using faster::LogBackend;
using faster::Phase;
using workloads::Distribution;
using workloads::Operation;
using workloads::ycsb::CheckpointChoice;
using workloads::ycsb::WorkloadSpec;

namespace {

constexpr double kHoldSeconds = 0.004;  // long enough for a parent to see it and draw a moment within

double Fraction(Dice& dice) { return static_cast<double>(dice.Below(1 << 20)) / (1 << 20); }

void DrawMix(Dice& dice, WorkloadSpec* spec) {
  const double reads = dice.Chance(50) ? 0 : 0.3;
  spec->mix.Add(Operation::kRead, reads);
  spec->mix.Add(dice.Chance(65) ? Operation::kRmw : Operation::kUpdate, 1 - reads);
}

faults::CrashMode DrawFate(Dice& dice) {
  if (dice.Chance(60)) return faults::CrashMode::kRandom;
  return dice.Chance(50) ? faults::CrashMode::kNone : faults::CrashMode::kAll;
}

KillPlan Drawn(const std::vector<int>& kinds, Dice& dice) {
  KillPlan plan;
  for (int i = 0; i < 4; ++i)
    plan.checkpoints.push_back(ChoiceOf(kinds[dice.Below(static_cast<uint32_t>(kinds.size()))]));
  plan.survive = DrawFate(dice);
  return plan;
}

}  // namespace

CheckpointChoice ChoiceOf(int kind) {
  if (kind == 4) return {CheckpointKind::kIndexOnly, LogBackend::kFoldOver};
  if (kind == 5) return {CheckpointKind::kIncremental, LogBackend::kSnapshot};
  return {kind < 2 ? CheckpointKind::kFull : CheckpointKind::kLogOnly,
          kind % 2 == 0 ? LogBackend::kFoldOver : LogBackend::kSnapshot};
}

int KindOf(const CheckpointChoice& choice) {
  if (choice.kind == CheckpointKind::kIndexOnly) return 4;
  if (choice.kind == CheckpointKind::kIncremental) return 5;
  return (choice.kind == CheckpointKind::kFull ? 0 : 2) + (choice.backend == LogBackend::kFoldOver ? 0 : 1);
}

std::string KindText(int kind) {
  const CheckpointChoice choice = ChoiceOf(kind);
  std::string text(CheckpointKindName(choice.kind));
  if (kind < 4) text += "/" + std::string(LogBackendName(choice.backend));
  return text;
}

std::string RowText(int row) {
  if (row == kRestBefore) return "Rest-before";
  if (row == kRestAfter) return "Rest-after";
  return std::string(PhaseName(static_cast<Phase>(row)));
}

bool Reachable(int kind, int row) {
  if (row == kRestBefore || row == kRestAfter) return true;
  const auto& next = faster::kNextPhase[static_cast<int>(ChoiceOf(kind).kind)];
  for (Phase phase = next[0]; phase != Phase::kRest; phase = next[static_cast<int>(phase)]) {
    if (static_cast<int>(phase) == row) return true;
  }
  return false;
}

StoreOptions SmallStore(const std::string& root, Dice& dice) {
  StoreOptions options;
  options.root = root;
  options.seed = dice.Next();
  WorkloadSpec& spec = options.spec;
  spec.record_count = spec.insert_count = 4 + dice.Skewed(1500);
  spec.operation_count = uint64_t{1} << 40;
  // 8 and 256 bytes are of fixed size, all between of variable length.
  spec.value_bytes = spec.stored_bytes = dice.Chance(60) ? 8 : dice.Chance(50) ? 256 : dice.Between(9, 250);
  DrawMix(dice, &spec);
  spec.keys.distribution = dice.Chance(50) ? Distribution::kUniform : Distribution::kZipfRaw;
  spec.keys.insert_count = spec.insert_count;
  spec.threads = 2 + dice.Below(2);
  spec.keys_per_thread = 4096;
  spec.seed = dice.Next() >> 20;
  faster::StoreConfig& config = options.config;
  const bool wide = spec.stored_bytes != 8;
  config.page_bits = wide ? dice.Between(10, 13) : dice.Between(9, 12);
  config.buffer_pages = 4u << dice.Below(4);
  config.mutable_pages = dice.Between(1, config.buffer_pages - 2);
  config.block_bytes = wide ? 512 : 128u << dice.Below(3);
  config.segment_pages = 1u << dice.Below(5);
  config.index_buckets = uint64_t{1} << dice.Below(11);
  config.version_bits = dice.Between(3, 13);
  config.max_sessions = 16;
  constexpr uint32_t kIntervals[] = {1, 1, 4, 64};
  config.refresh_interval = dice.Pick(kIntervals);
  options.verify_config = config;
  if (dice.Chance(50)) {  // recovered into more or less memory than it ran with: other pages come from disk
    options.verify_config.buffer_pages = dice.Chance(40) ? std::max(4u, config.buffer_pages >> dice.Below(4))
                                                         : config.buffer_pages << dice.Below(5);
    options.verify_config.mutable_pages = dice.Between(1, options.verify_config.buffer_pages - 2);
  }
  return options;
}

StoreOptions BigStore(const std::string& root, Dice& dice) {
  StoreOptions options;
  options.root = root;
  options.seed = dice.Next();
  options.load = true;
  options.journal_bytes = uint64_t{2} << 30;
  WorkloadSpec& spec = options.spec;
  spec.record_count = spec.insert_count = 1'000'000;
  spec.operation_count = uint64_t{1} << 40;
  spec.value_bytes = spec.stored_bytes = 8;
  DrawMix(dice, &spec);
  spec.keys.distribution = dice.Chance(50) ? Distribution::kUniform : Distribution::kZipfian;
  spec.keys.insert_count = spec.insert_count;
  spec.threads = 2;
  spec.keys_per_thread = 1 << 20;
  spec.seed = dice.Next() >> 20;
  spec.memory = 8 << 20;  // the records take 24 MB
  spec.page_bits = 16;
  spec.segment_bytes = 64 << 20;
  spec.index_buckets = 1 << 19;
  options.config = spec.Store();
  options.verify_config = options.config;
  options.verify_config.buffer_pages = 1 << 13;  // 512 MB: a million lookups need not wait for the disk
  options.verify_config.mutable_pages = 7 << 10;
  return options;
}

void DrawProtocol(const Protocol& protocol, Dice& dice, bool big, StoreOptions* options) {
  faster::StoreConfig& config = options->config;
  const bool coarse = dice.Chance(35), relaxed = dice.Chance(35);
  config.shift = protocol.shift.value_or(coarse ? faster::ShiftScheme::kCoarse : faster::ShiftScheme::kFine);
  config.guarantee =
      protocol.guarantee.value_or(relaxed ? faster::Guarantee::kRelaxed : faster::Guarantee::kStrict);
  config.session_slots = 1u << dice.Below(4);
  config.overlap_index = dice.Chance(50) && big;
}

void DrawStorage(const std::optional<StorageChoice>& storage, Dice& dice, StoreOptions* options) {
  const bool uring = dice.Chance(40), direct = dice.Chance(60);
  options->storage = storage.value_or(StorageChoice{uring ? "uring" : "posix", uring && direct, 0, 0});
  if (dice.Chance(40)) options->config.open_segments = dice.Between(1, 4);
}

void DrawCompany(Dice& dice, bool big, StoreOptions* options) {
  faster::StoreConfig& config = options->config;
  WorkloadSpec& spec = options->spec;
  if (dice.Chance(30)) spec.batch = dice.Between(2, 64);
  if (dice.Chance(25)) {
    if (!big) config.index_buckets = uint64_t{1} << dice.Below(5);
    if (big) config.index_buckets = uint64_t{1} << dice.Between(12, 16);
    config.grow_at_overflow_percent = spec.grow_percent = dice.Between(5, 60);
  }
  const uint64_t memory = config.page_bytes() * config.buffer_pages;
  if (dice.Chance(25)) config.read_cache_bytes = std::max<uint64_t>(memory >> dice.Below(4), 4096);
  config.read_cache_second_chance = dice.Chance(70);
  config.copy_reads_to_tail = dice.Chance(12);
  if (dice.Chance(25)) config.keep_checkpoints = dice.Between(1, 3);
  if (dice.Chance(25)) config.compact_at_bytes = memory * dice.Between(1, 4);
  options->cold = dice.Chance(big ? 10 : 20) && spec.fixed() && config.grow_at_overflow_percent == 0;
  if (options->cold) config.compact_at_bytes = 0;  // moving to the cold store is how the hot log gets shorter
}

KillPlan PlanInCell(int kind, int row, const std::vector<int>& kinds, Dice& dice) {
  KillPlan plan = Drawn(kinds, dice);
  plan.checkpoint_every = 0.001 + 0.004 * Fraction(dice);
  if (row == kRestBefore) {
    plan.checkpoints.front() = ChoiceOf(kind);
    plan.checkpoint_every = 0.05;
    plan.kill_after = 0.03 * Fraction(dice);
    return plan;
  }
  const uint32_t number = dice.Below(3);
  plan.checkpoints[number] = ChoiceOf(kind);
  plan.hold = {number, row == kRestAfter ? Phase::kRest : static_cast<Phase>(row), kHoldSeconds};
  plan.kill_after = 0.75 * kHoldSeconds * Fraction(dice);
  return plan;
}

KillPlan PlanAnywhere(const std::vector<int>& kinds, Dice& dice) {
  KillPlan plan = Drawn(kinds, dice);
  plan.checkpoint_every = 0.001 + 0.01 * Fraction(dice);
  plan.kill_after = 0.03 * Fraction(dice);
  return plan;
}

KillPlan PlanAtFullSpeed(const std::vector<int>& kinds, Dice& dice) {
  KillPlan plan = Drawn(kinds, dice);
  plan.checkpoint_every = 0.05 + 0.2 * Fraction(dice);
  plan.kill_after = 0.1 + 0.7 * Fraction(dice);
  return plan;
}

namespace {

std::string CompanyText(const StoreOptions& options) {
  const faster::StoreConfig& config = options.config;
  std::string text;
  if (options.cold) text += ", with a cold store";
  if (options.spec.batch > 1) text += ", batches of " + std::to_string(options.spec.batch);
  if (config.grow_at_overflow_percent != 0)
    text += ", index grows at " + std::to_string(config.grow_at_overflow_percent) + " % overflow";
  if (config.read_cache_bytes != 0)
    text += ", read cache of " + std::to_string(config.read_cache_bytes) + " bytes";
  if (config.copy_reads_to_tail) text += ", copies reads to the tail";
  if (config.keep_checkpoints != 0)
    text += ", keeps " + std::to_string(config.keep_checkpoints) + " checkpoints";
  if (config.compact_at_bytes != 0)
    text += ", compacts at " + std::to_string(config.compact_at_bytes) + " bytes";
  return text;
}

}  // namespace

std::string StoreText(const StoreOptions& options) {
  const WorkloadSpec& spec = options.spec;
  const faster::StoreConfig& config = options.config;
  return std::to_string(spec.record_count) + " keys of " + std::to_string(spec.stored_bytes) + " bytes, " +
         (spec.mix.Contains(Operation::kRmw) ? "RMWs" : "updates") +
         (spec.mix.Contains(Operation::kRead) ? " and reads" : "") + ", " + std::to_string(spec.threads) +
         " sessions, pages of 2^" + std::to_string(config.page_bits) + " bytes, " +
         std::to_string(config.buffer_pages) + " in memory (" + std::to_string(config.mutable_pages) +
         " mutable), blocks of " + std::to_string(config.block_bytes) + ", segments of " +
         std::to_string(config.segment_pages) + " pages, " + std::to_string(config.open_segments) +
         " of them open, " + std::to_string(config.index_buckets) + " buckets, version of " +
         std::to_string(config.version_bits) + " bits, refresh every " +
         std::to_string(config.refresh_interval) + ", " + std::string(ShiftSchemeName(config.shift)) +
         " shift, " + std::string(GuaranteeName(config.guarantee)) + ", " + StorageText(options.storage) +
         CompanyText(options);
}

}  // namespace experiments::process
