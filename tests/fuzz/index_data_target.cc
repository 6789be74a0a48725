// index.dat: as it is it passes for the file that its metadata describes only if it is that file; with
// checksums that fit, whatever it says of itself, it is read or refused.
#include <cstring>
#include <vector>

#include "tests/fuzz/references.h"
#include "tests/fuzz/seal.h"
#include "tests/fuzz/target.h"

namespace {

using namespace faster;

Status ReadBack(const std::string& bytes, const IndexMetadata& metadata) {
  damage::ImageStorage storage({{"index.dat", std::make_shared<const std::string>(bytes)}});
  std::unique_ptr<File> file;
  fuzz::Require(storage.Open("index.dat", OpenMode::kRead, &file) == Status::kOk, "the file opens");
  IndexDataReader reader(file.get(), "index.dat", metadata);
  Diagnosis why;
  Status status = reader.Open(&why);
  std::vector<uint64_t> words(kIndexBlockWords + 1);
  for (uint64_t block = 0; status == Status::kOk && block < reader.blocks(); ++block) {
    status = reader.ReadBlock(block, words.data(), &why);
    if (status == Status::kOk) reader.Pass(block, words.data());
  }
  if (status == Status::kOk) status = reader.Finish(&why);
  if (status != Status::kOk) fuzz::RequireNamed(why, "index.dat");
  return status;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fuzz::IndexReference reference;
  std::string bytes = fuzz::Text(data, size);
  if (ReadBack(bytes, reference.metadata) == Status::kOk)
    fuzz::Require(bytes == reference.bytes, "no other bytes pass for those of the checkpoint");
  IndexMetadata metadata = reference.metadata;
  damage::SealIndexData(&bytes, &metadata.data_checksum);
  static_cast<void>(ReadBack(bytes, metadata));
  // What index.meta says may lie in the same way.
  if (bytes.size() < kIndexHeaderBytes + kIndexTrailerBytes) return 0;
  std::memcpy(&metadata.token, bytes.data() + 16, 16);
  std::memcpy(&metadata.table_size, bytes.data() + 32, 8);
  std::memcpy(&metadata.overflow_buckets, bytes.data() + bytes.size() - 24, 8);
  Diagnosis why;
  metadata.generation = 1;
  if (ValidateMetadata(metadata, &why) != Status::kOk) return 0;
  metadata.data_bytes = IndexDataBytes(metadata.table_size, metadata.overflow_buckets);
  static_cast<void>(ReadBack(bytes, metadata));
  return 0;
}
