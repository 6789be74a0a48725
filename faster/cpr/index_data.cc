#include "faster/cpr/index_data.h"

#include <algorithm>

#include "faster/cpr/formats.h"

namespace faster {
namespace {

constexpr uint64_t kHeaderMagic = 0x5845444e49525043;   // "CPRINDEX" as little-endian bytes
constexpr uint64_t kTrailerMagic = 0x444e454449525043;  // "CPRIDEND"
constexpr uint64_t kHeaderWords = kIndexHeaderBytes / 8;
constexpr uint64_t kTrailerWords = kIndexTrailerBytes / 8;

// Names a place in one checkpoint's file.
uint64_t PlaceSeed(const Token& token, uint64_t offset) {
  const uint64_t place[3] = {token.high, token.low, offset};
  return Checksum(place, sizeof place);
}

// Of a block of the payload; all before the last are full.
uint64_t BlockOffset(uint64_t block) { return kIndexHeaderBytes + block * (kIndexBlockWords + 1) * 8; }

uint64_t BlockSum(const Token& token, uint64_t offset, const uint64_t* words, uint64_t count) {
  return Checksum(words, count * 8, PlaceSeed(token, offset));
}

}  // namespace

uint64_t IndexBucketOffset(uint64_t bucket) {
  return BlockOffset(bucket / kIndexBlockBuckets) + bucket % kIndexBlockBuckets * kIndexBucketWords * 8;
}

uint64_t IndexDataBytes(uint64_t table_size, uint64_t overflow_buckets) {
  const uint64_t words = (table_size + overflow_buckets) * kIndexBucketWords;
  const uint64_t blocks = (words + kIndexBlockWords - 1) / kIndexBlockWords;
  return kIndexHeaderBytes + (words + blocks) * 8 + kIndexTrailerBytes;
}

IndexDataWriter::IndexDataWriter(File* file, const Token& token, uint64_t table_size)
    : stream_(file, IndexDataBytes(table_size, 0)),
      token_(token),
      table_size_(table_size),
      block_(new uint64_t[kIndexBlockWords + 1]) {}

IndexDataWriter::~IndexDataWriter() = default;

Status IndexDataWriter::Took(uint64_t words) {
  words_ += words;
  filled_ += words;
  if (filled_ != kIndexBlockWords) return status_;
  if (status_ == Status::kOk) status_ = WriteBlock();
  filled_ = 0;
  return status_;
}

Status IndexDataWriter::Finish(uint64_t* overflow_buckets, uint64_t* bytes, uint64_t* checksum) {
  const uint64_t buckets = words_ / kIndexBucketWords;
  if (status_ == Status::kOk && (words_ % kIndexBucketWords != 0 || buckets < table_size_))
    status_ = Status::kInvalidArgument;
  if (status_ == Status::kOk && filled_ != 0) status_ = WriteBlock();
  if (status_ != Status::kOk) return status_;
  uint64_t trailer[kTrailerWords] = {kTrailerMagic, buckets - table_size_, words_, 0};
  trailer[kTrailerWords - 1] = BlockSum(token_, stream_.bytes(), trailer, kTrailerWords - 1);
  status_ = Put(trailer, kTrailerWords);
  if (status_ == Status::kOk) status_ = stream_.Finish();
  if (status_ != Status::kOk) return status_;
  *overflow_buckets = buckets - table_size_;
  *bytes = stream_.bytes();
  *checksum = sums_.Digest();
  return status_;
}

Status IndexDataWriter::WriteHeader() {
  uint64_t header[kHeaderWords] = {kHeaderMagic, kFormatVersion,    token_.high,      token_.low,
                                   table_size_,  kIndexBucketWords, kIndexBlockWords, 0};
  header[kHeaderWords - 1] = BlockSum(token_, 0, header, kHeaderWords - 1);
  return Put(header, kHeaderWords);
}

Status IndexDataWriter::WriteBlock() {
  if (stream_.bytes() == 0) {
    if (const Status status = WriteHeader(); status != Status::kOk) return status;
  }
  block_[filled_] = BlockSum(token_, stream_.bytes(), block_.get(), filled_);
  return Put(block_.get(), filled_ + 1);
}

Status IndexDataWriter::Put(const uint64_t* data, uint64_t words) {
  sums_.Update(&data[words - 1], 8);
  return stream_.Append(data, words * 8);
}

IndexDataReader::IndexDataReader(File* file, std::string_view path, const IndexMetadata& metadata)
    : file_(file),
      path_(path),
      metadata_(metadata),
      words_((metadata.table_size + metadata.overflow_buckets) * kIndexBucketWords) {}

IndexDataReader::~IndexDataReader() = default;

Status IndexDataReader::Damaged(uint64_t offset, std::string expected, std::string found,
                                Diagnosis* why) const {
  *why = Diagnosis{path_, offset, std::move(expected), std::move(found)};
  return Status::kCorruption;
}

Status IndexDataReader::Get(uint64_t offset, void* data, uint64_t bytes, Diagnosis* why) const {
  const Status status = ReadAll(*file_, offset, data, bytes);
  if (status != Status::kOk)
    *why = Diagnosis{path_, offset, std::to_string(bytes) + " bytes that can be read",
                     std::string(StatusName(status))};
  return status;
}

Status IndexDataReader::Open(Diagnosis* why) {
  const uint64_t expected = IndexDataBytes(metadata_.table_size, metadata_.overflow_buckets);
  if (metadata_.data_bytes != expected)
    return Damaged(0, std::to_string(expected) + " bytes for the buckets that the index metadata names",
                   std::to_string(metadata_.data_bytes) + " in the index metadata", why);
  uint64_t size = 0;
  if (const Status status = file_->Size(&size); status != Status::kOk) {
    *why = Diagnosis{path_, 0, "a file whose size can be read", std::string(StatusName(status))};
    return status;
  }
  if (size != expected)
    return Damaged(std::min(size, expected), std::to_string(expected) + " bytes in the file",
                   std::to_string(size), why);
  uint64_t header[kHeaderWords];
  if (const Status status = Get(0, header, sizeof header, why); status != Status::kOk) return status;
  if (header[0] != kHeaderMagic) return Damaged(0, "the magic of index data", HexWord(header[0]), why);
  const Token token{header[2], header[3]};
  const uint64_t sum = BlockSum(token, 0, header, kHeaderWords - 1);
  if (header[kHeaderWords - 1] != sum)
    return Damaged(56, "header checksum " + HexWord(sum), HexWord(header[kHeaderWords - 1]), why);
  if (header[1] != kFormatVersion || header[5] != kIndexBucketWords || header[6] != kIndexBlockWords) {
    *why = Diagnosis{path_, 8, "format version " + std::to_string(kFormatVersion), std::to_string(header[1])};
    return Status::kUnsupported;
  }
  if (token != metadata_.token) return Damaged(16, "token " + metadata_.token.Text(), token.Text(), why);
  if (header[4] != metadata_.table_size)
    return Damaged(32, "table size " + std::to_string(metadata_.table_size), std::to_string(header[4]), why);
  sums_.Update(&header[kHeaderWords - 1], 8);
  return Status::kOk;
}

Status IndexDataReader::ReadBlock(uint64_t block, uint64_t* words, Diagnosis* why) const {
  const uint64_t start = BlockOffset(block), count = WordsIn(block);
  if (const Status status = Get(start, words, (count + 1) * 8, why); status != Status::kOk) return status;
  const uint64_t sum = BlockSum(metadata_.token, start, words, count);
  if (words[count] == sum) return Status::kOk;
  return Damaged(start,
                 "block of " + std::to_string(count * 8) + " bytes with checksum " + HexWord(words[count]),
                 HexWord(sum), why);
}

Diagnosis IndexDataReader::BucketWhy(uint64_t bucket) const {
  return {path_, IndexBucketOffset(bucket),
          "a bucket that leads to the log below " + std::to_string(metadata_.checkpoint_final) +
              " and to an overflow bucket of its own",
          "one that leads elsewhere"};
}

void IndexDataReader::Pass(uint64_t block, const uint64_t* words) {
  sums_.Update(&words[WordsIn(block)], 8);
  ++passed_;
}

Status IndexDataReader::Finish(Diagnosis* why) {
  const uint64_t start =
      IndexDataBytes(metadata_.table_size, metadata_.overflow_buckets) - kIndexTrailerBytes;
  if (passed_ != blocks()) {
    *why = Diagnosis{path_, start, std::to_string(blocks()) + " blocks to be read", std::to_string(passed_)};
    return Status::kInvalidArgument;
  }
  uint64_t trailer[kTrailerWords];
  if (const Status status = Get(start, trailer, sizeof trailer, why); status != Status::kOk) return status;
  sums_.Update(&trailer[kTrailerWords - 1], 8);
  const uint64_t sum = BlockSum(metadata_.token, start, trailer, kTrailerWords - 1);
  if (trailer[0] != kTrailerMagic || trailer[kTrailerWords - 1] != sum)
    return Damaged(start, "a trailer with checksum " + HexWord(sum), HexWord(trailer[kTrailerWords - 1]),
                   why);
  if (trailer[1] != metadata_.overflow_buckets || trailer[2] != words_)
    return Damaged(start + 8, std::to_string(metadata_.overflow_buckets) + " overflow buckets",
                   std::to_string(trailer[1]), why);
  if (const uint64_t found = sums_.Digest(); found != metadata_.data_checksum)
    return Damaged(0, "checksum " + HexWord(metadata_.data_checksum) + " of the checksums in the file",
                   HexWord(found), why);
  return Status::kOk;
}

}  // namespace faster
