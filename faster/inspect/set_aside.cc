#include "faster/inspect/set_aside.h"

#include <algorithm>

#include "faster/cpr/formats.h"

namespace faster {
namespace {

class Mover {
 public:
  Mover(Storage* storage, std::string_view label, Diagnosis* why)
      : storage_(*storage), label_(label), why_(*why) {}

  Status Run(SetAsideMove* move) {
    const std::string place = JoinPath(move->directory, kSetAsideName);
    Status status = Did(place, "a directory that can be made", storage_.CreateDirectory(place));
    if (status == Status::kOk) status = Sync(move->directory);
    if (status == Status::kOk) status = Name(place, move);
    if (status != Status::kOk) return status;
    return move->files.empty() ? MoveWhole(place, *move) : MoveFiles(place, *move);
  }

 private:
  Status Did(const std::string& path, std::string expected, Status status) {
    if (status != Status::kOk) why_ = {path, 0, std::move(expected), std::string(StatusName(status))};
    return status;
  }
  Status Sync(const std::string& path) {
    return Did(path, "a directory that can be synced", storage_.SyncDirectory(path));
  }
  Status Rename(const std::string& from, const std::string& to) {
    return Did(from, "a name that can be moved to " + to, storage_.Rename(from, to));
  }

  // A name that is not taken.
  Status Name(const std::string& place, SetAsideMove* move) {
    std::vector<std::string> names;
    const Status status = Did(place, "a directory that can be listed", storage_.List(place, &names));
    const std::string wanted = std::string(label_) + "-" + move->token.Text();
    std::string name = wanted;
    for (int again = 2; std::find(names.begin(), names.end(), name) != names.end(); ++again)
      name = wanted + "-" + std::to_string(again);
    move->to = JoinPath(place, name);
    return status;
  }

  Status MoveWhole(const std::string& place, const SetAsideMove& move) {
    Status status = Rename(TokenDirectory(move.directory, move.token), move.to);
    if (status == Status::kOk) status = Sync(place);
    return status == Status::kOk ? Sync(move.directory) : status;
  }

  Status MoveFiles(const std::string& place, const SetAsideMove& move) {
    const std::string from = TokenDirectory(move.directory, move.token);
    Status status = Did(move.to, "a directory that can be made", storage_.CreateDirectory(move.to));
    if (status == Status::kOk) status = Sync(place);
    for (size_t i = 0; status == Status::kOk && i < move.files.size(); ++i) {
      const std::string path = JoinPath(from, move.files[i]);
      status = Rename(path, JoinPath(move.to, move.files[i]));
      if (status == Status::kOk) status = Sync(move.to);
      if (status == Status::kOk) status = Sync(from);
    }
    return status;
  }

  Storage& storage_;
  const std::string_view label_;
  Diagnosis& why_;
};

}  // namespace

Status SetAside(Storage* storage, std::string_view label, SetAsideMove* move, Diagnosis* why) {
  return Mover(storage, label, why).Run(move);
}

}  // namespace faster
