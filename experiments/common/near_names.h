// Near names: what a person may have meant by a word that is not among the known ones.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace experiments {

// Insertions, deletions and changes of one character that make `a` of `b`.
size_t EditDistance(std::string_view a, std::string_view b);

// At most `most` of `names`: those that contain the word, or that so many changes make of it as a slip may
// have (a third of its length, two of a short word: letters that changed places); nearest first.
std::vector<std::string> NearNames(std::string_view word, const std::vector<std::string>& names,
                                   size_t most = 3);

}  // namespace experiments
