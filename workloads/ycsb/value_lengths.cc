#include "workloads/ycsb/value_lengths.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>

namespace workloads::ycsb {
namespace {

// "NAME<tab>NUMBER", with a blank or more for the tab.
bool TwoWords(const std::string& line, std::string* name, uint64_t* number) {
  const size_t end = line.find_first_of("\t ");
  const size_t from = line.find_first_not_of("\t ", end);
  if (end == 0 || end == std::string::npos || from == std::string::npos) return false;
  const size_t to = line.find_last_not_of("\r\t ") + 1;
  *name = line.substr(0, end);
  const auto parsed = std::from_chars(line.data() + from, line.data() + to, *number);
  return parsed.ec == std::errc() && parsed.ptr == line.data() + to;
}

}  // namespace

ValueLengths::ValueLengths(std::vector<uint32_t> lengths) : lengths_(std::move(lengths)) {
  for (uint32_t& length : lengths_) length = std::max(length, kLeast);
  longest_ = *std::max_element(lengths_.begin(), lengths_.end());
}

double ValueLengths::mean() const {
  return static_cast<double>(std::accumulate(lengths_.begin(), lengths_.end(), uint64_t{0})) /
         static_cast<double>(lengths_.size());
}

bool LengthHistogram::Read(const std::string& path, LengthHistogram* histogram, std::string* error) {
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.good() || in.eof()) return Parse(text, path, histogram, error);
  *error = path + ": expected a histogram of field lengths, found: " + std::strerror(errno);
  return false;
}

bool LengthHistogram::Parse(const std::string& text, const std::string& path, LengthHistogram* histogram,
                            std::string* error) {
  constexpr uint64_t kMost = uint64_t{1} << 30;
  LengthHistogram made;
  std::istringstream lines(text);
  uint64_t number = 0;
  const auto complain = [&](const std::string& expected, const std::string& found) {
    *error = path + ":" + std::to_string(number) + ": expected " + expected + ", found '" + found + "'";
    return false;
  };
  std::string name;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    uint64_t value = 0;
    const bool good = TwoWords(line, &name, &value);
    if (number == 1) {
      if (!good || name != "BlockSize" || value == 0 || value > kMost)
        return complain("BlockSize, a tab and a number of bytes", line);
      made.block_ = value;
    } else if (!good || name != std::to_string(number - 2) || value > kMost) {
      return complain("bucket " + std::to_string(number - 2) + ", a tab and a count", line);
    } else {
      made.buckets_.push_back(value);
      made.area_ += value;
    }
  }
  if (number == 0) number = 1;
  if (made.area_ == 0) return complain("buckets with counts above 0", "none");
  *histogram = std::move(made);
  return true;
}

uint64_t LengthHistogram::LengthAt(uint64_t number) const {
  int64_t left = static_cast<int64_t>(number);
  size_t i = 0;
  for (; i + 1 < buckets_.size(); ++i) {
    left -= static_cast<int64_t>(buckets_[i]);
    if (left <= 0) return (i + 1) * block_;
  }
  return i * block_;
}

uint64_t LengthHistogram::longest() const {
  return buckets_.empty() ? 0 : std::max<uint64_t>(buckets_.size() - 1, 1) * block_;
}

uint64_t FieldLengths::longest() const {
  return fields * (distribution == "histogram" ? histogram.longest() : most);
}

std::shared_ptr<const ValueLengths> MakeValueLengths(const FieldLengths& fields) {
  if (fields.distribution == "constant") return nullptr;
  Random random(1);  // always the same: a later run has to know the lengths of what was loaded
  const UniformGenerator uniform(fields.least, fields.most);
  const ZipfianGenerator zipfian(fields.least, fields.most);
  std::vector<uint32_t> lengths(size_t{1} << ValueLengths::kBits);
  for (uint32_t& length : lengths) {
    uint64_t bytes = 0;
    for (uint64_t field = 0; field < fields.fields; ++field) {
      bytes += fields.distribution == "uniform" ? uniform.Next(random)
               : fields.distribution == "zipfian"
                   ? zipfian.Next(random)
                   : fields.histogram.LengthAt(random.Below(fields.histogram.area()));
    }
    length = static_cast<uint32_t>(bytes);
  }
  return std::make_shared<const ValueLengths>(std::move(lengths));
}

}  // namespace workloads::ycsb
