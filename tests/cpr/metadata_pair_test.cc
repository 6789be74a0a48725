// pair.meta: round trip, every damaged byte noticed, every rule of a valid record.
#include <gtest/gtest.h>

#include <functional>

#include "faster/cpr/metadata_json.h"

namespace faster {
namespace {

PairMetadata Sample() {
  PairMetadata pair;
  pair.token = {1, 2};
  pair.index = {3, 4};
  pair.chunks = 8;
  pair.chunk_entries = 32;
  pair.page_bits = 12;
  pair.block_bytes = 512;
  pair.segment_pages = 4;
  pair.begin_address = 1024;
  pair.final_address = 8192;
  pair.generations = {{0, MakeGeneration(1, 7), 0}, {4096, MakeGeneration(2, 9), 0}};
  return pair;
}

TEST(MetadataPair, RoundTrips) {
  const PairMetadata pair = Sample();
  Diagnosis why;
  ASSERT_EQ(ValidateMetadata(pair, &why), Status::kOk) << why.Text();
  PairMetadata read;
  ASSERT_EQ(ParseMetadata(FormatMetadata(pair), "f", &read, &why), Status::kOk) << why.Text();
  EXPECT_EQ(read.token, pair.token);
  EXPECT_EQ(read.index, pair.index);
  EXPECT_EQ(read.chunks, pair.chunks);
  EXPECT_EQ(read.chunk_entries, pair.chunk_entries);
  EXPECT_EQ(read.page_bits, pair.page_bits);
  EXPECT_EQ(read.block_bytes, pair.block_bytes);
  EXPECT_EQ(read.segment_pages, pair.segment_pages);
  EXPECT_EQ(read.begin_address, pair.begin_address);
  EXPECT_EQ(read.final_address, pair.final_address);
  EXPECT_EQ(read.generations, pair.generations);
}

TEST(MetadataPair, EveryDamagedByteIsNoticed) {
  const std::string text = FormatMetadata(Sample());
  for (size_t at = 0; at < text.size(); ++at) {
    std::string wrong = text;
    wrong[at] ^= 1;
    PairMetadata read;
    Diagnosis why;
    EXPECT_EQ(ParseMetadata(wrong, "f", &read, &why), Status::kCorruption) << at;
    EXPECT_TRUE(read.token.IsNull());
  }
}

TEST(MetadataPair, RefusesWhatCannotBe) {
  const std::function<void(PairMetadata*)> wrong[] = {
      [](PairMetadata* m) { m->token = {}; },
      [](PairMetadata* m) { m->index = {}; },
      [](PairMetadata* m) { m->chunks = 3; },
      [](PairMetadata* m) { m->chunk_entries = 0; },
      [](PairMetadata* m) { m->page_bits = 8; },
      [](PairMetadata* m) { m->block_bytes = 8192; },
      [](PairMetadata* m) { m->segment_pages = 0; },
      [](PairMetadata* m) { m->begin_address = 9000; },
      [](PairMetadata* m) { m->final_address = 8200; },
      [](PairMetadata* m) { m->generations.clear(); },
      [](PairMetadata* m) { m->generations[0].from = 2048; },
      [](PairMetadata* m) { m->generations[1].generation = 0; },
      [](PairMetadata* m) { m->generations[1].from = 9000; },
  };
  for (size_t i = 0; i < std::size(wrong); ++i) {
    PairMetadata pair = Sample();
    wrong[i](&pair);
    Diagnosis why;
    EXPECT_EQ(ValidateMetadata(pair, &why), Status::kInvalidArgument) << i;
    PairMetadata read;
    EXPECT_EQ(ParseMetadata(FormatMetadata(pair), "f", &read, &why), Status::kCorruption) << i;
  }
}

}  // namespace
}  // namespace faster
