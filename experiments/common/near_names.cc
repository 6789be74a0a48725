#include "experiments/common/near_names.h"

#include <algorithm>

namespace experiments {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

std::vector<std::string> NearNames(std::string_view word, const std::vector<std::string>& names,
                                   size_t most) {
  std::vector<std::pair<size_t, std::string>> near;
  for (const std::string& name : names) {
    const bool contains = !word.empty() && name.find(word) != std::string::npos;
    const size_t distance = contains ? 0 : EditDistance(word, name);
    if (contains || distance <= (word.size() < 4 ? 1 : std::max<size_t>(2, word.size() / 3)))
      near.emplace_back(distance, name);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> result;
  for (const auto& [distance, name] : near) {
    if (result.size() < most) result.push_back(name);
  }
  return result;
}

}  // namespace experiments
