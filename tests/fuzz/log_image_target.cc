// log.snapshot (FUZZ_DELTA 0) or delta.0.log (FUZZ_DELTA 1) of a chain of one: as it is it passes only if it
// holds the blocks of the checkpoint; with checksums that fit, and metadata that says what it says, it is
// read or refused.
#include <cstring>
#include <vector>

#include "faster/cpr/log_image.h"
#include "tests/fuzz/references.h"
#include "tests/fuzz/seal.h"
#include "tests/fuzz/target.h"

namespace {

using namespace faster;
using fuzz::kBlock;

// Everything that the image holds, read page by page; or an error that names a file.
Status ReadBack(const damage::Image& image, const LogMetadata& log, std::string* blocks) {
  damage::ImageStorage storage(image);
  LogImage parts;
  Diagnosis why;
  Status status = parts.Open(&storage, "", &log, &why);
  constexpr LogAddress kPage = 512;
  std::vector<uint64_t> page(kPage / 8);
  for (LogAddress from = log.flushed_until; status == Status::kOk && from < log.final_address;) {
    const LogAddress to = std::min((from & ~(kPage - 1)) + kPage, log.final_address);
    page.assign((to - from) / 8, 0);  // so that a sanitizer sees every byte too many
    status = parts.Read(from, to, reinterpret_cast<uint8_t*>(page.data()), &why);
    if (status == Status::kOk) blocks->append(reinterpret_cast<const char*>(page.data()), to - from);
    from = to;
  }
  if (status != Status::kOk) fuzz::RequireNamed(why, "log");
  return status;
}

uint64_t WordAt(const std::string& bytes, size_t at) {
  uint64_t word = 0;
  std::memcpy(&word, bytes.data() + at, 8);
  return word;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::ImageReference reference(FUZZ_DELTA);
  std::string bytes = fuzz::Text(data, size), blocks;
  damage::Image image = reference.image;
  image[reference.path] = std::make_shared<const std::string>(bytes);
  if (ReadBack(image, reference.log, &blocks) == Status::kOk)
    fuzz::Require(blocks == reference.blocks, "no other blocks pass for those of the checkpoint");
  // The same with checksums that fit, and once more with metadata that believes it all.
  LogMetadata log = reference.log;
  uint64_t header_sum = log.delta.header_checksum;
  FUZZ_DELTA ? damage::SealDelta(&bytes, &header_sum) : damage::SealSnapshot(&bytes);
  log.delta.header_checksum = header_sum;
  image[reference.path] = std::make_shared<const std::string>(bytes);
  static_cast<void>(ReadBack(image, log, &blocks));
  if (bytes.size() < kDeltaHeaderBytes) return 0;
  log.flushed_until = WordAt(bytes, FUZZ_DELTA ? 64 : 32);
  log.final_address = WordAt(bytes, FUZZ_DELTA ? 72 : 40);
  log.delta.entries = WordAt(bytes, 104);
  // As far as log.meta would be believed.
  if (log.final_address >= kAddressLimit || log.flushed_until > log.final_address ||
      log.final_address % kBlock != 0 || log.flushed_until % kBlock != 0)
    return 0;
  static_cast<void>(ReadBack(image, log, &blocks));
  return 0;
}
