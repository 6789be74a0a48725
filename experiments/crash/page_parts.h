// What both kinds of page are made of.
#pragma once

#include <string>

namespace experiments {

std::string WholePage(const std::string& title, const std::string& body);  // with the style sheet
std::string Number(double value);                                          // at most two decimals

}  // namespace experiments
