// What the device below a folder and the machine can do: room, and how long plain sequential transfers take.
//
// The yardstick of a checkpoint is a new file written in order by one thread in 4 MiB pieces of bytes that do
// not compress, past the page cache where that is possible, until fdatasync returns. The
// yardstick of a recovery is the same files read in order by one thread without looking at them; Drop()
// before that makes the device give them, as far as the kernel lets go of its pages. Blocking.
#pragma once

#include <cstdint>
#include <string>

namespace experiments::bench {

uint64_t FreeBytes(const std::string& folder);  // for an ordinary user; 0 if it cannot be told
uint64_t AvailableMemory();                     // bytes that could be used without swapping
uint64_t ResidentBytes();                       // of this process

// False: *error says why, or is empty if it was interrupted. The file goes again.
bool TimeSequentialWrite(const std::string& folder, uint64_t bytes, double* seconds, std::string* error);

struct Transfer {
  uint64_t bytes = 0;
  double seconds = 0;
};
// Reads all regular files below `folder`.
bool TimeSequentialRead(const std::string& folder, Transfer* transfer, std::string* error);
// Writes out what is dirty and asks the kernel to forget the pages of the files below `folder`.
bool Drop(const std::string& folder, std::string* error);

// Waits until the file system of `folder` has nothing left to write, so that the next measurement does not
// pay for the last one.
void Settle(const std::string& folder);

}  // namespace experiments::bench
