// Identities, generations and names: the small values that checkpoints are made of.
#include "faster/core/checkpoint_types.h"

#include <gtest/gtest.h>

#include <set>

#include "faster/core/config.h"

namespace faster {
namespace {

constexpr Guid kGuid{0x0123456789abcdefull, 0xfedcba9876543210ull};

TEST(Guids, HaveTheUsualText) { EXPECT_EQ(kGuid.Text(), "01234567-89ab-cdef-fedc-ba9876543210"); }

TEST(Guids, AreReadInEitherCase) {
  for (const char* text : {"01234567-89ab-cdef-fedc-ba9876543210", "01234567-89AB-CDEF-FEDC-BA9876543210"}) {
    Guid read;
    ASSERT_TRUE(Guid::Parse(text, &read));
    EXPECT_EQ(read, kGuid);
  }
}

TEST(Guids, RefuseAnyOtherForm) {
  for (const char* text : {"", "0123456789abcdeffedcba9876543210", "{01234567-89ab-cdef-fedc-ba9876543210}",
                           "01234567-89ab-cdef-fedc-ba987654321", "01234567-89ab-cdef-fedc-ba98765432100",
                           "01234567-89ab-cdef-fedc-ba987654321g", "01234567+89ab-cdef-fedc-ba9876543210",
                           "0123456-789ab-cdef-fedc-ba9876543210", " 1234567-89ab-cdef-fedc-ba9876543210"}) {
    Guid read = kGuid;
    EXPECT_FALSE(Guid::Parse(text, &read)) << text;
    EXPECT_EQ(read, kGuid) << "touched by " << text;
  }
}

TEST(Guids, AreOrderedAsTheirTexts) {
  const Guid guids[] = {{0, 1}, {0, ~uint64_t{0}}, {1, 0}, {~uint64_t{0} >> 1, 5}, {~uint64_t{0}, 0}};
  for (size_t i = 1; i < std::size(guids); ++i) {
    EXPECT_LT(guids[i - 1], guids[i]);
    EXPECT_LT(guids[i - 1].Text(), guids[i].Text());
  }
}

TEST(Guids, NullIsNone) {
  EXPECT_TRUE(Guid{}.IsNull());
  EXPECT_FALSE((Guid{0, 1}.IsNull()));
  EXPECT_FALSE((Guid{1, 0}.IsNull()));
}

TEST(Generations, LaterIncarnationsHaveLargerOrdinals) {
  const uint64_t generation = MakeGeneration(7, 0x123456789a);
  EXPECT_EQ(GenerationOrdinal(generation), 7u);
  EXPECT_LT(MakeGeneration(7, ~uint64_t{0}), MakeGeneration(8, 0));
}

TEST(Generations, RandomBitsDoNotReachTheOrdinal) {
  EXPECT_EQ(GenerationOrdinal(MakeGeneration(7, ~uint64_t{0})), 7u);
  EXPECT_NE(MakeGeneration(7, 1), MakeGeneration(7, 2));
}

TEST(Names, OfKindsBackendsSchemesAndGuarantees) {
  EXPECT_EQ(CheckpointKindName(CheckpointKind::kFull), "full");
  EXPECT_EQ(CheckpointKindName(CheckpointKind::kIndexOnly), "index");
  EXPECT_EQ(CheckpointKindName(CheckpointKind::kLogOnly), "log");
  EXPECT_EQ(CheckpointKindName(CheckpointKind::kGrowIndex), "grow");
  EXPECT_EQ(CheckpointKindName(CheckpointKind::kIncremental), "incremental");
  EXPECT_EQ(LogBackendName(LogBackend::kFoldOver), "foldover");
  EXPECT_EQ(LogBackendName(LogBackend::kSnapshot), "snapshot");
  EXPECT_EQ(ShiftSchemeName(ShiftScheme::kCoarse), "coarse");
  EXPECT_EQ(GuaranteeName(Guarantee::kRelaxed), "relaxed");
}

TEST(CommitPoints, AreEqualWithTheirExclusions) {
  const SessionCommit commit{kGuid, 5, {2, 3}};
  EXPECT_EQ(commit, (SessionCommit{kGuid, 5, {2, 3}}));
  EXPECT_NE(commit, (SessionCommit{kGuid, 5, {2}}));
  EXPECT_NE(commit, (SessionCommit{kGuid, 4, {2, 3}}));
}

TEST(Ids, OfOneSeedRepeatAndOfTwoDiffer) {
  IdSource a(1), again(1), other(2);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t id = a.Next();
    EXPECT_EQ(id, again.Next());
    EXPECT_NE(id, other.Next());
    EXPECT_TRUE(seen.insert(id).second);
  }
}

}  // namespace
}  // namespace faster
