#include "faster/interop/transfer_target.h"

#include <memory>

#include "faster/cpr/formats.h"
#include "faster/interop/transfer.h"

namespace faster {

Status FailedWrite(Status status, std::string_view path, Diagnosis* why) {
  return status == Status::kOk
             ? status
             : Refuse(status, path, 0, "a durable write", std::string(StatusName(status)), why);
}

TransferTarget::~TransferTarget() {
  if (kept_) return;
  for (size_t i = made_.size(); i-- > 0;) static_cast<void>(storage_->Remove(made_[i]));
}

Status TransferTarget::Open(std::vector<std::string>* names, Diagnosis* why) {
  Status status = storage_->CreateDirectory(directory_);
  if (status == Status::kOk && names != nullptr) status = storage_->List(directory_, names);
  if (status == Status::kOk) return status;
  return Refuse(status, directory_, 0, "a directory to write into", std::string(StatusName(status)), why);
}

void TransferTarget::MakingDurably(const std::string& directory, std::string_view name) {
  Making(JoinPath(directory, "." + std::string(name) + ".tmp"));
  Making(JoinPath(directory, name));
}

Status TransferTarget::MakeDirectory(const std::string& path, Diagnosis* why) {
  Making(path);
  return FailedWrite(storage_->CreateDirectory(path), path, why);
}

Status TransferTarget::Write(const std::string& path, std::string_view bytes, Diagnosis* why) {
  std::unique_ptr<File> file;
  Making(path);
  Status status = storage_->Open(path, OpenMode::kTruncate, &file);
  if (status == Status::kOk) status = WriteAll(*file, 0, bytes.data(), bytes.size());
  if (status == Status::kOk) status = file->Sync();
  return FailedWrite(status, path, why);
}

Status TransferTarget::WriteDurably(const std::string& directory, std::string_view name,
                                    std::string_view bytes, Diagnosis* why) {
  MakingDurably(directory, name);
  return FailedWrite(WriteFileDurably(*storage_, directory, name, std::string(bytes)),
                     JoinPath(directory, name), why);
}

Status TransferTarget::SyncDirectories(std::initializer_list<std::string_view> directories, Diagnosis* why) {
  for (const std::string_view directory : directories) {
    const Status status = storage_->SyncDirectory(directory);
    if (status != Status::kOk) return FailedWrite(status, directory, why);
  }
  return Status::kOk;
}

}  // namespace faster
