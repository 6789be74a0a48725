#include "faster/interop/oxifaster_export.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "faster/core/memory.h"
#include "faster/cpr/formats.h"
#include "faster/interop/native_reader.h"
#include "faster/interop/oxifaster_checkpoint.h"
#include "faster/interop/oxifaster_index.h"
#include "faster/interop/transfer_target.h"

namespace faster::oxifaster {
namespace {

constexpr LogAddress kBegin = kRecordBytes;
constexpr uint64_t kLeastBufferPages = 2;  // theirs refuses a memory of one page

// Pages of records, to log.snapshot or to the device.
class LogWriter {
 public:
  LogWriter(File* file, bool snapshot, uint32_t page_bits)
      : file_(file), snapshot_(snapshot), grid_(page_bits), slot_(Grid::SlotOf(kBegin)) {}

  Status Allocate() { return page_.Allocate(grid_.page_bytes(), false) ? Status::kOk : Status::kOutOfMemory; }
  LogAddress tail() const { return Grid::AddressOf(number_, slot_); }
  Status Append(const LogRecord& record) {
    uint8_t* const to = bytes() + slot_ * kRecordBytes;
    std::memcpy(to, &record.header.control, 8);
    std::memcpy(to + 8, &record.key, 8);
    std::memcpy(to + 16, &record.value, 8);
    if (++slot_ < grid_.slots()) return Status::kOk;
    return WritePage();
  }
  // The last page and what a snapshot begins and ends with.
  Status Finish() {
    final_ = tail();
    Status status = slot_ == 0 ? Status::kOk : WritePage();
    if (status != Status::kOk || !snapshot_) return status;
    const uint64_t end = ~uint64_t{0};
    const uint64_t header[4] = {kBegin, final_, grid_.page_bytes(), std::max(number_, kLeastBufferPages)};
    status = WriteAll(*file_, OffsetOf(number_), &end, sizeof end);
    return status == Status::kOk ? WriteAll(*file_, 0, header, sizeof header) : status;
  }
  LogAddress final_address() const { return final_; }
  uint64_t pages() const { return number_; }
  std::string Sums() const {
    std::vector<uint64_t> words{number_};
    for (uint64_t page = 0; page < number_; ++page) words.insert(words.end(), {page, sums_[page]});
    return {reinterpret_cast<const char*>(words.data()), words.size() * 8};
  }

 private:
  uint8_t* bytes() const { return static_cast<uint8_t*>(page_.data()); }
  uint64_t OffsetOf(uint64_t page) const {
    return snapshot_ ? 32 + page * (8 + grid_.page_bytes()) : Grid::StartOf(page);
  }
  Status WritePage() {
    uint64_t at = OffsetOf(number_);
    Status status = Status::kOk;
    if (snapshot_) {
      status = WriteAll(*file_, at, &number_, 8);
      at += 8;
      sums_.push_back(XorSum(bytes(), grid_.page_bytes()));
    }
    if (status == Status::kOk) status = WriteAll(*file_, at, bytes(), grid_.page_bytes());
    std::memset(bytes(), 0, grid_.page_bytes());
    ++number_;
    slot_ = 0;
    if (status == Status::kOk && Grid::StartOf(number_ + 1) > kAddressEnd) status = Status::kNoSpace;
    return status;
  }

  File* const file_;
  const bool snapshot_;
  const Grid grid_;
  ZeroedMemory page_;
  uint64_t number_ = 0;  // of the page
  uint64_t slot_;        // that the next record goes into
  LogAddress final_ = 0;
  std::vector<uint64_t> sums_;
};

class ExportRun {
 public:
  ExportRun(Storage* to, std::string_view target, const ExportOptions& options, Diagnosis* why)
      : target_(to, target), options_(options), why_(why) {}

  Status Run(Storage* from, std::string_view directory, ExportResult* result) {
    Status status = CheckOptions();
    if (status == Status::kOk) status = reader_.Open(from, directory, options_.token, why_);
    if (status == Status::kOk) status = CheckSource(directory);
    if (status == Status::kOk) status = CheckTarget();
    if (status == Status::kOk) status = WriteRecords();
    if (status == Status::kOk) status = WriteMetadataFiles();
    if (status != Status::kOk) return status;
    target_.Keep();
    *result = done_;
    return Status::kOk;
  }

 private:
  Status CheckOptions() {
    const uint64_t size = options_.table_size;
    if (size != 0 && (!std::has_single_bit(size) || size > kMostTable))
      return Refuse(Status::kInvalidArgument, "", 0, "a table of 1 to 2^30 buckets, a power of two",
                    std::to_string(size), why_);
    if (options_.page_bits >= kLeastPageBits && options_.page_bits <= kOffsetBits) return Status::kOk;
    return Refuse(Status::kInvalidArgument, "", 0, "pages of 2^10 to 2^25 bytes",
                  "2^" + std::to_string(options_.page_bits), why_);
  }

  Status CheckSource(std::string_view directory) {
    const LogMetadata& log = reader_.log();
    if (log.version <= 0xffffffff) return reader_.RequirePlainSessions(kMostSessions, why_);
    return Refuse(Status::kUnsupported, CheckpointPath(directory, log.token, kLogMetaName), 0,
                  "a version below 2^32", std::to_string(log.version), why_);
  }

  Status CheckTarget() {
    const std::string token = reader_.log().token.Text();
    directory_ = JoinPath(target_.directory(), token);
    std::vector<std::string> names, left;
    const Status status = target_.Open(&names, why_);
    if (status != Status::kOk) return status;
    const auto has = [&](std::string_view name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (!options_.snapshot && has(kDeviceName))
      return Refuse(Status::kExists, JoinPath(target_.directory(), kDeviceName), 0,
                    "a directory without a device", "one", why_);
    if (!has(token)) return target_.MakeDirectory(directory_, why_);
    const Status listed = target_.storage()->List(directory_, &left);
    if (listed != Status::kOk)
      return Refuse(listed, directory_, 0, "a directory to write into", std::string(StatusName(listed)),
                    why_);
    if (left.empty()) return Status::kOk;
    return Refuse(Status::kExists, directory_, 0, "a directory to be made", "files in it", why_);
  }

  Status WriteRecords() {
    const LogMetadata& log = reader_.log();
    const uint64_t size =
        options_.table_size != 0 ? options_.table_size : std::min(log.table_size, kMostTable);
    Status status = table_.Allocate(size, why_);
    if (status != Status::kOk) return status;
    const std::string path =
        options_.snapshot ? JoinPath(directory_, kSnapshotName) : JoinPath(target_.directory(), kDeviceName);
    std::unique_ptr<File> file;
    target_.Making(path);
    status = target_.storage()->Open(path, OpenMode::kTruncate, &file);
    if (status != Status::kOk) return FailedWrite(status, path, why_);
    LogWriter writer(file.get(), options_.snapshot, options_.page_bits);
    if ((status = writer.Allocate()) != Status::kOk)
      return Refuse(status, "", 0, "memory for a page of the log", "none", why_);
    Status written = Status::kOk;  // an error of the target, not of the source
    status = reader_.ForEach(
        options_.observer,
        [&](uint64_t key, uint64_t value, bool tombstone) {
          return written = Append(&writer, key, value, tombstone);
        },
        why_);
    if (status == Status::kOk) status = written = writer.Finish();
    if (status == Status::kOk) status = written = file->Sync();
    if (written != Status::kOk) return FailedWrite(written, path, why_);
    if (status != Status::kOk) return status;
    done_.pages = writer.pages();
    done_.log.begin = kBegin;
    done_.log.final_address = writer.final_address();
    done_.log.flushed = options_.snapshot ? 0 : writer.final_address();
    return options_.snapshot ? WriteSums(path, writer.Sums()) : Status::kOk;
  }

  Status Append(LogWriter* writer, uint64_t key, uint64_t value, bool tombstone) {
    const uint64_t hash = HashOfKey(key, options_.their_hash);
    uint64_t* const entry = table_.FindOrCreate(hash);
    LogRecord record;
    // Theirs has zeros there, and nothing reads it.
    record.value = tombstone ? 0 : value;
    record.key = key;
    // As Make() has it but for the highest bit, which theirs never sets.
    const auto version = static_cast<uint32_t>(reader_.log().version & ((1u << kMaxVersionBits) - 1));
    record.header.control = RecordHeader::Make(microsoft::AddressIn(*entry), version, tombstone).control &
                            ~RecordHeader::kPresent;
    *entry = microsoft::EntryOf(writer->tail(), TagOf(hash));
    ++done_.records;
    done_.tombstones += tombstone;
    return writer->Append(record);
  }

  Status WriteSums(const std::string& of, const std::string& bytes) {
    return target_.Write(of + std::string(kSumSuffix), bytes, why_);
  }
  Status WriteText(std::string_view name, const std::string& text) {
    const uint64_t sum = XorSum(text.data(), text.size());
    Status status = WriteSums(JoinPath(directory_, name), {reinterpret_cast<const char*>(&sum), sizeof sum});
    // What follows log.meta is nothing: a crash must not keep it without the other names.
    if (status == Status::kOk) status = target_.SyncDirectories({directory_, target_.directory()}, why_);
    return status == Status::kOk ? target_.WriteDurably(directory_, name, text, why_) : status;
  }

  Status WriteMetadataFiles() {
    const LogMetadata& log = reader_.log();
    const std::string path = JoinPath(directory_, kIndexDataName);
    target_.Making(path);
    Status status = WriteIndex(target_.storage(), path, table_, options_.observer, &done_.index, why_);
    if (status != Status::kOk) return status;
    done_.index.token = done_.log.token = log.token;
    done_.log.snapshot = options_.snapshot;
    done_.log.version = static_cast<uint32_t>(log.version);
    done_.log.sessions = log.sessions;
    status = WriteText(kIndexMetaName, Format(done_.index));
    return status == Status::kOk ? WriteText(kLogMetaName, Format(done_.log)) : status;
  }

  TransferTarget target_;
  const ExportOptions& options_;
  Diagnosis* const why_;
  NativeReader reader_;
  microsoft::Table table_;
  ExportResult done_;
  std::string directory_;
};

}  // namespace

Status Export(Storage* from, std::string_view directory, Storage* to, std::string_view target,
              const ExportOptions& options, ExportResult* result, Diagnosis* why) {
  Diagnosis unused;
  return ExportRun(to, target, options, why != nullptr ? why : &unused).Run(from, directory, result);
}

}  // namespace faster::oxifaster
