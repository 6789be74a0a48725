// The files of a checkpoint of Microsoft's, one target per file: kTargetRow is a row of kMicrosoftFiles; the
// other files are whole. An import is refused with a file named and nothing left, or makes a store whose
// records are read. (What passes may be wrong: their files have no checksums.)
#include <cstring>

#include "faster/interop/microsoft_import.h"
#include "faster/interop/native_reader.h"
#include "tests/fuzz/microsoft_reference.h"
#include "tests/fuzz/target.h"

namespace {

using namespace faster;

void Replace(Storage* storage, const std::string& path, const std::string& bytes) {
  std::unique_ptr<File> file;
  fuzz::Require(storage->Open(path, OpenMode::kTruncate, &file) == Status::kOk, "a file to write");
  fuzz::Require(WriteAll(*file, 0, bytes.data(), bytes.size()) == Status::kOk, "a written file");
}

// Four bytes say where the others stand; the highest bit cuts the file off behind them.
std::string Patched(std::string whole, const std::string& input) {
  uint32_t word = 0;
  std::memcpy(&word, input.data(), std::min<size_t>(input.size(), 4));
  const std::string bytes = input.size() > 4 ? input.substr(4) : "";
  const size_t at = (word & 0x7fffffff) % whole.size();
  const size_t length = std::min(bytes.size(), whole.size() - at);
  whole.replace(at, length, bytes, 0, length);
  if (word >> 31 != 0) whole.resize(at + length);
  return whole;
}

// Whether the import passed.
bool Take(fuzz::MicrosoftReference* reference, const std::string& kind) {
  MemoryStorage target;
  microsoft::ImportOptions options;
  options.geometry = fuzz::MicrosoftReference::Geometry();
  options.hash = microsoft::NativeHashOfKey;
  options.config = fuzz::MicrosoftReference::NativeConfig("");
  options.config.index_buckets = 0;
  microsoft::ImportResult result;
  Diagnosis why;
  const Status status = microsoft::Import(&reference->storage, kind, &target, options, &result, &why);
  if (status == Status::kOk) {
    NativeReader reader;
    uint64_t records = 0;
    const auto count = [&](uint64_t, uint64_t, bool) { return ++records, Status::kOk; };
    fuzz::Require(reader.Open(&target, "", std::nullopt, &why) == Status::kOk,
                  "the new store: " + why.Text());
    fuzz::Require(reader.ForEach({}, count, &why) == Status::kOk, "its records: " + why.Text());
    fuzz::Require(records == result.records, "as many records as were written");
    return true;
  }
  fuzz::Require(!why.expected.empty() && !why.file.empty(), "an error names a file: " + why.Text());
  std::vector<std::string> names;
  fuzz::Require(target.List("", &names) == Status::kOk && (names.empty() || names[0] == "LOCK"),
                "nothing is left of an import that failed");
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto& [target, kind, file] = fuzz::kMicrosoftFiles[fuzz::kTargetRow];
  static fuzz::MicrosoftReference reference;
  static const std::string path = reference.Path(kind, file), whole = reference.Bytes(path);
  static const bool sound = Take(&reference, kind);
  fuzz::Require(sound, "the whole checkpoint is imported");
  const std::string input = fuzz::Text(data, size);
  Replace(&reference.storage, path, fuzz::IsPatched(target) ? Patched(whole, input) : input);
  Take(&reference, kind);
  return 0;
}
