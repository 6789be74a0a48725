// The rules of style and layering that a machine can check, one file at a time. Each complaint is one line,
// "path:line: what is wrong". Pure functions of their arguments.
#pragma once

#include <string>
#include <vector>

namespace tidy {

constexpr int kFileLines = 500;
constexpr int kFunctionLines = 70;
constexpr int kLineLength = 110;

// The text with comments, string and character literals, and preprocessor lines blanked out; line breaks
// stay.
std::string CodeOnly(const std::string& text);

// `path` is relative to the repository root and decides which rules apply. `headers` lists the repository's
// own headers, in the same form.
std::vector<std::string> CheckFile(const std::string& path, const std::string& text,
                                   const std::vector<std::string>& headers);

}  // namespace tidy
