#include "faster/interop/oxifaster_checkpoint.h"

#include <algorithm>
#include <cstring>

#include "faster/cpr/formats.h"
#include "faster/interop/oxifaster_format.h"

namespace faster::oxifaster {
namespace {

constexpr uint64_t kMostMetadata = 1 << 20;

template <typename Info>
Status ReadText(Storage& storage, const std::string& path, Info* info, Warnings* warnings, Diagnosis* why) {
  std::string text, sums;
  Status status = ReadWholeFile(storage, path, kMostMetadata, &text, why);
  if (status == Status::kNotFound) *why = {path, 0, "metadata of a checkpoint", "no such file"};
  bool present = false;
  if (status == Status::kOk) status = ReadSums(storage, path, 8, &sums, &present, warnings, why);
  if (status != Status::kOk) return status;
  if (present) {
    uint64_t stored = 0;
    std::memcpy(&stored, sums.data(), 8);
    const uint64_t sum = XorSum(text.data(), text.size());
    if (sum != stored)
      return Damaged(path, 0, "bytes of sum " + HexWord(stored) + ", as its .crc says", HexWord(sum), why);
  }
  return Parse(text, path, info, why);
}

Status CheckToken(const std::string& path, const Token& expected, const Token& found, Diagnosis* why) {
  if (found == expected) return Status::kOk;
  return Damaged(path, 0, "token " + expected.Text() + " of its directory", found.Text(), why);
}

Status ReadLog(Storage& storage, const std::string& directory, const Token& token, LogInfo* log,
               Warnings* warnings, Diagnosis* why) {
  const std::string path = JoinPath(directory, kLogMetaName);
  const Status status = ReadText(storage, path, log, warnings, why);
  return status == Status::kOk ? CheckToken(path, token, log->token, why) : status;
}

// Tokens that name directories, and how these are spelled.
Status TokensIn(Storage& storage, std::string_view directory,
                std::vector<std::pair<Token, std::string>>* tokens, Diagnosis* why) {
  std::vector<std::string> names;
  const Status status = storage.List(directory, &names);
  if (status != Status::kOk)
    return Refuse(status, directory, 0, "a directory of checkpoints", std::string(StatusName(status)), why);
  for (const std::string& name : names) {
    Token token;
    if (Guid::Parse(name, &token)) tokens->emplace_back(token, JoinPath(directory, name));
  }
  return Status::kOk;
}

std::string PathOf(const std::vector<std::pair<Token, std::string>>& tokens, const Token& token) {
  for (const auto& [one, path] : tokens) {
    if (one == token) return path;
  }
  return "";
}

Status ChooseNewest(Storage& storage, std::string_view directory,
                    const std::vector<std::pair<Token, std::string>>& tokens, Token* token, Diagnosis* why) {
  bool found = false, tie = false;
  uint32_t newest = 0;
  for (const auto& [one, path] : tokens) {
    LogInfo log;
    Warnings unused;  // of one that may not be chosen
    const Status status = ReadLog(storage, path, one, &log, &unused, why);
    if (status == Status::kNotFound) continue;  // an index alone, or not complete
    if (status != Status::kOk) return status;
    if (found && log.version < newest) continue;
    tie = found && log.version == newest;
    found = true;
    newest = log.version;
    *token = one;
  }
  if (tie)
    return Refuse(Status::kInvalidArgument, directory, 0, "the name of a checkpoint",
                  "several of version " + std::to_string(newest), why);
  if (found) return Status::kOk;
  return Refuse(Status::kNotFound, directory, 0, "a checkpoint with a log.meta",
                "none among " + std::to_string(tokens.size()) + " directories", why);
}

Status ReadBase(Storage& storage, const std::vector<std::pair<Token, std::string>>& tokens, Checkpoint* c,
                Warnings* warnings, Diagnosis* why) {
  const std::string log_path = JoinPath(c->directory, kLogMetaName);
  const std::string path = JoinPath(c->directory, kDeltaMetaName);
  Status status = ReadText(storage, path, &c->delta, warnings, why);
  if (status == Status::kNotFound) status = Status::kCorruption;
  if (status == Status::kOk) status = CheckToken(path, c->token, c->delta.token, why);
  if (status != Status::kOk) return status;
  if (c->delta.base != c->log.base)
    return Damaged(path, 0, "base " + c->log.base.Text() + " as in log.meta", c->delta.base.Text(), why);
  if (c->delta.final_address != c->log.final_address)
    return Damaged(path, 0, "final address " + std::to_string(c->log.final_address) + " as in log.meta",
                   std::to_string(c->delta.final_address), why);
  c->base_directory = PathOf(tokens, c->log.base);
  if (c->base_directory.empty())
    return Damaged(log_path, 0, "checkpoint " + c->log.base.Text() + " that it continues",
                   "no such directory", why);
  if ((status = ReadLog(storage, c->base_directory, c->log.base, &c->base, warnings, why)) != Status::kOk)
    return status == Status::kNotFound ? Status::kCorruption : status;
  if (c->base.incremental || !c->base.snapshot)
    return Damaged(JoinPath(c->base_directory, kLogMetaName), 0, "a snapshot, which a delta continues",
                   c->base.incremental ? "an incremental checkpoint" : "a fold-over checkpoint", why);
  for (const auto& [file, address] : {std::pair(path, c->delta.previous_final), {log_path, c->log.start}}) {
    if (address != c->base.final_address)
      return Damaged(file, 0, "a delta from " + std::to_string(c->base.final_address) + ", its base's end",
                     std::to_string(address), why);
  }
  if (c->log.begin >= c->base.begin) return Status::kOk;
  return Damaged(log_path, 0, "a begin address of at least its base's " + std::to_string(c->base.begin),
                 std::to_string(c->log.begin), why);
}

}  // namespace

std::string Checkpoint::SnapshotPath() const {
  return JoinPath(log.incremental ? base_directory : directory, kSnapshotName);
}

Status ReadSums(Storage& storage, const std::string& file, uint64_t bytes, std::string* sums, bool* present,
                Warnings* warnings, Diagnosis* why) {
  const std::string path = file + std::string(kSumSuffix);
  const Status status = ReadWholeFile(storage, path, bytes, sums, why);
  *present = status != Status::kNotFound;
  if (!*present) {
    warnings->push_back(path + " is missing: " + file + " is read without a checksum");
    return Status::kOk;
  }
  if (status != Status::kOk || sums->size() == bytes) return status;
  return Damaged(path, sums->size(), std::to_string(bytes) + " bytes", std::to_string(sums->size()), why);
}

Status ReadCheckpoint(Storage& storage, std::string_view directory, const std::optional<Token>& token,
                      Checkpoint* checkpoint, Warnings* warnings, Diagnosis* why) {
  std::vector<std::pair<Token, std::string>> tokens;
  Checkpoint c;
  Status status = TokensIn(storage, directory, &tokens, why);
  if (status != Status::kOk) return status;
  if (token)
    c.token = *token;
  else if ((status = ChooseNewest(storage, directory, tokens, &c.token, why)) != Status::kOk)
    return status;
  c.directory = PathOf(tokens, c.token);
  if (c.directory.empty())
    return Refuse(Status::kNotFound, directory, 0, "checkpoint " + c.token.Text(), "no such directory", why);
  const std::string log_path = JoinPath(c.directory, kLogMetaName);
  if ((status = ReadLog(storage, c.directory, c.token, &c.log, warnings, why)) != Status::kOk) return status;
  if (c.log.object_log)
    return Refuse(Status::kUnsupported, log_path, 0, "keys and values in the log", "a log of objects", why);
  if (c.log.incremental) status = ReadBase(storage, tokens, &c, warnings, why);
  if (status != Status::kOk) return status;
  const std::string index_path = JoinPath(c.directory, kIndexMetaName);
  IndexInfo index;
  status = ReadText(storage, index_path, &index, warnings, why);
  if (status == Status::kOk) status = CheckToken(index_path, c.token, index.token, why);
  if (status == Status::kOk)
    c.index = index;
  else if (status == Status::kNotFound)
    warnings->push_back(index_path + " is missing: the log is read without an index to compare it with");
  else
    return status;
  *checkpoint = std::move(c);
  return Status::kOk;
}

}  // namespace faster::oxifaster
