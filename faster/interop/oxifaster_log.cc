#include "faster/interop/oxifaster_log.h"

#include <bit>

#include "faster/cpr/formats.h"

namespace faster::oxifaster {
namespace {

constexpr uint64_t kSnapshotHeader = 32;
constexpr uint64_t kEndOfPages = ~uint64_t{0};
constexpr uint64_t kMostBufferPages = 0xffffffff;

std::string Number(uint64_t n) { return std::to_string(n); }

}  // namespace

uint64_t LogReader::SnapshotOffset(uint64_t page) const {
  return kSnapshotHeader + (page - snapshot_first_) * (8 + grid_.page_bytes());
}

Status LogReader::CheckSnapshotHeader(const uint64_t* header, const LogInfo& log, uint32_t page_bits,
                                      Diagnosis* why) {
  const auto no = [&](int word, std::string expected) {
    return Damaged(snapshot_path_, static_cast<uint64_t>(word) * 8, std::move(expected), Number(header[word]),
                   why);
  };
  if (header[0] != log.begin) return no(0, "begin address " + Number(log.begin) + " as in log.meta");
  if (header[1] != log.final_address)
    return no(1, "final address " + Number(log.final_address) + " as in log.meta");
  if (!std::has_single_bit(header[2]) || header[2] < uint64_t{1} << kLeastPageBits ||
      header[2] > uint64_t{1} << kOffsetBits)
    return no(2, "pages of 2^10 to 2^25 bytes");
  const auto bits = static_cast<uint32_t>(std::countr_zero(header[2]));
  if (page_bits != 0 && page_bits != bits)
    return Refuse(Status::kInvalidArgument, snapshot_path_, 16, "pages of 2^" + Number(page_bits) + " bytes",
                  "2^" + Number(bits), why);
  if (header[3] == 0 || header[3] > kMostBufferPages) return no(3, "1 to 2^32 - 1 pages in memory");
  grid_ = Grid(bits);
  snapshot_final_ = header[1];
  snapshot_first_ = Grid::PageOf(header[0]);
  snapshot_end_ = std::max(snapshot_first_, Grid::EndPage(snapshot_final_));
  buffer_pages_ = header[3];
  return Status::kOk;
}

Status LogReader::ReadSnapshotSums(Storage* storage, Warnings* warnings, Diagnosis* why) {
  const uint64_t pages = snapshot_end_ - snapshot_first_;
  const std::string path = snapshot_path_ + std::string(kSumSuffix);
  std::string text;
  bool present = false;
  const Status status = ReadSums(*storage, snapshot_path_, 8 + 16 * pages, &text, &present, warnings, why);
  if (status != Status::kOk || !present) return status;
  std::vector<uint64_t> words(text.size() / 8);
  std::memcpy(words.data(), text.data(), text.size());
  if (words[0] != pages) return Damaged(path, 0, Number(pages) + " pages", Number(words[0]), why);
  sums_.resize(pages);
  std::vector<bool> seen(pages);
  for (uint64_t i = 0; i < pages; ++i) {
    const uint64_t page = words[1 + 2 * i];
    if (page < snapshot_first_ || page >= snapshot_end_ || seen[page - snapshot_first_])
      return Damaged(path, 8 + 16 * i, "a page of the snapshot, each once", Number(page), why);
    seen[page - snapshot_first_] = true;
    sums_[page - snapshot_first_] = words[2 + 2 * i];
  }
  return Status::kOk;
}

Status LogReader::OpenSnapshot(Storage* storage, const LogInfo& log, uint32_t page_bits, Warnings* warnings,
                               Diagnosis* why) {
  constexpr std::string_view kWhat = "a snapshot of the log";
  Status status = storage->Open(snapshot_path_, OpenMode::kRead, &snapshot_);
  uint64_t size = 0, header[4] = {}, end = 0;
  if (status == Status::kOk) status = snapshot_->Size(&size);
  if (status == Status::kOk) status = ReadAll(*snapshot_, 0, header, sizeof header);
  if (status != Status::kOk)
    return FailedIo(status, snapshot_path_, size < sizeof header ? size : 0, kWhat, why);
  if ((status = CheckSnapshotHeader(header, log, page_bits, why)) != Status::kOk) return status;
  const uint64_t bytes = SnapshotOffset(snapshot_end_) + 8;
  if (size != bytes)
    return Damaged(snapshot_path_, std::min(size, bytes),
                   Number(bytes) + " bytes, for " + Number(snapshot_end_ - snapshot_first_) + " pages",
                   Number(size), why);
  status = ReadAll(*snapshot_, bytes - 8, &end, 8);
  if (status != Status::kOk) return FailedIo(status, snapshot_path_, bytes - 8, kWhat, why);
  if (end != kEndOfPages)
    return Damaged(snapshot_path_, bytes - 8, "a word of ones behind the last page", Number(end), why);
  return ReadSnapshotSums(storage, warnings, why);
}

Status LogReader::Open(Storage* storage, const Checkpoint& checkpoint, const Device& device,
                       uint32_t page_bits, Warnings* warnings, Diagnosis* why) {
  begin_ = checkpoint.log.begin;
  final_ = checkpoint.log.final_address;
  device_ = device;
  if (checkpoint.log.snapshot) {
    snapshot_path_ = checkpoint.SnapshotPath();
    const Status status = OpenSnapshot(storage, checkpoint.snapshot_log(), page_bits, warnings, why);
    if (status != Status::kOk) return status;
  } else {
    grid_ = Grid(page_bits != 0 ? page_bits : kUsualPageBits);
  }
  if (!grid_.IsEnd(final_))
    return Damaged(JoinPath(checkpoint.directory, kLogMetaName), 0, "a final address behind a record",
                   Number(final_), why);
  delta_from_ = snapshot_final_;
  if (checkpoint.log.incremental) {
    delta_path_ = JoinPath(checkpoint.directory, kDeltaLogName);
    Status status = ReadDelta(storage, checkpoint, grid_, &parts_, &delta_from_, why);
    if (status != Status::kOk) return status;
    status = storage->Open(delta_path_, OpenMode::kRead, &delta_);
    if (status != Status::kOk) return FailedIo(status, delta_path_, 0, "the entries of a delta", why);
  }
  return CheckDevice(checkpoint, why);
}

// It is needed only if something is read from it.
Status LogReader::CheckDevice(const Checkpoint& checkpoint, Diagnosis* why) const {
  std::string what;
  if (!checkpoint.log.snapshot && end_page() > first_page())
    what = "where a fold-over checkpoint's log is";
  else if (first_page() < snapshot_end_ && !InSnapshot(first_page()))
    what = "where pages are that had no room in memory, " + Number(buffer_pages_) + " of " +
           Number(snapshot_end_ - snapshot_first_) + " had";
  else if (delta_from_ > snapshot_final_)
    what = "where the log up to " + Number(delta_from_) + " is, which the delta leaves out";
  if (what.empty()) return Status::kOk;
  if (device_.storage == nullptr)
    return Refuse(Status::kInvalidArgument, JoinPath(checkpoint.directory, kLogMetaName), 0,
                  "the device's file (--device), " + what, "none", why);
  return CheckDevicePageSize(why);
}

// Behind the records of a full page there is nothing up to the next one, if the page size is right.
Status LogReader::CheckDevicePageSize(Diagnosis* why) const {
  if (end_page() <= first_page() + 1 || grid_.page_bytes() >> kOffsetBits != 0) return Status::kOk;
  const LogAddress behind = Grid::StartOf(first_page()) + grid_.page_bytes();
  uint8_t bytes[kRecordBytes] = {};
  const Status status = ReadDevice(behind, bytes, sizeof bytes, why);
  if (status != Status::kOk || RecordAt(bytes).hole()) return status;
  return Refuse(Status::kInvalidArgument, PathOf(behind), OffsetOf(behind),
                "nothing behind a page of " + Number(grid_.page_bytes()) + " bytes (--their-page-bits)",
                "a record", why);
}

std::string LogReader::PathOf(LogAddress at) const {
  if (PartOf(at) != nullptr) return delta_path_;
  if (at < snapshot_final_ && InSnapshot(Grid::PageOf(at))) return snapshot_path_;
  if (device_.segment_bytes == 0) return device_.path;
  return device_.path + "." + Number(Grid::StartOf(Grid::PageOf(at)) / device_.segment_bytes);
}

uint64_t LogReader::OffsetOf(LogAddress at) const {
  if (const DeltaPart* const part = PartOf(at)) return part->at + (at - part->from);
  if (at < snapshot_final_ && InSnapshot(Grid::PageOf(at)))
    return SnapshotOffset(Grid::PageOf(at)) + 8 + Grid::OffsetOf(at);
  if (device_.segment_bytes == 0) return at;
  return Grid::StartOf(Grid::PageOf(at)) % device_.segment_bytes + Grid::OffsetOf(at);
}

const DeltaPart* LogReader::PartOf(LogAddress at) const {
  auto after = std::upper_bound(parts_.begin(), parts_.end(), at,
                                [](LogAddress a, const DeltaPart& part) { return a < part.from; });
  if (after == parts_.begin()) return nullptr;
  --after;
  return at - after->from < after->length ? &*after : nullptr;
}

// `length` bytes that begin in a page. Their device puts a page that reaches over the end of a segment into
// the segment in which it begins.
Status LogReader::ReadDevice(LogAddress from, uint8_t* bytes, uint64_t length, Diagnosis* why) const {
  const std::string path =
      device_.segment_bytes == 0
          ? device_.path
          : device_.path + "." + Number(Grid::StartOf(Grid::PageOf(from)) / device_.segment_bytes);
  const uint64_t offset =
      device_.segment_bytes == 0
          ? from
          : Grid::StartOf(Grid::PageOf(from)) % device_.segment_bytes + Grid::OffsetOf(from);
  std::unique_ptr<File> file;
  Status status = device_.storage->Open(path, OpenMode::kRead, &file);
  if (status == Status::kNotFound) return Refuse(status, path, 0, "the device's file", "no such file", why);
  if (status == Status::kOk) status = ReadAll(*file, offset, bytes, length);
  if (status == Status::kOk) return status;
  return FailedIo(status, path, offset,
                  "a page of " + Number(grid_.page_bytes()) + " bytes of the log (--their-page-bits)", why);
}

Status LogReader::ReadSnapshotPage(uint64_t page, uint8_t* bytes, bool* covered, Diagnosis* why) const {
  const uint64_t at = SnapshotOffset(page);
  uint64_t number = 0;
  Status status = ReadAll(*snapshot_, at, &number, 8);
  if (status == Status::kOk) status = ReadAll(*snapshot_, at + 8, bytes, grid_.page_bytes());
  if (status != Status::kOk) return FailedIo(status, snapshot_path_, at, "a page of the log", why);
  if (number != page) return Damaged(snapshot_path_, at, "page " + Number(page), Number(number), why);
  *covered = !sums_.empty();
  if (!*covered) return Status::kOk;
  const uint64_t sum = XorSum(bytes, grid_.page_bytes()), stored = sums_[page - snapshot_first_];
  if (sum == stored) return Status::kOk;
  return Damaged(snapshot_path_, at + 8,
                 "page " + Number(page) + " of sum " + HexWord(stored) + ", as its .crc says", HexWord(sum),
                 why);
}

// What the delta has of the page.
Status LogReader::ReadPart(uint64_t page, uint8_t* bytes, Diagnosis* why) const {
  const DeltaPart* const part = PartOf(std::max(delta_from_, Grid::StartOf(page)));
  if (part == nullptr || Grid::PageOf(part->from) != page) return Status::kOk;
  const Status status = ReadAll(*delta_, part->at, bytes + Grid::OffsetOf(part->from), part->length);
  return status == Status::kOk ? status : FailedIo(status, delta_path_, part->at, "a part of a page", why);
}

Status LogReader::ReadPage(uint64_t page, uint8_t* bytes, bool* covered, Diagnosis* why) const {
  Status status = Status::kOk;
  *covered = true;
  if (InSnapshot(page)) {
    status = ReadSnapshotPage(page, bytes, covered, why);
  } else if (snapshot_ == nullptr || page < snapshot_end_) {
    *covered = false;
    status = ReadDevice(Grid::StartOf(page), bytes, grid_.page_bytes(), why);
  }
  if (status != Status::kOk || delta_ == nullptr) return status;
  const LogAddress from = std::max(snapshot_final_, Grid::StartOf(page));
  const LogAddress to = std::min(delta_from_, Grid::StartOf(page) + grid_.page_bytes());
  if (from < to) {
    *covered = false;
    status = ReadDevice(from, bytes + Grid::OffsetOf(from), to - from, why);
  }
  return status == Status::kOk ? ReadPart(page, bytes, why) : status;
}

}  // namespace faster::oxifaster
