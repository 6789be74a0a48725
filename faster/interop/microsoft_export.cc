#include "faster/interop/microsoft_export.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "faster/cpr/formats.h"
#include "faster/interop/microsoft_index.h"
#include "faster/interop/microsoft_log.h"
#include "faster/interop/native_reader.h"

namespace faster::microsoft {
namespace {

constexpr uint64_t kOriginalSegment = uint64_t{1} << 30;
// Their records have 13 bits for a version that they compare without wrapping: from 8192 on their recovery
// undoes nothing. An exported store has room below it.
constexpr uint64_t kLatestVersion = 4096;

class ExportRun {
 public:
  ExportRun(Storage* to, std::string_view target, const ExportOptions& options, Diagnosis* why)
      : to_(to), target_(target), options_(options), geometry_(options.geometry), why_(why) {
    if (geometry_.segment_bytes == 0)
      geometry_.segment_bytes = std::max(kOriginalSegment, geometry_.page_bytes());
  }
  ~ExportRun() {
    if (finished_) return;
    for (size_t i = made_.size(); i-- > 0;) static_cast<void>(to_->Remove(made_[i]));
  }

  Status Run(Storage* from, std::string_view directory, ExportResult* result) {
    Status status = geometry_.Validate(why_);
    if (status == Status::kOk) status = reader_.Open(from, directory, options_.token, why_);
    if (status == Status::kOk) status = CheckSessions(directory);
    if (status == Status::kOk) status = CheckTarget();
    if (status == Status::kOk) status = MakeDirectories();
    if (status == Status::kOk) status = WriteRecords();
    if (status == Status::kOk) status = WriteIndex();
    if (status == Status::kOk) status = WriteSessions();
    if (status != Status::kOk) return status;
    finished_ = true;
    done_.token = reader_.log().token;
    done_.version = reader_.log().version;
    *result = done_;
    return Status::kOk;
  }

 private:
  Status Failed(Status status, const std::string& path) {
    return Refuse(status, path, 0, "a durable write", std::string(StatusName(status)), why_);
  }

  Status CheckSessions(std::string_view directory) {
    const LogMetadata& log = reader_.log();
    const std::string path = CheckpointPath(directory, log.token, kLogMetaName);
    if (log.sessions.size() > kMaxSessions)
      return Refuse(Status::kUnsupported, path, 0, "at most 96 sessions", std::to_string(log.sessions.size()),
                    why_);
    for (const SessionCommit& session : log.sessions) {
      if (!session.excluded.empty())
        return Refuse(Status::kUnsupported, path, 0, "no serials excluded from a commit point",
                      std::to_string(session.excluded.size()) + " of session " + session.session.Text(),
                      why_);
    }
    return Status::kOk;
  }

  Status CheckTarget() {
    const uint64_t size = options_.table_size;
    if (size != 0 && (!std::has_single_bit(size) || size < kLeastTable || size > kLargestTable))
      return Refuse(Status::kInvalidArgument, "", 0, "a table of 2048 to 2^30 buckets, a power of two",
                    std::to_string(size), why_);
    Status status = to_->CreateDirectory(target_);
    std::vector<std::string> names;
    if (status == Status::kOk) status = to_->List(target_, &names);
    if (status != Status::kOk)
      return Refuse(status, target_, 0, "a directory for the store", std::string(StatusName(status)), why_);
    for (const std::string& name : names) {
      if (name == kIndexCheckpoints || name == kCprCheckpoints || name.starts_with(kLogName))
        return Refuse(Status::kExists, JoinPath(target_, name), 0, "a directory without a store of theirs",
                      "a part of one", why_);
    }
    return Status::kOk;
  }

  Status MakeDirectories() {
    const std::string token = reader_.log().token.Text();
    const std::string index = JoinPath(target_, kIndexCheckpoints), log = JoinPath(target_, kCprCheckpoints);
    index_directory_ = JoinPath(index, token);
    log_directory_ = JoinPath(log, token);
    for (const std::string& directory : {index, index_directory_, log, log_directory_}) {
      made_.push_back(directory);
      const Status status = to_->CreateDirectory(directory);
      if (status != Status::kOk) return Failed(status, directory);
    }
    return Status::kOk;
  }

  Status WriteRecords() {
    const LogMetadata& log = reader_.log();
    const uint64_t size = options_.table_size != 0
                              ? options_.table_size
                              : std::clamp(std::bit_ceil(log.table_size), kLeastTable, kLargestTable);
    Status status = table_.Allocate(size, why_);
    if (status != Status::kOk) return status;
    done_.log.version =
        static_cast<uint32_t>(log.version == 0 || log.version > kLatestVersion ? 1 : log.version);
    LogWriter writer(to_, target_, geometry_);
    if (options_.snapshot) writer.SnapshotFrom(options_.log_pages, JoinPath(log_directory_, kSnapshotName));
    Batch batch{this, &writer};
    status = reader_.ForEach(
        options_.observer,
        [&](uint64_t key, uint64_t value, bool tombstone) { return batch.Add(key, value, tombstone); }, why_);
    if (status == Status::kOk) status = batch.Flush();
    Diagnosis own;  // an error of the writer stays with it until it ends
    const Status ended = writer.Finish(&done_.log.final_address, &own);
    made_.insert(made_.end(), writer.paths().begin(), writer.paths().end());
    if (ended != Status::kOk) {
      *why_ = own;
      return ended;
    }
    return status == Status::kOk ? CheckSnapshot(writer) : status;
  }

  Status CheckSnapshot(const LogWriter& writer) {
    done_.log.snapshot = options_.snapshot;
    if (!options_.snapshot) return Status::kOk;
    done_.log.flushed = std::max(options_.log_pages << geometry_.page_bits, kFirstAddress);
    const std::string snapshot = JoinPath(log_directory_, kSnapshotName);
    if (!writer.paths().empty() && writer.paths().back() == snapshot) return Status::kOk;
    return Refuse(
        Status::kInvalidArgument, "", 0,
        "a number of pages in the log below the " + std::to_string(writer.pages() + 1) + " that there are",
        std::to_string(options_.log_pages), why_);
  }

  // Buckets are fetched for some records before they are used.
  struct Batch {
    ExportRun* run;
    LogWriter* writer;
    std::vector<LogRecord> records{};

    Status Add(uint64_t key, uint64_t value, bool tombstone) {
      LogRecord& record = records.emplace_back();
      record.header = RecordHeader::Make(0, run->done_.log.version, tombstone);
      record.key = key;
      record.value = value;
      run->table_.Prefetch(HashOfKey(key));
      return records.size() < 16 ? Status::kOk : Flush();
    }
    Status Flush() {
      for (LogRecord& record : records) {
        const uint64_t hash = HashOfKey(record.key);
        uint64_t* const entry = run->table_.FindOrCreate(hash);
        record.header.control |= AddressIn(*entry);
        *entry = EntryOf(writer->tail(), TagOf(hash));
        const Status status = writer->Append(record);
        if (status != Status::kOk) return status;
        ++run->done_.records;
        run->done_.tombstones += record.header.tombstone();
      }
      records.clear();
      return Status::kOk;
    }
  };

  Status WriteIndex() {
    IndexInfo& info = done_.index;
    info.version = done_.log.version;
    info.begin = kFirstAddress;
    info.start = done_.log.final_address;
    Status status = table_.Write(to_, index_directory_, geometry_, options_.observer, &info, &made_, why_);
    if (status != Status::kOk) return status;
    std::string text(kSectorBytes, '\0');
    const auto bytes = Bytes(info);
    std::copy(bytes.begin(), bytes.end(), text.begin());
    return WriteInfo(index_directory_, kInfoName, text);
  }

  Status WriteSessions() {
    LogInfo& info = done_.log;
    for (const SessionCommit& commit : reader_.log().sessions) {
      const auto bytes = Bytes(SessionInfo{commit.serial, info.version, commit.session}, options_.order);
      info.guids[info.threads++] = commit.session;
      const Status status =
          WriteInfo(log_directory_, commit.session.Text() + ".dat", std::string(bytes.begin(), bytes.end()));
      if (status != Status::kOk) return status;
    }
    // A crash keeps any subset of the names made since a directory's last sync; info.dat must be the last.
    for (const std::string& directory : {log_directory_, JoinPath(target_, kIndexCheckpoints),
                                         JoinPath(target_, kCprCheckpoints), target_}) {
      const Status status = to_->SyncDirectory(directory);
      if (status != Status::kOk) return Failed(status, directory);
    }
    const auto bytes = Bytes(info, options_.order);
    return WriteInfo(log_directory_, kInfoName, std::string(bytes.begin(), bytes.end()));
  }

  Status WriteInfo(const std::string& directory, std::string_view name, const std::string& bytes) {
    const std::string path = JoinPath(directory, name);
    made_.push_back(JoinPath(directory, "." + std::string(name) + ".tmp"));
    made_.push_back(path);
    const Status status = WriteFileDurably(*to_, directory, name, bytes);
    return status == Status::kOk ? status : Failed(status, path);
  }

  Storage* const to_;
  const std::string target_;
  const ExportOptions& options_;
  Geometry geometry_;
  Diagnosis* const why_;
  NativeReader reader_;
  Table table_;
  ExportResult done_;
  std::string index_directory_;
  std::string log_directory_;
  std::vector<std::string> made_;
  bool finished_ = false;
};

}  // namespace

Status Export(Storage* from, std::string_view directory, Storage* to, std::string_view target,
              const ExportOptions& options, ExportResult* result, Diagnosis* why) {
  Diagnosis unused;
  return ExportRun(to, target, options, why != nullptr ? why : &unused).Run(from, directory, result);
}

}  // namespace faster::microsoft
