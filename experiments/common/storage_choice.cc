#include "experiments/common/storage_choice.h"

#include "faster/device/posix_storage.h"
#include "faster/device/throttled_storage.h"
#include "faster/device/unsynced_storage.h"
#include "faster/device/uring_storage.h"

namespace experiments {
namespace {

constexpr uint64_t kMega = 1'000'000;
constexpr uint64_t kMostMega = 1'000'000;

faster::ThrottleLimits LimitsOf(const StorageChoice& choice) {
  return {choice.read_limit * kMega, choice.write_limit * kMega};
}

struct Owner {  // a base of its own, so that it goes after the storage in front of it
  std::unique_ptr<faster::Storage> below;
};
class LimitedStorage : private Owner, public faster::ThrottledStorage {
 public:
  LimitedStorage(std::unique_ptr<faster::Storage> storage, const faster::ThrottleLimits& limits)
      : Owner{std::move(storage)}, ThrottledStorage(below.get(), limits) {}
};

class WithoutSyncs : private Owner, public faster::UnsyncedStorage {
 public:
  explicit WithoutSyncs(std::unique_ptr<faster::Storage> storage)
      : Owner{std::move(storage)}, UnsyncedStorage(below.get()) {}
};

faster::UringStorageOptions UringOptions(const StorageChoice& choice) {
  faster::UringStorageOptions options;
  options.direct = choice.direct;
  return options;
}

}  // namespace

void AddStorageFlags(CommandLine* line, StorageChoice* choice) {
  line->AddChoice("storage", {"posix", "uring"}, "what reads and writes files: threads, or io_uring (posix)",
                  &choice->name);
  line->AddSwitch("direct", "with --storage uring: past the page cache (O_DIRECT)", &choice->direct);
  line->AddNumber("read-limit", "MB", "read at most so many megabytes (10^6 bytes) a second",
                  &choice->read_limit, 1, kMostMega);
  line->AddNumber("write-limit", "MB", "write at most so many megabytes a second", &choice->write_limit, 1,
                  kMostMega);
  line->AddSwitch("no-sync", "sync nothing: checkpoints outlive the process, but no power cut",
                  &choice->no_sync);
}

std::string CheckFlags(const StorageChoice& choice) {
  if (choice.direct && choice.name != "uring") return "--direct needs --storage uring";
  return "";
}

std::string CheckStorage(const StorageChoice& choice, const std::string& folder) {
  if (std::string wrong = CheckFlags(choice); !wrong.empty() || choice.name != "uring") return wrong;
  faster::UringStorage storage(folder, UringOptions(choice));
  const faster::Status status = choice.direct ? storage.ProbeDirect() : faster::Status::kOk;
  const std::vector<faster::Diagnosis> fallbacks = storage.Fallbacks();
  if (!fallbacks.empty()) return "--storage uring is not possible here: " + fallbacks.front().Text();
  if (status == faster::Status::kOk) return "";
  return "--direct: cannot write a file in " + folder + ": " + std::string(StatusName(status));
}

std::unique_ptr<faster::Storage> MakeStorage(const StorageChoice& choice, const std::string& root) {
  std::unique_ptr<faster::Storage> storage;
  if (choice.name == "uring") {
    storage = std::make_unique<faster::UringStorage>(root, UringOptions(choice));
  } else {
    storage = std::make_unique<faster::PosixStorage>(root);
  }
  if (choice.limited()) storage = std::make_unique<LimitedStorage>(std::move(storage), LimitsOf(choice));
  if (choice.no_sync) storage = std::make_unique<WithoutSyncs>(std::move(storage));
  return storage;
}

std::unique_ptr<faster::Storage> MakeLimits(const StorageChoice& choice, faster::Storage* below) {
  std::unique_ptr<faster::Storage> storage;
  if (choice.limited()) storage = std::make_unique<faster::ThrottledStorage>(below, LimitsOf(choice));
  if (!choice.no_sync) return storage;
  if (storage == nullptr) return std::make_unique<faster::UnsyncedStorage>(below);
  return std::make_unique<WithoutSyncs>(std::move(storage));
}

std::string StorageText(const StorageChoice& choice) {
  std::string text = choice.name + (choice.direct ? ", direct" : "");
  if (choice.read_limit != 0) text += ", reads at " + std::to_string(choice.read_limit) + " MB/s";
  if (choice.write_limit != 0) text += ", writes at " + std::to_string(choice.write_limit) + " MB/s";
  if (choice.no_sync) text += ", never synced";
  return text;
}

std::vector<std::string> StorageFlags(const StorageChoice& choice) {
  std::vector<std::string> flags;
  if (choice.name != "posix") flags.push_back("--storage=" + choice.name);
  if (choice.direct) flags.push_back("--direct");
  if (choice.read_limit != 0) flags.push_back("--read-limit=" + std::to_string(choice.read_limit));
  if (choice.write_limit != 0) flags.push_back("--write-limit=" + std::to_string(choice.write_limit));
  if (choice.no_sync) flags.push_back("--no-sync");
  return flags;
}

}  // namespace experiments
