// Values whose lengths differ: YCSB's distributions of field lengths, and that a value's word says its
// length.
#include "workloads/ycsb/value_lengths.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(ParseSpec(properties, false, &spec, error), error->empty());
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

}  // namespace
}  // namespace workloads::ycsb
