// Every byte of every file of every kind of checkpoint, damaged in turn: a flipped bit, and the file cut off
// there. Recovery brings back the right state or names the file, and never changes a byte of it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "tests/fuzz/mutation.h"

namespace damage {
namespace {

// Bits flipped in each byte: all in the long form.
int Bits() {
  const char* const all = std::getenv("CPR_DAMAGE_ALL");
  return all != nullptr && *all != '\0' ? 8 : 1;
}

using Tally = std::map<std::string, uint64_t>;

class EveryByte : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    subject_ = MakeSubject(GetParam(), 1);
    ASSERT_NE(subject_, nullptr);
    files_ = FilesOf(subject_->image());
  }
  size_t SizeOf(uint32_t file) const { return subject_->image().at(files_[file])->size(); }

  // False: enough has failed.
  bool Try(const Mutation& mutation, bool by_name) {
    const Damaged damaged = Apply(subject_->image(), {mutation});
    const Verdict verdict = Judge(*subject_, damaged, Depth::kRead, by_name);
    ++tally_[EndingName(verdict.latest.ending)];
    if (verdict.problem.empty()) return true;
    ADD_FAILURE() << TextOf(mutation, subject_->image()) << ": " << verdict.problem;
    return ++failures_ < 10;
  }

  void Report(const char* what) {
    std::string text;
    for (const auto& [ending, count] : tally_) text += ", " + std::to_string(count) + " " + ending;
    std::printf("%s, %s%s\n", subject_->name().c_str(), what, text.c_str());
  }

  std::unique_ptr<Subject> subject_;
  std::vector<std::string> files_;
  Tally tally_;
  int failures_ = 0;
};

TEST_P(EveryByte, WithoutDamageEverythingComesBack) {
  const Verdict verdict = Judge(*subject_, Apply(subject_->image(), {}), Depth::kGoOn, true);
  EXPECT_EQ(verdict.problem, "");
  EXPECT_EQ(verdict.latest.ending, Ending::kRight) << verdict.latest.why.Text();
  for (const Outcome& named : verdict.named) EXPECT_EQ(named.ending, Ending::kRight) << named.why.Text();
  for (const Outcome& sound : verdict.validated) EXPECT_EQ(sound.ending, Ending::kRight) << sound.why.Text();
  EXPECT_GE(subject_->committed().front().model.size(), 10u);
  EXPECT_FALSE(subject_->committed().front().sessions.empty());
}

TEST_P(EveryByte, FlippedIsNamedOrHarmless) {
  const int bits = Bits();
  for (uint32_t file = 0; file < files_.size(); ++file) {
    for (size_t at = 0; at < SizeOf(file); ++at) {
      for (int i = 0; i < bits; ++i) {
        Mutation mutation{
            Mutation::What::kFlip, false, file, 0, at, 0, (at * 3 + static_cast<size_t>(i)) % 8};
        if (!Try(mutation, bits == 8 || at % 32 == 0)) return;
      }
    }
  }
  Report("one bit flipped");
}

TEST_P(EveryByte, CutOffThereIsNamedOrHarmless) {
  for (uint32_t file = 0; file < files_.size(); ++file) {
    for (size_t at = 0; at < SizeOf(file); ++at) {
      if (!Try({Mutation::What::kTruncate, false, file, 0, at, 0, 0}, Bits() == 8 || at % 32 == 0)) return;
    }
  }
  Report("cut off");
}

// Without its mark a checkpoint is none; without any other file it is damaged, or did not need it.
TEST_P(EveryByte, GoneIsNamedOrHarmless) {
  for (uint32_t file = 0; file < files_.size(); ++file) {
    if (!Try({Mutation::What::kRemove, false, file, 0, 0, 0, 0}, true)) return;
  }
  Report("gone");
}

// A whole file with good checksums, in another one's place.
TEST_P(EveryByte, MixedUpIsNamedOrHarmless) {
  for (uint32_t file = 0; file < files_.size(); ++file) {
    for (uint32_t other = 0; other < files_.size(); ++other) {
      if (!Try({Mutation::What::kDuplicate, false, file, other, 0, 0, 0}, true)) return;
      if (other > file && !Try({Mutation::What::kSwap, false, file, other, 0, 0, 0}, true)) return;
    }
  }
  Report("mixed up");
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryByte, ::testing::ValuesIn(SubjectNames()), [](const auto& info) {
  std::string name;
  for (const char c : info.param) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
  }
  return name;
});

}  // namespace
}  // namespace damage
