// delta.0.log of oxifaster: what was appended to the log since the snapshot that a delta continues.
//
//   entry    u64 sum, i32 length, i32 type (0: part of a page, 1: metadata), then `length` bytes. The sum is
//            the XOR of the words from the length on
//   part     u64 page, u32 offset in it, u32 length, bytes
//
// Entries begin at multiples of 512 bytes and lie in one page of 4 MiB each; a length of 0 is the end of a
// page. The parts are those of [A, final) in order, one a page, where A is the final address of the base or,
// if more of the log was on the device by then, the address up to which it was.
//
// Blocking; one thread. ERRORS: kCorruption. COST: the file is read once; a word or two a part.
#pragma once

#include <vector>

#include "faster/device/storage.h"
#include "faster/interop/oxifaster_checkpoint.h"
#include "faster/interop/oxifaster_format.h"

namespace faster::oxifaster {

struct DeltaPart {
  LogAddress from = 0;
  uint64_t length = 0;
  uint64_t at = 0;  // offset of the bytes in the file
};

// The parts, ascending, verified: they are all of [*from, final) but the ends of pages.
Status ReadDelta(Storage* storage, const Checkpoint& checkpoint, const Grid& grid,
                 std::vector<DeltaPart>* parts, LogAddress* from, Diagnosis* why);

}  // namespace faster::oxifaster
