// Our engine with a cold store below it: the sessions, batches and checkpoints are those of -db faster.
#include <algorithm>
#include <bit>

#include "faster/store/f2_kv.h"
#include "workloads/ycsb/engine_of.h"

namespace workloads::ycsb {
namespace {

using faster::Status;

// From what a plain store would get: `memory` for the hot log, a sixteenth of it each for the cold log and
// the chunks of its index; as many chains in that as the hot index has entries for keys. Migration begins
// when the hot log is twice as long as its memory. Each can be had otherwise.
faster::F2Config ConfigOf(const faster::StoreConfig& config, const ColdShape& cold) {
  const auto or_else = [](uint64_t wanted, uint64_t usual) { return wanted != 0 ? wanted : usual; };
  faster::F2Config store;
  store.hot = config;
  const uint64_t memory = config.page_bytes() * config.buffer_pages;
  store.migrate_at_bytes = or_else(cold.migrate_at, 2 * memory);
  store.compact_cold_at_bytes = or_else(cold.compact_at, 16 * memory);
  const auto small = [&](faster::StoreConfig* log, uint64_t bytes) {
    constexpr uint32_t kMostPageBits = 20;
    log->page_bits = std::min(config.page_bits, kMostPageBits);
    log->block_bytes = static_cast<uint32_t>(std::min<uint64_t>(config.block_bytes, log->page_bytes()));
    const uint64_t pages = std::bit_floor(std::max<uint64_t>(bytes >> log->page_bits, 4));
    log->buffer_pages = static_cast<uint32_t>(pages);
    log->segment_pages = static_cast<uint32_t>(
        std::max<uint64_t>(config.segment_pages * config.page_bytes() >> log->page_bits, 1));
    log->huge_pages = config.huge_pages;
    log->prefault = config.prefault;
  };
  small(&store.cold.log, or_else(cold.log_memory, memory / 16));
  store.cold.log.block_bytes = config.block_bytes;
  store.cold.log.mutable_pages = 1;
  small(&store.cold.index, or_else(cold.index_memory, memory / 16));
  store.cold.index.block_bytes = std::max(store.cold.index.block_bytes, 512u);  // a chunk takes 280 bytes
  store.cold.index.mutable_pages = std::max(1u, store.cold.index.buffer_pages - 2);
  store.cold.index_chunks = or_else(cold.index_chunks, std::max<uint64_t>(config.index_buckets / 16, 1));
  store.cold.index.index_buckets = std::max<uint64_t>(store.cold.index_chunks / 4, 1);
  store.cold.index.compact_at_bytes = std::max<uint64_t>(memory, 4 * store.cold.index_chunks * 280);
  return store;
}

template <size_t kBytes>
class F2Engine final : public Engine {
 public:
  using Kv = faster::F2Kv<uint64_t, Value<kBytes>, AddWord<kBytes>>;

  explicit F2Engine(const ColdShape& cold) : cold_(cold) {}
  Status Create(const faster::StoreConfig& config, faster::Storage* storage,
                faster::CheckpointObserver* observer, faster::Diagnosis* why) override {
    return Kv::Create(ConfigOf(config, cold_), storage, {}, observer, &kv_, why);
  }
  Status Recover(const faster::StoreConfig& config, faster::Storage* storage,
                 faster::CheckpointObserver* observer, faster::RecoveryResult* result,
                 faster::Diagnosis* why) override {
    return Kv::Recover(ConfigOf(config, cold_), storage, {}, observer, {}, &kv_, result, why);
  }
  std::unique_ptr<Client> Start() override { return Wrapped(kv_->StartSession()); }
  std::unique_ptr<Client> Continue(const faster::Guid& id) override {
    return Wrapped(kv_->ContinueSession(id));
  }
  Status Checkpoint(faster::CheckpointKind kind, faster::LogBackend backend, faster::Token* token) override {
    return kv_->Checkpoint(kind, backend, token);
  }
  Status GrowIndex() override { return kv_->GrowIndex(); }
  faster::GrowthProgress Growth() override { return kv_->Growth(); }
  bool Poll() override { return kv_->Poll(); }
  faster::SystemState State() const override { return kv_->State(); }
  LogState Log() const override {
    const faster::HybridLog& log = kv_->hot().log();
    return {log.begin(), log.head(), log.flushed_until(), log.read_only(), log.tail()};
  }
  uint64_t IndexBytes() const override {
    return Bytes(kv_->hot().index()) + Bytes(kv_->cold_index().kv().index());
  }
  faster::CheckpointProgress Progress() override { return kv_->CheckpointProgress(); }
  std::string Describe() override { return kv_->Describe(); }

 private:
  static uint64_t Bytes(faster::HashIndex& index) {
    return (index.table().size() + index.table().overflow_count()) * sizeof(faster::HashBucket);
  }
  static std::unique_ptr<Client> Wrapped(std::unique_ptr<typename Kv::SessionType> session) {
    if (session == nullptr) return nullptr;
    using Records = FixedRecords<kBytes>;
    return std::make_unique<ClientOf<Records>>(std::move(session), Records(kBytes));
  }
  const ColdShape cold_;
  std::unique_ptr<Kv> kv_;
};

}  // namespace

std::unique_ptr<Engine> Engine::MakeF2(uint32_t stored_bytes, const ColdShape& cold) {
  switch (stored_bytes) {
    case 8:
      return std::make_unique<F2Engine<8>>(cold);
    case 104:
      return std::make_unique<F2Engine<104>>(cold);
    case 256:
      return std::make_unique<F2Engine<256>>(cold);
    default:
      return nullptr;
  }
}

}  // namespace workloads::ycsb
