// The files of a checkpoint of oxifaster, one target per file: kTargetRow is a row of kOxifasterFiles; the
// other files are whole. As they are, and with a sum that fits. An import is refused with a file named and
// nothing left, or makes a store whose records are read. (What passes may be wrong: two flips can cancel in
// an XOR.)
#include "faster/interop/native_reader.h"
#include "faster/interop/oxifaster_import.h"
#include "tests/fuzz/oxifaster_reference.h"
#include "tests/fuzz/target.h"

namespace {

using namespace faster;
uint64_t HashOf(uint64_t key) { return key * 0x9e3779b97f4a7c15; }

void Take(fuzz::OxifasterReference* reference, const Token& token) {
  MemoryStorage target;
  oxifaster::ImportOptions options;
  options.token = token;
  options.device = {&reference->storage, "device", 0};
  options.page_bits = 10;
  options.no_rmw = true;
  options.hash = HashOf;
  options.config.index_buckets = 0;
  options.config.page_bits = 12;
  options.config.block_bytes = 512;
  options.config.segment_pages = 4;
  oxifaster::ImportResult result;
  Diagnosis why;
  const Status status = oxifaster::Import(&reference->storage, "", &target, options, &result, &why);
  if (status == Status::kOk) {
    NativeReader reader;
    uint64_t records = 0;
    const auto count = [&](uint64_t, uint64_t, bool) { return ++records, Status::kOk; };
    fuzz::Require(reader.Open(&target, "", std::nullopt, &why) == Status::kOk,
                  "the new store: " + why.Text());
    fuzz::Require(reader.ForEach({}, count, &why) == Status::kOk, "its records: " + why.Text());
    fuzz::Require(records == result.records, "as many records as were written");
    return;
  }
  fuzz::Require(!why.expected.empty() && !why.file.empty(), "an error names a file: " + why.Text());
  std::vector<std::string> names;
  fuzz::Require(target.List("", &names) == Status::kOk && (names.empty() || names[0] == "LOCK"),
                "nothing is left of an import that failed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto& [target, kind, file] = fuzz::kOxifasterFiles[fuzz::kTargetRow];
  static fuzz::OxifasterReference reference;
  const Token token = reference.Of(kind).token;
  const std::string path = reference.Path(kind, file), name = file, crc = path + ".crc";
  const std::string bytes = fuzz::Text(data, size);
  static const std::string crc_bytes = [&] {
    std::string whole;
    Diagnosis why;
    return ReadWholeFile(reference.storage, crc, 1 << 20, &whole, &why) == Status::kOk ? whole : "";
  }();
  using oxifaster::SumBytes, oxifaster::WordAt, oxifaster::WriteBytes;
  WriteBytes(reference.storage, path, bytes);
  if (!crc_bytes.empty()) WriteBytes(reference.storage, crc, crc_bytes);
  Take(&reference, token);
  if (name == "log.snapshot") {  // a sum for each page that the file has room for
    std::string sums = oxifaster::Word(size < 40 ? 0 : (size - 40) / 1032);
    for (size_t at = 32; at + 1032 < size; at += 1032)
      sums += bytes.substr(at, 8) + SumBytes(bytes.substr(at + 8, 1024));
    WriteBytes(reference.storage, crc, sums);
  } else if (name == "delta.0.log" && size >= 16) {  // the sum of the first entry
    const uint64_t length = std::min<uint64_t>(WordAt(bytes, 8) & 0xffffffff, size - 16);
    WriteBytes(reference.storage, path, SumBytes(bytes.substr(8, 8 + length)) + bytes.substr(8));
  } else {
    WriteBytes(reference.storage, crc, SumBytes(bytes));
  }
  Take(&reference, token);
  return 0;
}
