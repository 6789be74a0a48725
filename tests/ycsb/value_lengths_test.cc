// Values whose lengths differ: YCSB's distributions of field lengths, and that a value's word says its
// length.
#include "workloads/ycsb/value_lengths.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "workloads/ycsb/records.h"
#include "workloads/ycsb/spec.h"

namespace workloads::ycsb {
namespace {

LengthHistogram Histogram(const std::string& text) {
  LengthHistogram histogram;
  std::string error;
  EXPECT_TRUE(LengthHistogram::Parse(text, "hist.txt", &histogram, &error)) << error;
  return histogram;
}

TEST(FieldLengths, HistogramAsYcsbReadsIt) {
  const LengthHistogram histogram = Histogram("BlockSize\t10\n0\t2\n1\t0\n2\t3\n3\t1\n");
  EXPECT_EQ(histogram.area(), 6u);
  // number -= bucket until it is 0 or less; the last bucket has its number, not one more
  const uint64_t expected[] = {10, 10, 10, 30, 30, 30};
  for (uint64_t number = 0; number < 6; ++number)
    EXPECT_EQ(histogram.LengthAt(number), expected[number]) << number;
  EXPECT_EQ(histogram.longest(), 30u);
  EXPECT_EQ(Histogram("BlockSize\t10\n0\t1\n1\t0\n2\t9\n").LengthAt(2), 20u);
}

TEST(FieldLengths, HistogramsThatAreNoneAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "h:1: expected buckets with counts above 0, found 'none'"},
      {"10\t3\n", "h:1: expected BlockSize, a tab and a number of bytes, found '10\t3'"},
      {"BlockSize\t0\n", "h:1: expected BlockSize, a tab and a number of bytes, found 'BlockSize\t0'"},
      {"BlockSize\t10\n1\t5\n", "h:2: expected bucket 0, a tab and a count, found '1\t5'"},
      {"BlockSize\t10\n0\tx\n", "h:2: expected bucket 0, a tab and a count, found '0\tx'"},
      {"BlockSize\t10\n0\t0\n", "h:2: expected buckets with counts above 0, found 'none'"}};
  for (const auto& [text, complaint] : cases) {
    LengthHistogram histogram;
    std::string error;
    EXPECT_FALSE(LengthHistogram::Parse(text, "h", &histogram, &error)) << text;
    EXPECT_EQ(error, complaint);
  }
  LengthHistogram histogram;
  std::string error;
  EXPECT_FALSE(LengthHistogram::Read("/nonexistent/hist.txt", &histogram, &error));
  EXPECT_EQ(error.find("/nonexistent/hist.txt: expected a histogram of field lengths, found: No such file"),
            0u)
      << error;
}

double Mean(const FieldLengths& fields) { return MakeValueLengths(fields)->mean(); }

TEST(FieldLengths, DistributionsHaveTheirMeans) {
  FieldLengths fields;
  EXPECT_EQ(MakeValueLengths(fields), nullptr);
  EXPECT_EQ(fields.longest(), 1000u);
  fields = {"uniform", 4, 20, 100, {}};
  EXPECT_NEAR(Mean(fields), 4 * 60, 2);
  EXPECT_LE(MakeValueLengths(fields)->longest(), 400u);
  fields = {"zipfian", 4, 20, 1000, {}};
  const ZipfianGenerator zipfian(20, 1000);
  Random random(2);
  double sum = 0;
  for (int i = 0; i < 200'000; ++i) sum += static_cast<double>(zipfian.Next(random));
  EXPECT_NEAR(Mean(fields) / (4 * sum / 200'000), 1, 0.02);
  fields = {"histogram", 2, 1, 100, Histogram("BlockSize\t10\n0\t2\n1\t0\n2\t3\n3\t1\n")};
  EXPECT_NEAR(Mean(fields), 2 * 20, 0.3);
  EXPECT_EQ(fields.longest(), 60u);
}

TEST(FieldLengths, AValueIsAsLongAsItsWordSays) {
  const AddWordOfLength functions{400, MakeValueLengths({"uniform", 4, 1, 100, {}})};
  std::set<uint32_t> lengths;
  std::vector<char> bytes(400);
  for (uint64_t word = 1; word < 3000; ++word) {
    const uint32_t length = functions.LengthOf(word);
    lengths.insert(length);
    ASSERT_GE(length, ValueLengths::kLeast);
    ASSERT_LE(length, 400u);
    ASSERT_EQ(functions.InitialBytes(word), length);
    functions.Initial(word, bytes.data());
    const std::string_view value(bytes.data(), length);
    ASSERT_TRUE(functions.Whole(value));
    ASSERT_FALSE(functions.Whole(value.substr(0, length - 1)));
    ASSERT_EQ(functions.UpdatedBytes(value, 7), functions.LengthOf(word + 7));
  }
  EXPECT_GT(lengths.size(), 150u);
}

WorkloadSpec Spec(std::initializer_list<const char*> assignments, std::string* error) {
  Properties properties;
  WorkloadSpec spec;
  std::string ignored;
  for (const char* assignment : assignments) EXPECT_TRUE(properties.Assign(assignment, &ignored));
  EXPECT_TRUE(properties.Assign("recordcount=1000", &ignored));
  error->clear();
  const bool good = ParseSpec(properties, false, &spec, error);
  EXPECT_EQ(good, error->empty());
  return spec;
}

TEST(FieldLengths, BothSpellingsAndWhatCannotBe) {
  std::string error;
  EXPECT_EQ(Spec({}, &error).value_lengths, nullptr);
  for (const char* key : {"fieldlengthdistribution=uniform", "field_len_dist=uniform"}) {
    const WorkloadSpec spec = Spec({key, "fieldcount=1", "fieldlength=104", "minfieldlength=50"}, &error);
    ASSERT_EQ(error, "");
    ASSERT_NE(spec.value_lengths, nullptr);
    EXPECT_EQ(spec.stored_bytes, 104u);
    EXPECT_FALSE(spec.fixed());
  }
  Spec({"fieldlengthdistribution=normal"}, &error);
  EXPECT_EQ(
      error,
      "-p: fieldlengthdistribution: expected one of constant, uniform, zipfian, histogram, found 'normal'");
  Spec({"field_len_dist=normal"}, &error);
  EXPECT_EQ(error,
            "-p: field_len_dist: expected one of constant, uniform, zipfian, histogram, found 'normal'");
  Spec({"fieldlengthdistribution=uniform", "minfieldlength=101"}, &error);
  EXPECT_EQ(error, "-p: minfieldlength: expected at most fieldlength (100), found '101'");
  Spec({"fieldlengthdistribution=uniform", "dataintegrity=true"}, &error);
  EXPECT_EQ(error, "-p: fieldlengthdistribution: expected constant, for dataintegrity=true, found 'uniform'");
  Spec({"fieldlengthdistribution=histogram", "fieldlengthhistogram=/nonexistent"}, &error);
  EXPECT_EQ(error.find("/nonexistent: expected a histogram"), 0u) << error;
}

// Every faster.* property that shapes the store arrives there, and rubbish is named.
TEST(StoreProperties, AreTakenAndChecked) {
  struct Case {
    const char* name;
    const char* value;
    std::function<bool(const WorkloadSpec&, const faster::StoreConfig&)> arrived;
  };
  using Spec_ = const WorkloadSpec&;
  using Store_ = const faster::StoreConfig&;
  const Case cases[] = {
      {"memory", "4194304", [](Spec_, Store_ c) { return c.page_bytes() * c.buffer_pages == 4194304; }},
      {"mutable_fraction", "0.5", [](Spec_, Store_ c) { return c.mutable_pages == c.buffer_pages / 2; }},
      {"page_bits", "14", [](Spec_, Store_ c) { return c.page_bits == 14; }},
      {"block_bytes", "8192", [](Spec_, Store_ c) { return c.block_bytes == 8192; }},
      {"segment_bytes", "1048576",
       [](Spec_, Store_ c) { return c.segment_pages * c.page_bytes() == 1048576; }},
      {"open_segments", "7", [](Spec_, Store_ c) { return c.open_segments == 7; }},
      {"index_buckets", "64", [](Spec_, Store_ c) { return c.index_buckets == 64; }},
      {"grow_percent", "20", [](Spec_, Store_ c) { return c.grow_at_overflow_percent == 20; }},
      {"grow_to", "4096", [](Spec_ s, Store_) { return s.grow_to == 4096 && s.grows(); }},
      {"huge_pages", "true", [](Spec_, Store_ c) { return c.huge_pages; }},
      {"prefault", "true", [](Spec_, Store_ c) { return c.prefault; }},
      {"refresh_interval", "16", [](Spec_, Store_ c) { return c.refresh_interval == 16; }},
      {"keys_per_thread", "512", [](Spec_ s, Store_) { return s.keys_per_thread == 512; }},
      {"prefetch", "8", [](Spec_ s, Store_) { return s.prefetch == 8; }},
      {"readcache", "1048576", [](Spec_, Store_ c) { return c.read_cache_bytes == 1048576; }},
      {"readcache.second_chance", "false", [](Spec_, Store_ c) { return !c.read_cache_second_chance; }},
      {"copy_reads_to_tail", "true", [](Spec_, Store_ c) { return c.copy_reads_to_tail; }},
      {"seed", "77", [](Spec_, Store_ c) { return c.seed == 77; }}};
  for (const Case& property : cases) {
    const std::string name = std::string("faster.") + property.name;
    std::string error;
    const WorkloadSpec usual = Spec({"operationcount=100000"}, &error);
    EXPECT_FALSE(property.arrived(usual, usual.Store())) << name << " is the default";
    const WorkloadSpec spec = Spec({"operationcount=100000", (name + "=" + property.value).c_str()}, &error);
    EXPECT_EQ(error, "") << name;
    EXPECT_TRUE(property.arrived(spec, spec.Store())) << name;
    Spec({(name + "=rubbish").c_str()}, &error);
    EXPECT_EQ(error.find("-p: " + name + ": expected "), 0u) << error;
  }
}

}  // namespace
}  // namespace workloads::ycsb
