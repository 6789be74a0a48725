// StreamWriter: appends bytes to a file that is written once from front to back, without waiting for the
// device until it must.
//
// The bytes are gathered in pieces whose memory, offset and length suit a transfer past the page cache; only
// the last piece may be shorter. A few pieces are under way at a time, so the caller computes the next while
// the device writes the ones before.
//
// One thread. `file` is empty, is written by nobody else and outlives the writer. What was appended is
// complete (in the sense of storage.h: not durable yet) when Finish() has returned kOk. A write that moves
// only a part is continued; one that moves nothing is kShortIo. An error is returned by every later call.
// Destructor: waits for what is under way.
// COST: one copy of the bytes; kPieces pieces of memory, of at most kMostPiece bytes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "faster/core/status.h"
#include "faster/device/storage.h"

namespace faster {

class StreamWriter {
 public:
  static constexpr uint64_t kAlignment = 4096;
  static constexpr uint64_t kMostPiece = uint64_t{1} << 22;
  static constexpr int kPieces = 4;

  // `expected` bytes in all, a guess: a small file gets small pieces.
  StreamWriter(File* file, uint64_t expected);
  ~StreamWriter();
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;

  Status Append(const void* data, uint64_t bytes);
  Status Finish();
  uint64_t bytes() const { return bytes_; }  // appended so far

 private:
  struct Piece {
    StreamWriter* writer = nullptr;
    uint8_t* memory = nullptr;
    uint64_t offset = 0;     // in the file, of memory
    uint64_t done = 0;       // bytes written
    uint64_t length = 0;     // of `length`
    bool under_way = false;  // guarded by mutex_
  };
  struct Free {
    void operator()(uint8_t* memory) const;
  };
  void Submit();  // the current piece; the next one becomes current
  bool TakeTurn();  // waits until the current piece may be filled
  void WriteRest(Piece* piece);
  Status WaitForAll();
  static void OnWritten(void* piece, Status status, uint64_t bytes);

  File* const file_;
  const uint64_t piece_bytes_;
  std::unique_ptr<uint8_t, Free> memory_;
  Piece pieces_[kPieces];
  int current_ = 0;
  uint64_t filled_ = 0;  // bytes in the current piece
  uint64_t bytes_ = 0;
  std::mutex mutex_;
  std::condition_variable written_;
  Status status_ = Status::kOk;  // guarded by mutex_
};

}  // namespace faster
