// Threads on few keys of a store of variable length: every value says what it is, so that a torn one, or one
// with the length of another, is noticed; and no RMW is lost, in place or out of it.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <thread>
#include <vector>

#include "tests/store/variable_store.h"

namespace faster {
namespace {

// A count, and as many bytes behind it as follow from it.
struct CountFunctions {
  using Input = uint64_t;
  static size_t LengthOf(uint64_t count) { return 8 + count * 0x9e3779b97f4a7c15ull % 57; }
  static void Write(uint64_t count, char* to) {
    std::memcpy(to, &count, 8);
    for (size_t i = 8; i < LengthOf(count); ++i) to[i] = static_cast<char>(count * 31 + i);
  }
  static std::optional<uint64_t> CountOf(std::string_view value) {
    if (value.size() < 8) return std::nullopt;
    uint64_t count;
    std::memcpy(&count, value.data(), 8);
    std::string whole(LengthOf(count), ' ');
    Write(count, whole.data());
    return value == whole ? std::optional(count) : std::nullopt;
  }
  uint64_t Hash(std::string_view key) const { return HashBytes(key); }
  size_t InitialBytes(uint64_t more) const { return LengthOf(more); }
  void Initial(uint64_t more, char* to) const { Write(more, to); }
  size_t UpdatedBytes(std::string_view old, uint64_t more) const {
    const auto count = CountOf(old);
    return count ? LengthOf(*count + more) : 3;  // three bytes are no count
  }
  void Update(std::string_view old, uint64_t more, char* to) const {
    const auto count = CountOf(old);
    count ? Write(*count + more, to) : static_cast<void>(std::memset(to, '!', 3));
  }
};

TEST(VariableStress, NothingIsTornAndNothingIsLost) {
  StoreConfig config = VariableStore::TinyConfig();
  config.page_bits = 12;
  config.index_buckets = 2;
  VariableStoreOf<CountFunctions> store(config);
  constexpr uint64_t kThreads = 4, kKeys = 3, kOperations = 20000;
  const std::string keys[kKeys] = {"", "key", "key and more of it"};
  std::atomic<uint64_t> torn{0}, done{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      auto session = store.kv().StartSession();
      ByteBuffer value;
      const auto collect = [&](const auto& op) {
        if (op.result != Status::kOk || !CountFunctions::CountOf(op.value)) ++torn;
      };
      for (uint64_t i = 0; i < kOperations; ++i) {
        const std::string& key = keys[(i * 7 + t) % kKeys];
        const bool reads = i % 3 == 0 && i > kKeys;
        const Status status = reads ? session->Read(key, &value) : session->Rmw(key, 1, &value);
        if (status == Status::kOk && !CountFunctions::CountOf(value)) ++torn;
        if (status != Status::kOk && status != Status::kPending && !reads) ++torn;
        if (i % 64 == 0) session->CompletePending(false, collect);
        done += !reads;
      }
      session->CompletePending(true, collect);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(torn, 0u);
  auto session = store.kv().StartSession();
  uint64_t sum = 0;
  for (const std::string& key : keys) {
    ByteBuffer value;
    ASSERT_EQ(store.Wait(*session, session->Read(key, &value), &value), Status::kOk);
    sum += CountFunctions::CountOf(value).value_or(0);
  }
  EXPECT_EQ(sum, done);
  EXPECT_EQ(store.kv().CheckInvariants(), "");
}

StoreConfig DrawConfig() {
  StoreConfig config = VariableStore::TinyConfig();
  config.block_bytes = *rc::gen::element(64u, 128u, 256u, 512u);
  config.mutable_pages = *rc::gen::inRange(1u, 7u);
  config.index_buckets = *rc::gen::element<uint64_t>(1, 2, 8);
  config.read_cache_bytes = *rc::gen::element<uint64_t>(0, 2048, 4096);
  config.copy_reads_to_tail = *rc::gen::arbitrary<bool>();
  return config;
}

// Whatever is done, in whatever geometry, a map says the same; before and after recoveries.
RC_GTEST_PROP(VariableProperty, IsAMap, ()) {
  const StoreConfig config = DrawConfig();
  VariableStore store(config);
  const size_t most = config.block_bytes - 8 - VariableRecord::kLeastBytes;
  const auto bytes = [](size_t limit) {
    return *rc::gen::resize(static_cast<int>(limit), rc::gen::arbitrary<std::string>());
  };
  std::vector<std::string> keys;
  for (size_t i = *rc::gen::inRange<size_t>(1, 12); i > 0; --i) keys.push_back(bytes(most / 2));
  std::map<std::string, std::string> model;
  auto session = store.kv().StartSession();
  for (int step = *rc::gen::inRange(1, 400); step > 0; --step) {
    const std::string& key = keys[*rc::gen::inRange<size_t>(0, keys.size())];
    const auto found = model.find(key);
    const auto there = found == model.end() ? std::nullopt : std::optional(found->second);
    switch (*rc::gen::inRange(0, 9)) {
      case 0:
      case 1: {
        const std::string value = bytes(most);
        const bool fits = VariableRecord::BytesFor(key.size(), value.size()) <= config.block_bytes - 8;
        RC_ASSERT(VariableStore::Upsert(*session, key, value) == (fits ? Status::kOk : Status::kTooLarge));
        if (fits) model[key] = value;
        break;
      }
      case 2:
      case 3: {
        const std::string input = bytes(12);
        const bool sets = there && TextFunctions::Sets(input);
        const std::string value = sets ? input.substr(1) : there.value_or("") + input;
        const bool fits = VariableRecord::BytesFor(key.size(), value.size()) <= config.block_bytes - 8;
        RC_ASSERT(VariableStore::Rmw(*session, key, input) == (fits ? Status::kOk : Status::kTooLarge));
        if (fits) model[key] = value;
        break;
      }
      case 4:
        static_cast<void>(VariableStore::Delete(*session, key));
        model.erase(key);
        break;
      case 5: {
        const std::string value = bytes(8);
        ByteBuffer existing;
        const Status status = store.Wait(*session, session->InsertIfAbsent(key, value, &existing), &existing);
        RC_ASSERT(status == (there ? Status::kExists : Status::kOk));
        RC_ASSERT(!there || existing.Value() == *there);
        if (!there) model[key] = value;
        break;
      }
      case 6:
        if (*rc::gen::inRange(0, 20) != 0) break;
        session.reset();
        RC_ASSERT(store.Checkpoint({CheckpointKind::kFull, *rc::gen::arbitrary<bool>()
                                                               ? LogBackend::kFoldOver
                                                               : LogBackend::kSnapshot}) == Status::kOk);
        store.Recover();
        session = store.kv().StartSession();
        break;
      default:
        RC_ASSERT(VariableStore::Read(*session, key) == there);
    }
  }
  for (const std::string& key : keys) {
    const auto found = model.find(key);
    RC_ASSERT(VariableStore::Read(*session, key) ==
              (found == model.end() ? std::nullopt : std::optional(found->second)));
  }
  session.reset();
  RC_ASSERT(store.kv().CheckInvariants() == "");
}

}  // namespace
}  // namespace faster
