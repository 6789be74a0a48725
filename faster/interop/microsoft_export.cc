#include "faster/interop/microsoft_export.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "faster/cpr/formats.h"
#include "faster/interop/microsoft_index.h"
#include "faster/interop/microsoft_log.h"
#include "faster/interop/native_reader.h"
#include "faster/interop/transfer_target.h"

namespace faster::microsoft {
namespace {

constexpr uint64_t kOriginalSegment = uint64_t{1} << 30;
// Their records have 13 bits for a version that they compare without wrapping: from 8192 on their recovery
// undoes nothing. An exported store has room below it.
constexpr uint64_t kLatestVersion = 4096;

class ExportRun {
 public:
  ExportRun(Storage* to, std::string_view target, const ExportOptions& options, Diagnosis* why)
      : target_(to, target), options_(options), geometry_(options.geometry), why_(why) {
    if (geometry_.segment_bytes == 0)
      geometry_.segment_bytes = std::max(kOriginalSegment, geometry_.page_bytes());
  }

  Status Run(Storage* from, std::string_view directory, ExportResult* result) {
    Status status = geometry_.Validate(why_);
    if (status == Status::kOk) status = reader_.Open(from, directory, options_.token, why_);
    if (status == Status::kOk) status = reader_.RequirePlainSessions(kMaxSessions, why_);
    if (status == Status::kOk) status = CheckTarget();
    if (status == Status::kOk) status = MakeDirectories();
    if (status == Status::kOk) status = WriteRecords();
    if (status == Status::kOk) status = WriteIndex();
    if (status == Status::kOk) status = WriteSessions();
    if (status != Status::kOk) return status;
    target_.Keep();
    done_.token = reader_.log().token;
    done_.version = reader_.log().version;
    *result = done_;
    return Status::kOk;
  }

 private:
  Status CheckTarget() {
    const uint64_t size = options_.table_size;
    if (size != 0 && (!std::has_single_bit(size) || size < kLeastTable || size > kLargestTable))
      return Refuse(Status::kInvalidArgument, "", 0, "a table of 2048 to 2^30 buckets, a power of two",
                    std::to_string(size), why_);
    std::vector<std::string> names;
    const Status status = target_.Open(&names, why_);
    if (status != Status::kOk) return status;
    for (const std::string& name : names) {
      if (name == kIndexCheckpoints || name == kCprCheckpoints || name.starts_with(kLogName))
        return Refuse(Status::kExists, JoinPath(target_.directory(), name), 0,
                      "a directory without a store of theirs", "a part of one", why_);
    }
    return Status::kOk;
  }

  Status MakeDirectories() {
    const std::string token = reader_.log().token.Text();
    indexes_ = JoinPath(target_.directory(), kIndexCheckpoints);
    logs_ = JoinPath(target_.directory(), kCprCheckpoints);
    index_directory_ = JoinPath(indexes_, token);
    log_directory_ = JoinPath(logs_, token);
    for (const std::string& directory : {indexes_, index_directory_, logs_, log_directory_}) {
      const Status status = target_.MakeDirectory(directory, why_);
      if (status != Status::kOk) return status;
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
    LogWriter writer(target_.storage(), target_.directory(), geometry_);
    if (options_.snapshot) writer.SnapshotFrom(options_.log_pages, JoinPath(log_directory_, kSnapshotName));
    Batch batch{this, &writer};
    status = reader_.ForEach(
        options_.observer,
        [&](uint64_t key, uint64_t value, bool tombstone) { return batch.Add(key, value, tombstone); }, why_);
    if (status == Status::kOk) status = batch.Flush();
    Diagnosis own;  // an error of the writer stays with it until it ends
    const Status ended = writer.Finish(&done_.log.final_address, &own);
    for (const std::string& path : writer.paths()) target_.Making(path);
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
    std::vector<std::string> paths;
    const Status status =
        table_.Write(target_.storage(), index_directory_, geometry_, options_.observer, &info, &paths, why_);
    for (const std::string& path : paths) target_.Making(path);
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
    const Status status =
        target_.SyncDirectories({log_directory_, indexes_, logs_, target_.directory()}, why_);
    if (status != Status::kOk) return status;
    const auto bytes = Bytes(info, options_.order);
    return WriteInfo(log_directory_, kInfoName, std::string(bytes.begin(), bytes.end()));
  }

  Status WriteInfo(const std::string& directory, std::string_view name, const std::string& bytes) {
    return target_.WriteDurably(directory, name, bytes, why_);
  }

  TransferTarget target_;
  const ExportOptions& options_;
  Geometry geometry_;
  Diagnosis* const why_;
  NativeReader reader_;
  Table table_;
  ExportResult done_;
  std::string indexes_;  // a directory of each kind, and this checkpoint's in it
  std::string logs_;
  std::string index_directory_;
  std::string log_directory_;
};

}  // namespace

Status Export(Storage* from, std::string_view directory, Storage* to, std::string_view target,
              const ExportOptions& options, ExportResult* result, Diagnosis* why) {
  Diagnosis unused;
  return ExportRun(to, target, options, why != nullptr ? why : &unused).Run(from, directory, result);
}

}  // namespace faster::microsoft
