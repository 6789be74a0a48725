// One block of the log whose checksum is good: its records, of one size or of any, lie in it whatever the
// bytes say, and so do the key and the value of each.
#include <cstring>
#include <vector>

#include "faster/core/layout.h"
#include "faster/cpr/recovery.h"
#include "tests/fuzz/target.h"

namespace {

using namespace faster;

uint64_t sum;  // keeps the reads

template <class K, class V>
void Walk(const std::string& bytes) {
  using L = LayoutOf<K, V>;
  // Exactly as long as the block, so that a sanitizer sees every byte beyond.
  std::vector<uint64_t> words(bytes.size() / 8);
  if (words.empty()) return;
  std::memcpy(words.data(), bytes.data(), words.size() * 8);
  const uint64_t block_bytes = words.size() * 8;
  uint8_t* const block = reinterpret_cast<uint8_t*>(words.data());
  LogAddress last = 0;
  uint64_t end = 8;
  const auto visit = [&](LogAddress at, uint8_t* memory, RecordHeader header) {
    fuzz::Require(at > last && at >= 8, "records ascend");
    const uint64_t size = L::kSizes(memory, block_bytes - at);
    fuzz::Require(size != 0 && at >= end && at + size <= block_bytes, "a record lies in its block");
    end = at + size;
    last = at;
    const auto* record = L::Rec::At(memory);
    typename L::Value value;
    L::LoadStill(*record, &value);
    if constexpr (L::kVariable) {
      for (const char c : record->key()) sum += static_cast<unsigned char>(c);
      for (const char c : value.Value()) sum += static_cast<unsigned char>(c);
    } else {
      sum += record->key().word[0] + value.word[0];
    }
    sum += header.previous();
  };
  static_cast<void>(ForEachRecord(0, block, block_bytes, L::kSizes, visit));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes = fuzz::Text(data, size);
  struct Wide {
    uint64_t word[5];
  };
  Walk<VarKey, VarValue>(bytes);
  Walk<uint64_t, uint64_t>(bytes);
  Walk<uint64_t, Wide>(bytes);
  return 0;
}
