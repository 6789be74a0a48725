// TransferTarget: the directory that a transfer writes into, and what the transfer has made there. Unless
// Keep() is called the destructor removes all of it again, the newest first; what cannot be removed stays,
// and is no checkpoint without the file that makes it one.
//
// One thread; blocking. ERRORS: of the storage; *why names the path.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "faster/core/status.h"
#include "faster/device/storage.h"

namespace faster {

class TransferTarget {
 public:
  TransferTarget(Storage* storage, std::string_view directory) : storage_(storage), directory_(directory) {}
  ~TransferTarget();
  TransferTarget(const TransferTarget&) = delete;
  TransferTarget& operator=(const TransferTarget&) = delete;

  Storage* storage() const { return storage_; }
  const std::string& directory() const { return directory_; }

  // Makes the directory unless it is there, and fills in the names in it (absent: not wanted).
  Status Open(std::vector<std::string>* names, Diagnosis* why);

  // `path` is about to be made by this transfer.
  void Making(std::string path) { made_.push_back(std::move(path)); }
  // The temporary name of a durable write too.
  void MakingDurably(const std::string& directory, std::string_view name);

  Status MakeDirectory(const std::string& path, Diagnosis* why);
  // Makes the file, with its bytes but not its name synced.
  Status Write(const std::string& path, std::string_view bytes, Diagnosis* why);
  // Whole and durable under its name, or not there.
  Status WriteDurably(const std::string& directory, std::string_view name, std::string_view bytes,
                      Diagnosis* why);
  Status SyncDirectories(std::initializer_list<std::string_view> directories, Diagnosis* why);

  void Keep() { kept_ = true; }

 private:
  Storage* const storage_;
  const std::string directory_;
  std::vector<std::string> made_;
  bool kept_ = false;
};

// What a write to `path` ended with: *why says so unless it is kOk. Returns `status`.
Status FailedWrite(Status status, std::string_view path, Diagnosis* why);

}  // namespace faster
