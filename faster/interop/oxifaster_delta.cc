#include "faster/interop/oxifaster_delta.h"

#include "faster/cpr/formats.h"

namespace faster::oxifaster {
namespace {

constexpr uint64_t kHeaderBytes = 16;
constexpr uint64_t kPartBytes = 16;
constexpr uint64_t kDeltaPage = uint64_t{1} << 22;
constexpr uint64_t kSector = 512;
constexpr int32_t kPart = 0;
constexpr int32_t kMetadata = 1;

template <typename T>
T At(const std::string& bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

class DeltaRun {
 public:
  DeltaRun(const Checkpoint& checkpoint, const Grid& grid, std::string path, Diagnosis* why)
      : checkpoint_(checkpoint), grid_(grid), path_(std::move(path)), why_(why) {}

  Status Run(Storage* storage, std::vector<DeltaPart>* parts, LogAddress* from) {
    const uint64_t end = checkpoint_.delta.tail;
    uint64_t size = 0;
    Status status = storage->Open(path_, OpenMode::kRead, &file_);
    if (status == Status::kOk) status = file_->Size(&size);
    if (status != Status::kOk) return FailedIo(status, path_, 0, "the entries of a delta", why_);
    if (size == 0 && end != 0)
      return Damaged(path_, 0, std::to_string(end) + " bytes, as delta.meta says",
                     "0: version 0.1.3 of oxifaster never writes what its delta log buffers", why_);
    if (size < end)
      return Damaged(path_, size, std::to_string(end) + " bytes, as delta.meta says", std::to_string(size),
                     why_);
    next_ = *from = checkpoint_.delta.previous_final;
    uint64_t entries = 0;
    for (uint64_t at = 0; at < end;) {
      uint64_t next = 0;
      if ((status = ReadEntry(at, end, &next)) != Status::kOk) return status;
      if (type_ == kPart && next != 0) {
        if ((status = Take(at, parts, from)) != Status::kOk) return status;
        ++entries;
      }
      at = next != 0 ? next : (at / kDeltaPage + 1) * kDeltaPage;
    }
    if (entries != checkpoint_.delta.entries)
      return Damaged(path_, end, std::to_string(checkpoint_.delta.entries) + " parts of pages",
                     std::to_string(entries), why_);
    if (next_ >= checkpoint_.log.final_address) return Status::kOk;
    return Damaged(path_, end, "the log up to " + std::to_string(checkpoint_.log.final_address),
                   "parts up to " + std::to_string(next_), why_);
  }

 private:
  // The entry at `at`, into payload_ and type_; *next is where the next one is, 0: in the next page.
  Status ReadEntry(uint64_t at, uint64_t end, uint64_t* next) {
    const uint64_t room = std::min(end, (at / kDeltaPage + 1) * kDeltaPage) - at;
    *next = 0;
    if (room < kHeaderBytes) return Status::kOk;
    std::string header(kHeaderBytes, '\0');
    Status status = ReadAll(*file_, at, header.data(), kHeaderBytes);
    if (status != Status::kOk) return FailedIo(status, path_, at, "an entry", why_);
    const auto length = At<int32_t>(header, 8);
    type_ = At<int32_t>(header, 12);
    if (length == 0 && type_ == 0 && At<uint64_t>(header, 0) == 0 && at % kDeltaPage != 0) return Status::kOk;
    if (length <= 0 || static_cast<uint64_t>(length) > room - kHeaderBytes || (type_ & ~kMetadata) != 0)
      return Damaged(path_, at + 8,
                     "an entry of type 0 or 1 of at most " + std::to_string(room - 16) + " bytes",
                     "type " + std::to_string(type_) + ", " + std::to_string(length) + " bytes", why_);
    payload_.resize(static_cast<uint64_t>(length));
    status = ReadAll(*file_, at + kHeaderBytes, payload_.data(), payload_.size());
    if (status != Status::kOk) return FailedIo(status, path_, at, "an entry", why_);
    const uint64_t sum = At<uint64_t>(header, 8) ^ XorSum(payload_.data(), payload_.size());
    if (sum != At<uint64_t>(header, 0))
      return Damaged(path_, at, "sum " + HexWord(sum) + " of the entry", HexWord(At<uint64_t>(header, 0)),
                     why_);
    const uint64_t after = (at + kHeaderBytes + payload_.size() + kSector - 1) / kSector * kSector;
    const bool fits = after / kDeltaPage == at / kDeltaPage && after % kDeltaPage + kHeaderBytes < kDeltaPage;
    *next = fits ? after : (at / kDeltaPage + 1) * kDeltaPage;
    return Status::kOk;
  }

  // The part in payload_ must continue at next_.
  Status Take(uint64_t at, std::vector<DeltaPart>* parts, LogAddress* from) {
    const auto no = [&](std::string expected, std::string found) {
      return Damaged(path_, at + kHeaderBytes, std::move(expected), std::move(found), why_);
    };
    if (payload_.size() < kPartBytes)
      return no("a part of a page", std::to_string(payload_.size()) + " bytes");
    const auto page = At<uint64_t>(payload_, 0);
    const uint64_t offset = At<uint32_t>(payload_, 8), length = At<uint32_t>(payload_, 12);
    if (page >= Grid::PageOf(kAddressEnd) || offset >= grid_.page_bytes() ||
        length > grid_.page_bytes() - offset || length != payload_.size() - kPartBytes || length == 0)
      return no("a part that lies in a page of " + std::to_string(grid_.page_bytes()) + " bytes",
                "page " + std::to_string(page) + " offset " + std::to_string(offset) + " length " +
                    std::to_string(length));
    const LogAddress start = Grid::StartOf(page) + offset;
    const LogAddress end = checkpoint_.log.final_address;
    const uint64_t whole =
        Grid::PageOf(end) == page ? std::min(Grid::OffsetOf(end), grid_.page_bytes()) : grid_.page_bytes();
    if (start < next_ || start >= end || (!parts->empty() && start != next_) || offset + length != whole)
      return no("the part of the log at " + std::to_string(next_), "that at " + std::to_string(start));
    if (parts->empty()) *from = start;
    parts->push_back({start, length, at + kHeaderBytes + kPartBytes});
    next_ = Grid::PageOf(end) == page ? end : Grid::StartOf(page + 1);
    return Status::kOk;
  }

  const Checkpoint& checkpoint_;
  const Grid grid_;
  const std::string path_;
  Diagnosis* const why_;
  std::unique_ptr<File> file_;
  std::string payload_;
  int32_t type_ = 0;
  LogAddress next_ = 0;
};

}  // namespace

Status ReadDelta(Storage* storage, const Checkpoint& checkpoint, const Grid& grid,
                 std::vector<DeltaPart>* parts, LogAddress* from, Diagnosis* why) {
  return DeltaRun(checkpoint, grid, JoinPath(checkpoint.directory, kDeltaLogName), why)
      .Run(storage, parts, from);
}

}  // namespace faster::oxifaster
