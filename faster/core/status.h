// Status: the outcome of every operation, I/O and checkpoint step of the engine.
//
// One byte, returned by value, never thrown. An error that a person must act on (recovery, opening a
// store) comes with a `Diagnosis` that says which file, which offset, what was expected and what was
// found. Thread-safe: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace faster {

enum class [[nodiscard]] Status : uint8_t{
    kOk = 0,
    kPending,          // the operation waits for I/O or for another version; CompletePending() ends it
    kNotFound,         // key or file is not there
    kAborted,          // the operation had no effect and may be tried again
    kBusy,             // another checkpoint runs, or another process owns the store
    kIoError,          // the device answered with an error (EIO)
    kNoSpace,          // the device is full (ENOSPC)
    kShortIo,          // fewer bytes than asked for, without an error
    kCorruption,       // bytes from disk do not have the form or the checksum they must have
    kInvalidArgument,  // the caller's configuration or argument cannot work
    kOutOfMemory,
    kExists,  // a name that must be new is taken
    kUnsupported,
    kTooLarge,  // key and value do not fit into a block of the log; no effect (faster/core/layout.h)
};

// An operation that ends so could not be executed, through no fault of its own: it has no effect, and says
// nothing about its key. (kExists and kTooLarge are answers that the store's state gives.)
constexpr bool IsFailure(Status status) {
  return status != Status::kOk && status != Status::kPending && status != Status::kNotFound &&
         status != Status::kExists && status != Status::kTooLarge;
}

constexpr std::string_view StatusName(Status status) {
  constexpr std::string_view kNames[] = {
      "ok",        "pending",    "not found",        "aborted",       "busy",   "I/O error",   "no space",
      "short I/O", "corruption", "invalid argument", "out of memory", "exists", "unsupported", "too large"};
  return kNames[static_cast<uint8_t>(status)];
}

// Why something that involves files failed; `Text()` is the one line a user reads.
struct Diagnosis {
  std::string file;     // path relative to the store's root; empty if no file is to blame
  uint64_t offset = 0;  // bytes from the start of `file`
  std::string expected;
  std::string found;

  std::string Text() const {
    std::string text = file.empty() ? std::string() : file + " at offset " + std::to_string(offset) + ": ";
    text += "expected " + expected;
    if (!found.empty()) text += ", found " + found;
    return text;
  }
};

}  // namespace faster
