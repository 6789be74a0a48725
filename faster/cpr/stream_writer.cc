#include "faster/cpr/stream_writer.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

namespace faster {

void StreamWriter::Free::operator()(uint8_t* memory) const { std::free(memory); }

StreamWriter::StreamWriter(File* file, uint64_t expected)
    : file_(file), piece_bytes_(std::clamp(std::bit_ceil(expected / kPieces + 1), kAlignment, kMostPiece)) {
  memory_.reset(static_cast<uint8_t*>(std::aligned_alloc(kAlignment, kPieces * piece_bytes_)));
  if (memory_ == nullptr) status_ = Status::kOutOfMemory;
  for (int i = 0; i < kPieces; ++i) {
    pieces_[i].writer = this;
    pieces_[i].memory = memory_.get() + static_cast<uint64_t>(i) * piece_bytes_;
  }
}

StreamWriter::~StreamWriter() { (void)WaitForAll(); }  // Finish() says how it went

Status StreamWriter::WaitForAll() {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [this] {
    return std::none_of(pieces_, pieces_ + kPieces, [](const Piece& piece) { return piece.under_way; });
  });
  return status_;
}

Status StreamWriter::Append(const void* data, uint64_t bytes) {
  const uint8_t* from = static_cast<const uint8_t*>(data);
  while (bytes != 0) {
    if (filled_ == 0 && !TakeTurn()) break;
    const uint64_t part = std::min(bytes, piece_bytes_ - filled_);
    std::memcpy(pieces_[current_].memory + filled_, from, part);
    filled_ += part;
    bytes_ += part;
    from += part;
    bytes -= part;
    if (filled_ == piece_bytes_) Submit();
  }
  std::lock_guard lock(mutex_);
  return status_;
}

Status StreamWriter::Finish() {
  if (filled_ != 0) Submit();
  return WaitForAll();
}

bool StreamWriter::TakeTurn() {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [this] { return !pieces_[current_].under_way; });
  return status_ == Status::kOk;
}

void StreamWriter::Submit() {
  Piece& piece = pieces_[current_];
  piece.offset = bytes_ - filled_;
  piece.done = 0;
  piece.length = filled_;
  {
    std::lock_guard lock(mutex_);
    piece.under_way = true;
  }
  WriteRest(&piece);
  current_ = (current_ + 1) % kPieces;
  filled_ = 0;
}

void StreamWriter::WriteRest(Piece* piece) {
  file_->WriteAsync(piece->offset + piece->done, piece->memory + piece->done, piece->length - piece->done,
                    &StreamWriter::OnWritten, piece);
}

// Notified with the lock held: the writer may be gone as soon as it is given up.
void StreamWriter::OnWritten(void* context, Status status, uint64_t bytes) {
  Piece* const piece = static_cast<Piece*>(context);
  StreamWriter* const writer = piece->writer;
  const uint64_t left = piece->length - piece->done;
  if (status == Status::kOk && bytes != 0 && bytes < left) {
    piece->done += bytes;
    return writer->WriteRest(piece);
  }
  if (status == Status::kOk && bytes != left) status = Status::kShortIo;
  std::lock_guard lock(writer->mutex_);
  piece->under_way = false;
  if (writer->status_ == Status::kOk) writer->status_ = status;
  writer->written_.notify_one();
}

}  // namespace faster
