// index.meta, log.meta, delta.meta, incremental.info, pair.meta: one target per record, FUZZ_RECORD. Takes
// the bytes as they are, and once more with a checksum that fits.
#include "faster/cpr/metadata_json.h"
#include "tests/fuzz/seal.h"
#include "tests/fuzz/target.h"

namespace {

using Record = faster::FUZZ_RECORD;
using faster::Status;

void Take(const std::string& text) {
  Record record;
  faster::Diagnosis why;
  const Status status = faster::ParseMetadata(text, "the file", &record, &why);
  if (status != Status::kOk) {
    fuzz::RequireNamed(why, "the file");
    fuzz::Require(why.offset <= text.size(), "the offset lies in the file");
    return;
  }
  // What is believed may be written, and says the same when it is read again.
  fuzz::Require(faster::ValidateMetadata(record, &why) == Status::kOk, "what was parsed is valid");
  const std::string written = faster::FormatMetadata(record);
  Record again;
  fuzz::Require(faster::ParseMetadata(written, "again", &again, &why) == Status::kOk,
                "what was written is read: " + why.Text());
  fuzz::Require(faster::FormatMetadata(again) == written, "writing and reading lose nothing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text = fuzz::Text(data, size);
  Take(text);
  damage::SealText(&text);
  Take(text);
  return 0;
}
