#include "experiments/figures/catalogue.h"

#include <algorithm>
#include <filesystem>

#include "experiments/common/near_names.h"

namespace experiments::figures {
namespace {

namespace fs = std::filesystem;

// Sorted, so that every run has the same order.
bool FilesOf(const std::string& folder, std::vector<std::string>* files, std::string* error) {
  std::error_code code;
  for (const fs::directory_entry& paper : fs::directory_iterator(folder, code)) {
    if (!paper.is_directory()) continue;
    for (const fs::directory_entry& file : fs::directory_iterator(paper.path(), code)) {
      if (file.path().extension() == ".json") files->push_back(file.path().string());
    }
  }
  std::sort(files->begin(), files->end());
  if (!code && !files->empty()) return true;
  *error = "no figures in " + folder + (code ? ": " + code.message() : "");
  return false;
}

}  // namespace

bool Catalogue::Read(const std::string& folder, std::string* error) {
  std::vector<std::string> files;
  if (!FilesOf(folder, &files, error)) return false;
  std::vector<nlohmann::ordered_json> json(files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    if (!ReadJson(files[i], &json[i], error)) return false;
  }
  for (const bool shows_others : {false, true}) {
    for (size_t i = 0; i < files.size(); ++i) {
      const std::string base = CellsOf(json[i]);
      if (base.empty() == shows_others) continue;
      Definition definition;
      if (!ParseDefinition(json[i], files[i], Find(base), &definition, error)) return false;
      if (definition.figure != fs::path(files[i]).stem().string()) {
        *error = files[i] + ": figure: expected the file's name, found \"" + definition.figure + "\"";
        return false;
      }
      if (Find(definition.figure) != nullptr) {
        *error = files[i] + ": figure: there is another \"" + definition.figure + "\" in " +
                 Find(definition.figure)->file;
        return false;
      }
      figures_.push_back(std::move(definition));
    }
  }
  return true;
}

const Definition* Catalogue::Find(const std::string& figure) const {
  for (const Definition& definition : figures_) {
    if (definition.figure == figure) return &definition;
  }
  return nullptr;
}

std::string Catalogue::Unknown(const std::string& figure) const {
  std::vector<std::string> names;
  for (const Definition& definition : figures_) names.push_back(definition.figure);
  std::string text = "there is no figure '" + figure + "'";
  const std::vector<std::string> near = NearNames(figure, names);
  for (size_t i = 0; i < near.size(); ++i) text += (i == 0 ? "; near: " : ", ") + near[i];
  return text + " (./cpr figure --list names all)";
}

}  // namespace experiments::figures
