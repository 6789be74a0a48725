// Writes the first inputs of the fuzz targets into FOLDER: files of real checkpoints.
//   fuzz_corpus FOLDER
// One file per kind of checkpoint and name; what is there is replaced. Exit status 2: it cannot be written.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "faults/oracle/history_json.h"
#include "faults/sched/tape.h"
#include "tests/fuzz/microsoft_reference.h"
#include "tests/fuzz/oxifaster_reference.h"
#include "tests/fuzz/references.h"
#include "tests/fuzz/subject.h"
#include "tests/oracle/history_builder.h"

namespace {

namespace fs = std::filesystem;

bool Write(const fs::path& file, const std::string& bytes) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  std::ofstream out(file, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (out) return true;
  std::fprintf(stderr, "%s: cannot be written\n", file.c_str());
  return false;
}

std::string Plain(std::string name) {
  for (char& c : name) c = c == ',' || c == ' ' || c == '/' ? '-' : c;
  return name;
}

std::string History() {
  faults_test::HistoryBuilder b(2);
  b.Put(0, 1, ~0ull, 10, 20);
  b.Rmw(1, 1, 3, ~0ull, 21, faults_test::kNever);
  b.Get(1, ~0ull, 0, 22, 23);
  b.Delete(0, 1, 24, 25, false);
  b.history.phases = {"Rest", "Prepare"};
  const faster::Token k = b.Checkpoint(30, 40, {2, 2});
  b.Told(0, k, 2, 41);
  b.Recover(50, k, {2, 2}, {{1, 5}});
  b.End({{1, 5}});
  std::ostringstream out;
  faults::WriteHistory(b.history, &out);
  return out.str();
}

std::string Tape() {
  const fs::path path = fs::temp_directory_path() / ("tape." + std::to_string(getpid()));
  faults::Tape tape;
  tape.header = faults::MakeTapeHeader({}, 7, "commit", "label");
  for (uint32_t i = 1; i < 4; ++i) tape.entries.push_back({i * 5, 0, 0, 4, i});
  std::string error;
  fuzz::Require(faults::SaveTape(path, tape, &error), "a tape: " + error);
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  fs::remove(path);
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_corpus FOLDER\n");
    return 2;
  }
  const fs::path root = argv[1];
  const std::map<std::string, std::string> targets = {
      {"index.meta", "index_meta"}, {"log.meta", "log_meta"},   {"delta.meta", "delta_meta"},
      {"pair.meta", "pair_meta"},   {"abandoned", "abandoned"}, {"incremental.info", "incremental_info"}};
  bool ok = true;
  for (const auto& subject : damage::MakeSubjects(1)) {
    for (const auto& [path, bytes] : subject->image()) {
      if (bytes == nullptr) continue;
      const auto target = targets.find(fs::path(path).filename().string());
      if (target != targets.end()) ok = Write(root / target->second / Plain(subject->name()), *bytes) && ok;
      if (path == "log.0" && subject->name().find("log/foldover") != std::string::npos)
        ok = Write(root / "records" / "fixed", bytes->substr(0, 128)) && ok;
      if (path == "log.0" && subject->name() == "variable, full/foldover")
        ok = Write(root / "records" / "variable", bytes->substr(0, 128)) && ok;
    }
  }
  ok = Write(root / "index_data" / "whole", fuzz::IndexReference().bytes) && ok;
  for (const bool delta : {false, true}) {
    const fuzz::ImageReference reference(delta);
    ok =
        Write(root / (delta ? "delta_log" : "log_snapshot") / "whole", *reference.image.at(reference.path)) &&
        ok;
  }
  fuzz::OxifasterReference oxifaster;
  for (const auto& [target, kind, file] : fuzz::kOxifasterFiles) {
    std::string bytes;
    faster::Diagnosis why;
    fuzz::Require(faster::ReadWholeFile(oxifaster.storage, oxifaster.Path(kind, file), 1 << 20, &bytes,
                                        &why) == faster::Status::kOk,
                  why.Text());
    ok = Write(root / target / "whole", bytes) && ok;
  }
  fuzz::MicrosoftReference microsoft;
  for (const auto& [target, kind, file] : fuzz::kMicrosoftFiles) {
    const std::string bytes = microsoft.Bytes(microsoft.Path(kind, file));
    // Bucket 5 as it is, at its place.
    const std::string input =
        fuzz::IsPatched(target) ? std::string("\x40\x01\0\0", 4) + bytes.substr(320, 64) : bytes;
    ok = Write(root / target / "whole", input) && ok;
  }
  ok = Write(root / "tape" / "whole", Tape()) && ok;
  ok = Write(root / "history" / "whole", History()) && ok;
  return ok ? 0 : 2;
}
