#include "faster/interop/native_writer.h"

#include <algorithm>

#include "faster/core/checksum.h"
#include "faster/core/words.h"
#include "faster/cpr/catalog.h"
#include "faster/cpr/formats.h"
#include "faster/cpr/index_capture.h"
#include "faster/cpr/index_data.h"

namespace faster {
namespace {

using Rec = Record<uint64_t, uint64_t>;

}  // namespace

NativeWriter::NativeWriter(Storage* storage, const StoreConfig& config, KeyHashFunction hash)
    : config_(config), hash_(hash), ids_(config.seed), target_(storage, config.directory) {}

Status NativeWriter::Open(uint64_t version, Diagnosis* why) {
  Status status = config_.Validate(Rec::kBytes, why);
  if (status != Status::kOk) return status;
  if ((status = target_.Open(nullptr, why)) != Status::kOk) return status;
  if ((status = target_.storage()->Lock(config_.directory, &lock_)) != Status::kOk)
    return Refuse(status, config_.directory, 0, "a directory that no process has open",
                  std::string(StatusName(status)), why);
  std::vector<CatalogEntry> entries;
  if ((status = ListCheckpoints(*target_.storage(), config_.directory, &entries, why)) != Status::kOk)
    return status;
  for (const CatalogEntry& entry : entries) {
    if (!entry.empty())
      return Refuse(Status::kExists, TokenDirectory(config_.directory, entry.token), 0,
                    "no checkpoint where a new store is to be", entry.token.Text(), why);
  }
  if ((status = table_.Allocate(config_.index_buckets, false)) != Status::kOk)
    return Refuse(status, "", 0, "memory for an index", "none", why);
  version_ = version;
  generation_ = NextGeneration(entries, ids_.Next());
  per_block_ = (config_.block_bytes - 8) / Rec::kBytes;
  pending_.reserve(per_block_);
  block_.resize(config_.block_bytes / 8);
  return Status::kOk;
}

Status NativeWriter::Add(uint64_t key, uint64_t value, bool tombstone, Diagnosis* why) {
  pending_.push_back({key, value, tombstone});
  return pending_.size() < per_block_ ? Status::kOk : FlushBlock(why);
}

Status NativeWriter::OpenSegment(Diagnosis* why) {
  const uint64_t segment_bytes = config_.page_bytes() * config_.segment_pages;
  if (block_at_ % segment_bytes != 0) return Status::kOk;
  Status status = CloseSegment(why);
  if (status != Status::kOk) return status;
  segment_path_ = SegmentPath(config_.directory, block_at_ / segment_bytes);
  status = target_.storage()->Open(segment_path_, OpenMode::kTruncate, &file_);
  if (status != Status::kOk) return FailedWrite(status, segment_path_, why);
  target_.Making(segment_path_);
  stream_ = std::make_unique<StreamWriter>(file_.get(), segment_bytes);
  return Status::kOk;
}

Status NativeWriter::CloseSegment(Diagnosis* why) {
  if (stream_ == nullptr) return Status::kOk;
  Status status = stream_->Finish();
  if (status == Status::kOk) status = file_->Sync();
  stream_.reset();
  file_.reset();
  return FailedWrite(status, segment_path_, why);
}

Status NativeWriter::FlushBlock(Diagnosis* why) {
  if (pending_.empty()) return Status::kOk;
  Status status = OpenSegment(why);
  if (status != Status::kOk) return status;
  if (block_at_ + config_.page_bytes() >= uint64_t{1} << 47)
    return Refuse(Status::kNoSpace, "", 0, "a log below 2^47", std::to_string(block_at_), why);
  std::fill(block_.begin(), block_.end(), 0);
  for (const Pending& record : pending_) table_.Prefetch(KeyHash{hash_(record.key)});
  const uint32_t version = static_cast<uint32_t>(version_) & ((1u << config_.version_bits) - 1);
  LogAddress at = block_at_ + 8;
  for (const Pending& record : pending_) {
    const KeyHash hash{hash_(record.key)};
    HashEntry entry;
    HashTable::Slot* const slot = table_.FindOrCreate(hash, &entry);
    if (slot == nullptr) return Refuse(Status::kOutOfMemory, "", 0, "memory for an index", "none", why);
    Rec::At(&block_[(at - block_at_) / 8])
        ->Fill(RecordHeader::Make(entry.address(), version, record.tombstone),
               Words<uint64_t>::Of(record.key), Words<uint64_t>::Of(record.value));
    slot->store(HashEntry::Make(at, hash.tag()).control, std::memory_order_relaxed);
    at += Rec::kBytes;
  }
  pending_.clear();
  block_[0] = BlockChecksum(block_.data(), config_.block_bytes, block_at_, generation_);
  block_at_ += config_.block_bytes;
  status = stream_->Append(block_.data(), config_.block_bytes);
  return FailedWrite(status, segment_path_, why);
}

Status NativeWriter::WriteIndex(const LogMetadata& log, const TransferObserver& observer, Diagnosis* why) {
  const std::string path = CheckpointPath(config_.directory, log.token, kIndexDataName);
  std::unique_ptr<File> file;
  Status status = target_.storage()->Open(path, OpenMode::kTruncate, &file);
  if (status != Status::kOk) return FailedWrite(status, path, why);
  target_.Making(path);
  IndexMetadata index;
  index.token = log.token;
  index.version = log.version;
  index.table_size = table_.size();
  index.begin_address = log.begin_address;
  index.checkpoint_start = index.checkpoint_final = log.final_address;
  index.generation = generation_;
  IndexDataWriter writer(file.get(), log.token, table_.size());
  const auto progress = [&](uint64_t bytes) {
    Report(observer, "writing the index", bytes, table_.size() * sizeof(HashBucket));
  };
  progress(0);
  status = CaptureIndex({&table_, progress}, &writer, &index.entries);
  if (status == Status::kOk)
    status = writer.Finish(&index.overflow_buckets, &index.data_bytes, &index.data_checksum);
  if (status == Status::kOk) status = file->Sync();
  if (status != Status::kOk) return FailedWrite(status, path, why);
  target_.MakingDurably(TokenDirectory(config_.directory, log.token), kIndexMetaName);
  return WriteMetadata(*target_.storage(), config_.directory, index, why);
}

Status NativeWriter::Finish(const Token& token, const std::vector<SessionCommit>& sessions,
                            const TransferObserver& observer, LogMetadata* done, Diagnosis* why) {
  Status status = FlushBlock(why);
  if (status == Status::kOk) status = CloseSegment(why);
  if (status != Status::kOk) return status;
  if ((status = target_.SyncDirectories({config_.directory}, why)) != Status::kOk) return status;
  LogMetadata log;
  log.token = token.IsNull() ? Token{ids_.Next(), ids_.Next()} : token;
  log.version = version_;
  log.version_bits = config_.version_bits;
  log.page_bits = config_.page_bits;
  log.block_bytes = config_.block_bytes;
  log.segment_pages = config_.segment_pages;
  log.key_bytes = log.value_bytes = 8;
  log.table_size = table_.size();
  log.start_address = log.final_address = log.flushed_until = block_at_;
  log.sessions = sessions;
  log.generations = {{0, generation_, 0}};
  const std::string directory = TokenDirectory(config_.directory, log.token);
  target_.Making(directory);
  status = CreateTokenDirectory(*target_.storage(), config_.directory, log.token);
  if (status == Status::kExists)
    return Refuse(status, directory, 0,
                  "a directory to be made: what an import left that was cut off goes first", "files in it",
                  why);
  if (status != Status::kOk) return FailedWrite(status, directory, why);
  if ((status = WriteIndex(log, observer, why)) != Status::kOk) return status;
  target_.MakingDurably(directory, kLogMetaName);
  if ((status = WriteMetadata(*target_.storage(), config_.directory, log, why)) != Status::kOk) return status;
  target_.Keep();
  *done = std::move(log);
  return Status::kOk;
}

}  // namespace faster
