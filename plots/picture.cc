#include "plots/picture.h"

#include <gnuplot-iostream.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <sstream>

#include "plots/pipe_guard.h"

namespace plots {

namespace fs = std::filesystem;

std::string Quoted(std::string text) {  // '' stands for ' within single quotes
  for (size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 2) text.insert(at, 1, '\'');
  return "'" + text + "'";
}

bool HasGnuplot() {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access(((folder.empty() ? "." : folder) + "/gnuplot").c_str(), X_OK) == 0) return true;
  }
  return false;
}

bool MakePicture(const std::string& base, int width, int height,
                 const std::function<void(std::ostream&)>& send, std::string* error) {
  const std::string svg = base + ".svg", png = base + ".png";
  const std::string size = " size " + std::to_string(width) + "," + std::to_string(height);
  std::error_code code;
  fs::remove(svg, code);
  fs::remove(png, code);
  const PipeGuard guard;
  try {
    // gnuplot speaks only on errors; its words would stand between our own lines.
    gnuplotio::Gnuplot gp("gnuplot >/dev/null 2>&1");
    for (const bool vector : {true, false}) {
      gp << "set terminal "
         << (vector ? "svg" + size + " font 'Helvetica,13' background 'white'"
                    : "pngcairo" + size + " font 'Sans,11' background 'white'")
         << "\nset output " << Quoted(vector ? svg : png) << "\n";
      send(gp);
      gp << "unset output\n";
    }
    gp.flush();
  } catch (const std::exception& problem) {
    *error = std::string("gnuplot cannot be started: ") + problem.what();
    return false;
  }
  for (const std::string& picture : {svg, png}) {
    if (fs::exists(picture, code) && fs::file_size(picture, code) > 0) continue;
    *error = "gnuplot made no " + picture + " (is gnuplot-nox installed?)";
    return false;
  }
  return true;
}

}  // namespace plots
