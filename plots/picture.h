// A picture of gnuplot's in its two files, and text for its commands.
#pragma once

#include <functional>
#include <ostream>
#include <string>

namespace plots {

// One drawing as <base>.svg and <base>.png. `send` writes the commands of the drawing; it is called once for
// each file. Old files of these names go first. False, and one line in *error: gnuplot cannot be started or
// made nothing.
bool MakePicture(const std::string& base, int width, int height,
                 const std::function<void(std::ostream&)>& send, std::string* error);

bool HasGnuplot();  // in PATH

std::string Quoted(std::string text);  // as a string of gnuplot's

}  // namespace plots
