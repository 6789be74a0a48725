// What the other tests here rely on: the judge sees each thing that a recovery must not do, a subject sees
// state that is not the one of its checkpoint, and seal.h computes the checksums of the engine.
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "faster/core/record.h"
#include "tests/fuzz/mutation.h"
#include "tests/fuzz/seal.h"

namespace damage {
namespace {

// A real directory whose recovery ends as it is told to.
class Told final : public Subject {
 public:
  Told() {
    const auto real = MakeSubject("full/foldover", 1);
    image_ = real->image();
    committed_ = real->committed();
    outcome.token = committed_.back().token;
  }
  Outcome Recover(faster::Storage* storage, const std::optional<faster::Token>& token, Depth) const override {
    std::unique_ptr<faster::File> file;
    if (writes) EXPECT_EQ(storage->Open("log.0", faster::OpenMode::kTruncate, &file), faster::Status::kOk);
    Outcome told = outcome;
    if (token) told.token = *token;
    return told;
  }
  std::string Problem(const Damaged& damaged, bool by_name = false) const {
    return Judge(*this, damaged, Depth::kRead, by_name).problem;
  }

  Outcome outcome;
  bool writes = false;
};

class Judged : public ::testing::Test {
 protected:
  // The last byte of the log, which is in no checkpoint's metadata.
  Damaged Flip(const std::string& path) const {
    const std::vector<std::string> files = FilesOf(told_.image());
    const auto file = static_cast<uint32_t>(std::find(files.begin(), files.end(), path) - files.begin());
    return Apply(told_.image(), {{Mutation::What::kFlip, false, file, 0, 64, 0, 0}});
  }
  void Ends(Ending ending, const std::string& file = "") {
    told_.outcome.ending = ending;
    told_.outcome.why.file = file;
  }
  void ExpectProblem(const Damaged& damaged, const std::string& says, bool by_name = false) {
    const std::string problem = told_.Problem(damaged, by_name);
    EXPECT_NE(problem.find(says), std::string::npos) << says << " is not what it says: " << problem;
  }

  Told told_;
};

TEST_F(Judged, WhatMayBe) {
  Ends(Ending::kRight);
  EXPECT_EQ(told_.Problem(Flip("log.0")), "");
  Ends(Ending::kReadErrors);
  EXPECT_EQ(told_.Problem(Flip("log.0")), "");
  Ends(Ending::kRefused, "log.0");
  EXPECT_EQ(told_.Problem(Flip("log.0")), "");
}

TEST_F(Judged, RefusalsThatMayNotBe) {
  Ends(Ending::kRefused, "log.1");
  ExpectProblem(Flip("log.0"), "names another file");
  Ends(Ending::kRefused, "log.0");
  EXPECT_NE(told_.Problem(Apply(told_.image(), {})), "");
  told_.writes = true;
  ExpectProblem(Flip("log.0"), "a refusal changed files");
}

TEST_F(Judged, RecoveriesThatMayNotBe) {
  Ends(Ending::kReadErrors);
  ExpectProblem(Apply(told_.image(), {}), "without damage");
  Ends(Ending::kNone);
  ExpectProblem(Flip("log.0"), "lost in silence");
  Ends(Ending::kRight);
  told_.outcome.token = told_.committed().front().token;
  ExpectProblem(Flip("log.0"), "an older checkpoint");
  Ends(Ending::kViolation);
  told_.outcome.problem = "key 7 is lost";
  ExpectProblem(Flip("log.0"), "key 7 is lost");
}

TEST_F(Judged, ValidationsThatMayNotBe) {
  Damaged damaged = Apply(told_.image(), {});
  damaged.changed = {"log.0"};  // of which validation sees nothing
  Ends(Ending::kReadErrors);
  ExpectProblem(damaged, "sound, but found when read", true);
  Ends(Ending::kRight);
  const std::string index = told_.committed().back().token.Text() + "/index.dat";
  damaged = Flip(index);
  EXPECT_EQ(told_.Problem(damaged, true), "");
  damaged.changed = {"log.0"};
  ExpectProblem(damaged, "the first finding names another file", true);
}

// Every word of a log with a bit changed behind a good checksum: keys, values and headers.
TEST(Lies, AreSeenInWhatIsReadBack) {
  const auto subject = MakeSubject("log/foldover", 1);
  constexpr std::string_view kProblems[] = {" is lost", " has another value", " should be absent"};
  std::set<std::string_view> seen;
  for (const std::string& path : FilesOf(subject->image())) {
    if (!path.starts_with("log.")) continue;
    for (size_t at = 0; at < subject->image().at(path)->size(); at += 8) {
      for (const uint64_t bits : {uint64_t{1}, faster::RecordHeader::kTombstone}) {
        std::string bytes = *subject->image().at(path);
        uint64_t word;
        std::memcpy(&word, bytes.data() + at, 8);
        word ^= bits;
        std::memcpy(bytes.data() + at, &word, 8);
        Image image = subject->image();
        image[path] = std::make_shared<const std::string>(std::move(bytes));
        Reseal(&image, path);
        ImageStorage storage(image);
        const Outcome outcome = subject->Recover(&storage, {}, Depth::kRead);
        for (const std::string_view problem : kProblems) {
          if (outcome.problem.ends_with(problem)) seen.insert(problem);
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), std::size(kProblems));
}

TEST(Lies, AreSeenInCommitPoints) {
  const auto subject = MakeSubject("log/foldover", 1);
  const std::string path = subject->committed().back().token.Text() + "/log.meta";
  Image image = subject->image();
  std::string text = *image.at(path);
  ASSERT_TRUE(SetField(&text, "serial_num", "1"));
  image[path] = std::make_shared<const std::string>(std::move(text));
  Reseal(&image, path);
  ImageStorage storage(image);
  EXPECT_EQ(subject->Recover(&storage, {}, Depth::kRead).problem, "other commit points");
}

// A change is sealed; and where it is taken back, all bytes are again those that the engine wrote.
TEST(Seals, AreThoseOfTheEngine) {
  for (const auto& subject : MakeSubjects(1)) {
    for (const std::string& path : FilesOf(subject->image())) {
      Image image = subject->image();
      const auto flip = [&] {
        std::string bytes = *image.at(path);
        bytes[bytes.size() / 2] ^= 1;
        image[path] = std::make_shared<const std::string>(bytes);
        Reseal(&image, path);
        return *image.at(path) != bytes;
      };
      EXPECT_TRUE(flip()) << subject->name() << ": " << path << " is not sealed";
      for (const auto& [other, bytes] : image) {  // texts that quote its checksum are sealed as well
        if (bytes == nullptr || !other.ends_with(".meta") || other == path) continue;
        std::string again = *bytes;
        SealText(&again);
        EXPECT_EQ(again, *bytes) << subject->name() << ": " << other << " after a change of " << path;
      }
      flip();
      for (const auto& [other, bytes] : image) {
        if (bytes != nullptr)
          EXPECT_EQ(*bytes, *subject->image().at(other)) << subject->name() << ": " << other;
      }
    }
  }
}

}  // namespace
}  // namespace damage
