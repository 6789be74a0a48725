// Damage of the original's files, which have no checksum: every flip is found or changes nothing, but for
// what cannot be told; truncated and missing files are named.
#include <gtest/gtest.h>

#include <cstring>

#include "faster/interop/microsoft_chains.h"
#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"

namespace faster::microsoft {
namespace {

// The data with one file changed: some of its bytes, or its size.
class Damage : public Storage {
 public:
  explicit Damage(Storage* whole) : whole_(whole) {}
  std::string path;
  uint64_t at = 0;
  std::string bytes;  // from there on
  uint64_t size = ~0ull;
  bool missing = false;

  Status Open(std::string_view name, OpenMode mode, std::unique_ptr<File>* file) override {
    EXPECT_EQ(mode, OpenMode::kRead);
    if (missing && name == path) return Status::kNotFound;
    const Status status = whole_->Open(name, mode, file);
    if (status == Status::kOk && name == path) *file = std::make_unique<DamagedFile>(this, std::move(*file));
    return status;
  }
  Status List(std::string_view directory, std::vector<std::string>* names) override {
    const Status status = whole_->List(directory, names);
    if (missing)
      std::erase_if(*names, [&](const std::string& name) { return JoinPath(directory, name) == path; });
    return status;
  }
  Status CreateDirectory(std::string_view) override { return Status::kIoError; }
  Status Remove(std::string_view) override { return Status::kIoError; }
  Status Rename(std::string_view, std::string_view) override { return Status::kIoError; }
  Status SyncDirectory(std::string_view) override { return Status::kIoError; }
  Status Lock(std::string_view, std::unique_ptr<DirectoryLock>*) override { return Status::kIoError; }
  void Schedule(void (*)(void*), void*) override {}

 private:
  class DamagedFile : public File {
   public:
    DamagedFile(Damage* damage, std::unique_ptr<File> file) : damage_(damage), file_(std::move(file)) {}
    void ReadAsync(uint64_t offset, void* buffer, uint64_t length, IoCallback done, void* context) override {
      uint64_t moved = 0;
      const Status status = Read(offset, buffer, length, &moved);
      done(context, status, moved);
    }
    void WriteAsync(uint64_t, const void*, uint64_t, IoCallback done, void* context) override {
      done(context, Status::kIoError, 0);
    }
    Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* moved) override {
      length = offset >= damage_->size ? 0 : std::min(length, damage_->size - offset);
      const Status status = file_->Read(offset, buffer, length, moved);
      for (uint64_t i = 0; i < damage_->bytes.size(); ++i) {
        const uint64_t to = damage_->at + i;
        if (to >= offset && to < offset + *moved) static_cast<char*>(buffer)[to - offset] = damage_->bytes[i];
      }
      return status;
    }
    Status Write(uint64_t, const void*, uint64_t, uint64_t*) override { return Status::kIoError; }
    Status Sync() override { return Status::kIoError; }
    Status Size(uint64_t* bytes) override {
      const Status status = file_->Size(bytes);
      *bytes = std::min(*bytes, damage_->size);
      return status;
    }
    Status Truncate(uint64_t) override { return Status::kIoError; }

   private:
    Damage* const damage_;
    const std::unique_ptr<File> file_;
  };
  Storage* const whole_;
};

class Damaged : public ::testing::TestWithParam<const char*> {
 protected:
  Damaged() {
    Diagnosis why;
    EXPECT_EQ(ReadCheckpoint(source_, "", {}, {}, &checkpoint_, &why), Status::kOk) << why.Text();
    log_path_ = checkpoint_.log.snapshot ? JoinPath(checkpoint_.log_directory, kSnapshotName) : "log.log0";
  }
  std::string Read(const std::string& path, uint64_t at, uint64_t length) {
    std::unique_ptr<File> file;
    EXPECT_EQ(source_.Open(path, OpenMode::kRead, &file), Status::kOk);
    std::string bytes(length, '\0');
    EXPECT_EQ(ReadFully(*file, at, bytes.data(), length), Status::kOk);
    return bytes;
  }
  uint64_t Word(const std::string& path, uint64_t at) {
    uint64_t word;
    std::memcpy(&word, Read(path, at, 8).data(), 8);
    return word;
  }
  // The import of the damaged data. True if it was refused, with a file to blame and nothing left; else the
  // state and the sessions are the right ones.
  bool Import() {
    MemoryStorage target;
    ImportOptions options = TinyImport();
    options.log_token = checkpoint_.token;
    options.config.block_bytes = 512;
    ImportResult result;
    why_ = {};
    const Status status = microsoft::Import(&damage_, "", &target, options, &result, &why_);
    if (status != Status::kOk) {
      EXPECT_FALSE(why_.file.empty()) << why_.Text();
      std::vector<std::string> names;
      EXPECT_EQ(target.List("", &names), Status::kOk);
      EXPECT_TRUE(HoldsNothing(target, "")) << why_.Text();
      return true;
    }
    same_ = StateOf(target, "") == expected_.state && result.log.sessions == expected_.sessions;
    return false;
  }
  void Flip(const std::string& path, uint64_t at, int bit) {
    damage_.path = path;
    damage_.at = at;
    damage_.bytes = Read(path, at, 1);
    damage_.bytes[0] = static_cast<char>(damage_.bytes[0] ^ 1 << bit);
  }
  // Flips each bit of a file's range in turn, at most about `most` of them. Which were found is returned.
  uint64_t FlipAll(const std::string& path, uint64_t from, uint64_t to, uint64_t most = 400) {
    uint64_t found = 0;
    const uint64_t step = std::max<uint64_t>(1, (to - from) * 8 / most) | 1;
    for (uint64_t bit = from * 8; bit < to * 8; bit += step) {
      Flip(path, bit / 8, static_cast<int>(bit % 8));
      same_ = false;
      if (Import())
        ++found;
      else
        EXPECT_TRUE(same_) << path << " offset " << bit / 8 << " bit " << bit % 8;
    }
    return found;
  }

  PosixStorage source_{std::string(INTEROP_DATA) + "/" + GetParam()};
  Damage damage_{&source_};
  const Expected expected_{GetParam()};
  Checkpoint checkpoint_;
  std::string log_path_;
  Diagnosis why_;
  bool same_ = false;
};
INSTANTIATE_TEST_SUITE_P(Layouts, Damaged, ::testing::Values("fold", "snap"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(Damaged, NothingIsWrongWithTheWholeData) {
  EXPECT_FALSE(Import()) << why_.Text();
  EXPECT_TRUE(same_);
}

// A begin address that hides records cannot be told from one that was moved there.
TEST_P(Damaged, FlipsInTheIndexRecord) {
  EXPECT_GT(FlipAll(JoinPath(checkpoint_.index_directory, kInfoName), 8, 40), 200u);
}

TEST_P(Damaged, FlipsInTheLogRecord) {
  const std::string path = JoinPath(checkpoint_.log_directory, kInfoName);
  EXPECT_GT(FlipAll(path, 4, 12), 60u);
  EXPECT_GT(FlipAll(path, 32, 2336, 300), 30u);
}

TEST_P(Damaged, FlipsInASession) {
  const std::string path = JoinPath(checkpoint_.log_directory, expected_.sessions[1].session.Text() + ".dat");
  EXPECT_GE(FlipAll(path, 8, 28), 160u);
}

TEST_P(Damaged, FlipsInTheTable) {
  const std::string path = JoinPath(checkpoint_.index_directory, kTableName);
  uint64_t found = 0, flips = 0;
  for (uint64_t at = 0, used = 0; at < checkpoint_.index.table_bytes; at += 8) {
    if (Word(path, at) == 0 || ++used % 8 != 0) continue;
    found += FlipAll(path, at, at + 8, 16);
    flips += 16;
  }
  EXPECT_GT(flips, 500u);
  EXPECT_GT(found * 10, flips * 7);  // the rest: entries that the replay sets, and the unused bit
}

TEST_P(Damaged, FlipsInHeadersAndKeysOfTheLog) {
  uint64_t found = 0, flips = 0;
  const Grid grid(25);
  for (uint64_t slot = 0; grid.AddressOf(0, slot) < checkpoint_.index.start; slot += 7) {
    const uint64_t at = grid.AddressOf(0, slot);
    for (const int bit : {0, 5, 11, 47, 48, 60, 61, 63, 64, 70, 100, 127}) {
      Flip(log_path_, at + static_cast<uint64_t>(bit) / 8, bit % 8);
      same_ = false;
      // An older version's header cannot be told from a younger one's.
      if (Import())
        ++found;
      else
        EXPECT_TRUE(same_) << "record at " << at << " bit " << bit;
      ++flips;
    }
  }
  EXPECT_GT(flips, 500u);
  EXPECT_GT(found * 10, flips * 6);
}

TEST_P(Damaged, ALostBlockIsFound) {
  const std::string table = JoinPath(checkpoint_.index_directory, kTableName);
  for (const auto& [path, bytes] : {std::pair(table, checkpoint_.index.table_bytes),
                                    std::pair(log_path_, checkpoint_.log.final_address)}) {
    const uint64_t step = bytes > 65536 ? 16384 : 4096;
    for (uint64_t at = 0; at < bytes; at += step) {
      damage_.path = path;
      damage_.at = at;
      damage_.bytes = std::string(4096, '\0');
      same_ = false;
      // So few empty slots at the end may be allocations that were given up.
      if (path == log_path_ && at + kMaxSessions * kRecordBytes >= bytes) continue;
      if (!Import())
        EXPECT_TRUE(same_) << path << " " << at;
      else
        EXPECT_TRUE(why_.file == path || why_.file == log_path_) << why_.Text();
      if (at == 0) {
        EXPECT_FALSE(why_.file.empty()) << path;
      }
    }
  }
}

TEST_P(Damaged, TruncatedAndMissingFilesAreNamed) {
  std::vector<std::pair<std::string, uint64_t>> files = {
      {log_path_, checkpoint_.log.final_address},
      {JoinPath(checkpoint_.index_directory, kTableName), checkpoint_.index.table_bytes},
      {JoinPath(checkpoint_.index_directory, kOverflowName), checkpoint_.index.overflow_bytes},
      {JoinPath(checkpoint_.index_directory, kInfoName), kIndexInfoBytes},
      {JoinPath(checkpoint_.log_directory, kInfoName), kLogInfoBytes},
      {JoinPath(checkpoint_.log_directory, expected_.sessions[2].session.Text() + ".dat"),
       kSessionInfoBytes}};
  for (const auto& [path, needed] : files) {
    damage_.path = path;
    for (const uint64_t size : {uint64_t{0}, needed / 2, needed - 1}) {
      damage_.size = size;
      EXPECT_TRUE(Import()) << path << " " << size;
      EXPECT_EQ(why_.file, path) << why_.Text();
    }
    damage_.size = ~0ull;
    damage_.missing = true;
    EXPECT_TRUE(Import()) << path;
    EXPECT_EQ(why_.file, path) << why_.Text();
    damage_.missing = false;
  }
}

}  // namespace
}  // namespace faster::microsoft
