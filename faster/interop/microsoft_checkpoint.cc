#include "faster/interop/microsoft_checkpoint.h"

#include <algorithm>
#include <map>

#include "faster/cpr/formats.h"
#include "faster/interop/transfer.h"

namespace faster::microsoft {
namespace {

constexpr uint64_t kMostMetadata = 64 << 10;

// Guids that with `suffix` are names in `directory`, in either case, and how these are spelled.
Status GuidsIn(Storage& storage, const std::string& directory, std::string_view suffix,
               std::map<Guid, std::string>* names, Diagnosis* why) {
  std::vector<std::string> all;
  const Status status = storage.List(directory, &all);
  if (status != Status::kOk)
    return Refuse(status, directory, 0, "a directory of checkpoints", std::string(StatusName(status)), why);
  for (const std::string& name : all) {
    Guid guid;
    if (!name.ends_with(suffix)) continue;
    if (Guid::Parse(std::string_view(name).substr(0, name.size() - suffix.size()), &guid))
      (*names)[guid] = name;
  }
  return Status::kOk;
}

Status ReadMetadataFile(Storage& storage, const std::string& path, std::string* bytes, Diagnosis* why) {
  const Status status = ReadWholeFile(storage, path, kMostMetadata, bytes, why);
  if (status == Status::kNotFound) *why = {path, 0, "metadata of a checkpoint", "no such file"};
  return status;
}

// The log half in `directory`. The guids in info.dat are in the order in which they are the names of files.
Status ReadLogHalf(Storage& storage, const std::string& directory, Checkpoint* checkpoint, Diagnosis* why) {
  const std::string path = JoinPath(directory, kInfoName);
  std::string bytes;
  Status status = ReadMetadataFile(storage, path, &bytes, why);
  if (status != Status::kOk) return status;
  std::map<Guid, std::string> files;
  if ((status = GuidsIn(storage, directory, ".dat", &files, why)) != Status::kOk) return status;
  const auto missing = [&](const LogInfo& info) {
    return std::count_if(info.guids.begin(), info.guids.end(),
                         [&](const Guid& guid) { return !guid.IsNull() && !files.contains(guid); });
  };
  LogInfo mixed;
  if ((status = Parse(bytes, path, GuidOrder::kRfc4122, &checkpoint->log, why)) != Status::kOk) return status;
  checkpoint->order = GuidOrder::kRfc4122;
  if (missing(checkpoint->log) != 0 &&
      Parse(bytes, path, GuidOrder::kMixedEndian, &mixed, why) == Status::kOk &&
      missing(mixed) < missing(checkpoint->log)) {
    checkpoint->log = mixed;
    checkpoint->order = GuidOrder::kMixedEndian;
  }
  checkpoint->sessions.clear();
  const LogInfo& info = checkpoint->log;
  for (uint32_t i = 0; i < kMaxSessions; ++i) {
    if (info.guids[i].IsNull()) continue;
    const auto name = files.find(info.guids[i]);
    const std::string file =
        JoinPath(directory, name != files.end() ? name->second : info.guids[i].Text() + ".dat");
    std::string text;
    if ((status = ReadMetadataFile(storage, file, &text, why)) != Status::kOk) return status;
    SessionInfo session;
    if ((status = Parse(text, file, checkpoint->order, &session, why)) != Status::kOk) return status;
    if (session.version != info.version)
      return Damaged(file, 8, "version " + std::to_string(info.version) + " as in info.dat",
                     std::to_string(session.version), why);
    if (session.guid != info.guids[i])
      return Damaged(file, 12, "the session of its name, " + info.guids[i].Text(), session.guid.Text(), why);
    if (info.serials[i] != 0 && info.serials[i] != session.serial)
      return Damaged(path, 32 + 8 * i,
                     "0 or serial " + std::to_string(session.serial) + " of the session's file",
                     std::to_string(info.serials[i]), why);
    checkpoint->sessions.push_back({session.guid, session.serial});
  }
  std::sort(checkpoint->sessions.begin(), checkpoint->sessions.end(),
            [](const SessionCommit& a, const SessionCommit& b) { return a.session < b.session; });
  return Status::kOk;
}

Status ReadIndexHalf(Storage& storage, const std::string& directory, IndexInfo* info, Diagnosis* why) {
  const std::string path = JoinPath(directory, kInfoName);
  std::string bytes;
  const Status status = ReadMetadataFile(storage, path, &bytes, why);
  return status == Status::kOk ? Parse(bytes, path, info, why) : status;
}

struct Halves {
  std::string root;  // of one kind
  std::map<Guid, std::string> names;
  std::string PathOf(const Guid& token) const { return JoinPath(root, names.at(token)); }
};

// *from, and `checkpoint` filled in with its log half.
Status ChooseLog(Storage& storage, const Halves& logs, const std::optional<Token>& token,
                 Checkpoint* checkpoint, Diagnosis* why) {
  if (token) {
    if (!logs.names.contains(*token))
      return Refuse(Status::kNotFound, logs.root, 0, "checkpoint " + token->Text(), "no such directory", why);
    checkpoint->token = *token;
    checkpoint->log_directory = logs.PathOf(*token);
    return ReadLogHalf(storage, checkpoint->log_directory, checkpoint, why);
  }
  bool found = false, tie = false;
  for (const auto& [guid, name] : logs.names) {
    Checkpoint one;
    one.token = guid;
    one.log_directory = logs.PathOf(guid);
    const Status status = ReadLogHalf(storage, one.log_directory, &one, why);
    if (status == Status::kNotFound) continue;  // not complete
    if (status != Status::kOk) return status;
    if (found && one.log.version < checkpoint->log.version) continue;
    tie = found && one.log.version == checkpoint->log.version;
    *checkpoint = std::move(one);
    found = true;
  }
  if (tie)
    return Refuse(Status::kInvalidArgument, logs.root, 0, "the name of a checkpoint",
                  "several of version " + std::to_string(checkpoint->log.version), why);
  if (found) return Status::kOk;
  return Refuse(Status::kNotFound, logs.root, 0, "a complete checkpoint",
                "none among " + std::to_string(logs.names.size()) + " directories", why);
}

Status ChooseIndex(Storage& storage, const Halves& indexes, const std::optional<Token>& token,
                   Checkpoint* checkpoint, Diagnosis* why) {
  const Token wanted = token.value_or(checkpoint->token);
  if (indexes.names.contains(wanted)) {
    checkpoint->index_directory = indexes.PathOf(wanted);
    return ReadIndexHalf(storage, checkpoint->index_directory, &checkpoint->index, why);
  }
  if (token)
    return Refuse(Status::kNotFound, indexes.root, 0, "index checkpoint " + token->Text(),
                  "no such directory", why);
  size_t fitting = 0;
  for (const auto& [guid, name] : indexes.names) {
    IndexInfo info;
    const Status status = ReadIndexHalf(storage, indexes.PathOf(guid), &info, why);
    if (status == Status::kNotFound) continue;
    if (status != Status::kOk) return status;
    if (info.version != checkpoint->log.version) continue;
    ++fitting;
    checkpoint->index = info;
    checkpoint->index_directory = indexes.PathOf(guid);
  }
  if (fitting == 1) return Status::kOk;
  return Refuse(fitting == 0 ? Status::kNotFound : Status::kInvalidArgument, indexes.root, 0,
                "one index checkpoint of version " + std::to_string(checkpoint->log.version),
                std::to_string(fitting), why);
}

}  // namespace

Status ReadCheckpoint(Storage& storage, std::string_view directory, const std::optional<Token>& log_token,
                      const std::optional<Token>& index_token, Checkpoint* checkpoint, Diagnosis* why) {
  Halves logs{JoinPath(directory, kCprCheckpoints), {}};
  Halves indexes{JoinPath(directory, kIndexCheckpoints), {}};
  Status status = GuidsIn(storage, logs.root, "", &logs.names, why);
  if (status == Status::kOk) status = GuidsIn(storage, indexes.root, "", &indexes.names, why);
  Checkpoint result;
  if (status == Status::kOk) status = ChooseLog(storage, logs, log_token, &result, why);
  if (status == Status::kOk) status = ChooseIndex(storage, indexes, index_token, &result, why);
  if (status == Status::kOk)
    status = CheckPair(result.index, result.log, JoinPath(result.index_directory, kInfoName), why);
  if (status == Status::kOk) *checkpoint = std::move(result);
  return status;
}

}  // namespace faster::microsoft
