// Csv: the tables that programs leave in a result folder: a line of column names, then a line per row,
// without quoting (no cell holds a comma). Reading is strict: every row has a cell per column. Plain data.
#pragma once

#include <string>
#include <vector>

namespace plots {

class Csv {
 public:
  // False and one line in *error: no such file, an empty one, or a row of another width.
  bool Read(const std::string& path, std::string* error);
  size_t rows() const { return rows_.size(); }
  // -1 if there is no such column.
  int Column(const std::string& name) const;
  const std::string& Cell(size_t row, int column) const { return rows_[row][static_cast<size_t>(column)]; }
  // False if the cell is not a number.
  bool Number(size_t row, int column, double* number) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace plots
