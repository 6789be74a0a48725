// Larger checkpoints, damaged at random: some changes at a time, of any kind, checksums left as they are.
// CPR_DAMAGE_IMAGES says how many damaged directories are tried in all; 2,400 otherwise.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "faster/core/config.h"
#include "tests/fuzz/mutation.h"

namespace damage {
namespace {

constexpr uint32_t kScale = 16;

uint64_t Images() {
  const char* const images = std::getenv("CPR_DAMAGE_IMAGES");
  const uint64_t all = images != nullptr ? std::strtoull(images, nullptr, 10) : 2400;
  return (all + SubjectNames().size() - 1) / SubjectNames().size();
}

class Random : public ::testing::TestWithParam<std::string> {};

TEST_P(Random, DamageIsNamedOrHarmless) {
  const auto subject = MakeSubject(GetParam(), kScale);
  ASSERT_NE(subject, nullptr);
  faster::IdSource dice(4711);
  std::map<std::string, uint64_t> tally;
  const uint64_t images = Images();
  for (uint64_t i = 0; i < images; ++i) {
    uint64_t words[12];
    for (uint64_t& word : words) word = dice.Next();
    const size_t bytes = 1 + 10 * (1 + words[11] % 3);
    Choice choice = Decode(reinterpret_cast<const uint8_t*>(words), bytes);
    for (Mutation& mutation : choice.mutations) mutation.reseal = false;
    const Damaged damaged = Apply(subject->image(), choice.mutations);
    const Depth depth = i % 16 == 0 ? Depth::kGoOn : Depth::kRead;
    const Verdict verdict = Judge(*subject, damaged, depth, i % 4 == 0);
    ++tally[EndingName(verdict.latest.ending)];
    if (verdict.problem.empty()) continue;
    std::string what;
    for (const Mutation& mutation : choice.mutations) what += TextOf(mutation, subject->image()) + "; ";
    FAIL() << "image " << i << ": " << what << verdict.problem;
  }
  std::string text;
  for (const auto& [ending, count] : tally) text += ", " + std::to_string(count) + " " + ending;
  std::printf("%s%s\n", subject->name().c_str(), text.c_str());
}

INSTANTIATE_TEST_SUITE_P(Kinds, Random, ::testing::ValuesIn(SubjectNames()), [](const auto& info) {
  std::string name;
  for (const char c : info.param) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += c;
  }
  return name;
});

}  // namespace
}  // namespace damage
