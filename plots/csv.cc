#include "plots/csv.h"

#include <cstdlib>

#include "experiments/common/results.h"

namespace plots {
namespace {

std::vector<std::string> Cells(const std::string& line) {
  std::vector<std::string> cells;
  size_t from = 0;
  for (;;) {
    const size_t comma = line.find(',', from);
    cells.push_back(line.substr(from, comma == std::string::npos ? comma : comma - from));
    if (comma == std::string::npos) return cells;
    from = comma + 1;
  }
}

}  // namespace

bool Csv::Read(const std::string& path, std::string* error) {
  std::string text;
  if (!experiments::ReadWholeFile(path, &text, error)) return false;
  names_.clear();
  rows_.clear();
  size_t from = 0;
  for (size_t number = 1; from < text.size(); ++number) {
    size_t end = text.find('\n', from);
    if (end == std::string::npos) end = text.size();
    const std::vector<std::string> cells = Cells(text.substr(from, end - from));
    from = end + 1;
    if (names_.empty()) {
      names_ = cells;
    } else if (cells.size() != names_.size()) {
      *error = path + ":" + std::to_string(number) + ": expected " + std::to_string(names_.size()) +
               " cells, found " + std::to_string(cells.size());
      return false;
    } else {
      rows_.push_back(cells);
    }
  }
  if (!names_.empty()) return true;
  *error = path + ": expected a table, found nothing";
  return false;
}

int Csv::Column(const std::string& name) const {
  for (size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == name) return static_cast<int>(i);
  }
  return -1;
}

bool Csv::Number(size_t row, int column, double* number) const {
  const std::string& cell = Cell(row, column);
  char* end = nullptr;
  *number = std::strtod(cell.c_str(), &end);
  return !cell.empty() && *end == 0;
}

}  // namespace plots
