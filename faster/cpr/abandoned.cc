#include "faster/cpr/abandoned.h"

#include <cstring>
#include <string>

#include "faster/core/checksum.h"
#include "faster/cpr/formats.h"

namespace faster {
namespace {

constexpr char kMagic[9] = "CPRABND1";
constexpr uint64_t kMaxTokens = 1 << 20;

void Put(std::string* bytes, uint64_t word) { bytes->append(reinterpret_cast<const char*>(&word), 8); }

uint64_t Get(const std::string& bytes, uint64_t at) {
  uint64_t word;
  std::memcpy(&word, bytes.data() + at, 8);
  return word;
}

}  // namespace

Status ReadAbandoned(Storage& storage, std::string_view directory, std::vector<Token>* tokens,
                     Diagnosis* why) {
  tokens->clear();
  const std::string path = JoinPath(directory, kAbandonedName);
  std::string bytes;
  const Status status = ReadWholeFile(storage, path, 24 + 16 * kMaxTokens, &bytes, why);
  if (status == Status::kNotFound) return Status::kOk;
  if (status != Status::kOk) return status;
  const bool framed =
      bytes.size() >= 24 && bytes.size() % 16 == 8 && std::memcmp(bytes.data(), kMagic, 8) == 0;
  if (!framed || Get(bytes, bytes.size() - 8) != Checksum(bytes.data(), bytes.size() - 8) ||
      Get(bytes, 8) != (bytes.size() - 24) / 16) {
    *why = {path, 0, "a list of abandoned checkpoints with a good checksum", "other bytes"};
    return Status::kCorruption;
  }
  for (uint64_t at = 16; at + 8 < bytes.size(); at += 16)
    tokens->push_back({Get(bytes, at), Get(bytes, at + 8)});
  return Status::kOk;
}

Status WriteAbandoned(Storage& storage, std::string_view directory, const std::vector<Token>& tokens,
                      Diagnosis* why) {
  std::string bytes(kMagic, 8);
  Put(&bytes, tokens.size());
  for (const Token& token : tokens) {
    Put(&bytes, token.high);
    Put(&bytes, token.low);
  }
  Put(&bytes, Checksum(bytes.data(), bytes.size()));
  const Status status = WriteFileDurably(storage, directory, kAbandonedName, bytes);
  if (status != Status::kOk) {
    *why = {JoinPath(directory, kAbandonedName), 0, "a durable list of abandoned checkpoints",
            std::string(StatusName(status))};
  }
  return status;
}

}  // namespace faster
