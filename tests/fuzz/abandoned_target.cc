// `abandoned`: a list is believed only if it is written the same again.
#include "faster/cpr/abandoned.h"
#include "tests/fuzz/image.h"
#include "tests/fuzz/seal.h"
#include "tests/fuzz/target.h"

namespace {

using namespace faster;

void Take(const std::string& bytes) {
  damage::ImageStorage storage({{"abandoned", std::make_shared<const std::string>(bytes)}});
  std::vector<Token> tokens;
  Diagnosis why;
  if (const Status status = ReadAbandoned(storage, "", &tokens, &why); status != Status::kOk)
    return fuzz::RequireNamed(why, "abandoned");
  fuzz::Require(WriteAbandoned(storage, "", tokens, &why) == Status::kOk, "the list can be written");
  fuzz::Require(*storage.Contents().at("abandoned") == bytes, "and is the same then");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes = fuzz::Text(data, size);
  Take(bytes);
  damage::SealAbandoned(&bytes);
  Take(bytes);
  return 0;
}
