#include "experiments/figures/store.h"

#include <filesystem>
#include <set>

#include "experiments/common/results.h"

namespace experiments::figures {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr uint64_t kRoundsLimit = 1000;  // that a definition may ask for

std::string Dumped(const ordered_json& json) {
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// run.json and cell.json as they have to be; anything may be in a file.
bool ReadCellFiles(const std::string& folder, CellResult* cell, std::string* error) {
  ordered_json run, end;
  if (!ReadJson(folder + "/run.json", &run, error) || !ReadJson(folder + "/cell.json", &end, error))
    return false;
  const JsonPlace run_place(run, folder + "/run.json", error);
  for (const auto& [name, value] : run_place.At("metrics").Members())
    cell->metrics[name] = value.Real(-1e300, 1e300);
  cell->threads = run_place.At("threads").Whole(1, 100000);
  for (const JsonPlace& note : run_place.At("notes").Items()) cell->notes.push_back(note.Text());
  const JsonPlace end_place(end, folder + "/cell.json", error);
  cell->seconds = end_place.At("seconds").Real(0, 1e9);
  cell->cpu_seconds = end_place.At("cpu_seconds").Real(0, 1e12);
  cell->resident_bytes = end_place.At("resident_bytes").Whole(0, uint64_t{1} << 60);
  return error->empty();
}

}  // namespace

bool HoldsFigure(const std::string& folder) {
  std::string error;
  ordered_json json;
  return ReadJson(folder + "/results.json", &json, &error) && json.is_object() && json.contains("definition");
}

bool FigureStore::Create(const Definition& definition, bool quick, const std::string& out,
                         std::string* error) {
  std::error_code code;
  if (!out.empty() && fs::exists(out + "/results.json", code)) {
    *error = out + " holds results already; go on with them by --resume, or name another folder";
    return false;
  }
  ResultFolder folder;
  if (!folder.Create(ProjectRoot(), "figure-" + definition.figure, out, error)) return false;
  folder_ = folder.path();
  definition_ = definition;
  quick_ = quick;
  plans_ = PlanCells(definition_, quick_);
  return Save(error);
}

bool FigureStore::Open(const std::string& folder, std::string* error) {
  ordered_json json;
  const std::string file = folder + "/results.json";
  error->clear();
  if (!ReadJson(file, &json, error)) return false;
  const JsonPlace root(json, file, error);
  const JsonPlace definition = root.At("definition");
  const JsonPlace base = root.At("cells_definition");
  quick_ = root.At("scale").Choice({"quick", "full"}) == "quick";
  const JsonPlace environments = root.At("environments");
  environments.Items();
  if (!error->empty()) return false;
  environments_ = environments.json();
  Definition with_cells;
  const bool shows_others = !base.json().is_null();
  if (shows_others &&
      !ParseDefinition(base.json(), file + " (cells_definition)", nullptr, &with_cells, error))
    return false;
  if (!ParseDefinition(definition.json(), file + " (definition)", shows_others ? &with_cells : nullptr,
                       &definition_, error))
    return false;
  folder_ = folder;
  further_.clear();
  if (root.Has("further")) {
    for (const JsonPlace& item : root.At("further").Items()) {
      const JsonPlace series = item.At("series"), x = item.At("x"), rounds = item.At("rounds");
      const int s = definition_.SeriesIndex(series.Text());
      const int v = x.Is(ordered_json::value_t::string) ? definition_.XIndex(x.json()) : -1;
      if (s < 0) series.Expected("a series of the figure");
      if (v < 0) x.Expected("a value of x of the figure");
      const uint64_t in_all = rounds.Whole(definition_.scale(quick_).rounds + 1, kRoundsLimit);
      if (error->empty()) further_[{static_cast<size_t>(s), static_cast<size_t>(v)}] = in_all;
    }
  }
  plans_ = PlanCells(definition_, quick_, further_);
  return error->empty();
}

uint64_t FigureStore::rounds() const { return MostRounds(further_, definition_.scale(quick_).rounds); }

std::vector<CellPlace> FigureStore::Hidden() const {
  if (definition_.exact) return {};
  const Grid grid = GridOfScale();
  const std::vector<Judgement> judgements = JudgeAll();
  std::set<CellPlace> hidden;
  for (size_t i = 0; i < judgements.size(); ++i) {
    const Claim& claim = definition_.claims[i];
    if (!claim.robust || judgements[i].verdict != Verdict::kNotSeparable) continue;
    for (const CellPlace place : PlacesOf(claim, grid))
      hidden.insert({place.series, definition_.scale(quick_).x[place.x]});
  }
  return {hidden.begin(), hidden.end()};
}

void FigureStore::Further(const std::vector<CellPlace>& places, uint64_t rounds) {
  for (const CellPlace place : places)
    further_.try_emplace(place, definition_.scale(quick_).rounds).first->second += rounds;
  plans_ = PlanCells(definition_, quick_, further_);
}

double FigureStore::RoundSeconds(const std::vector<CellPlace>& places) const {
  double seconds = 0;
  for (const CellPlace place : places) {
    const auto cell = cells_.find(CellFolder(place.series, place.x, 0));
    if (cell != cells_.end()) seconds += cell->second.seconds;
  }
  return seconds;
}

bool FigureStore::Prepare(const CellPlan& plan, std::string* error) const {
  std::error_code code;
  fs::remove_all(Path(plan), code);
  return MakeFolder(Path(plan), error) &&
         WriteWholeFile(Path(plan) + "/parameters.json", Dumped(plan.file), error);
}

bool FigureStore::Seal(const CellPlan& plan, const ProcessResult& ended, std::string* error) const {
  ordered_json cell;
  cell["program"] = plan.program;
  cell["seconds"] = ended.wall_seconds;
  cell["cpu_seconds"] = ended.cpu_seconds;
  cell["resident_bytes"] = ended.resident_bytes;
  return WriteWholeFile(Path(plan) + "/cell.json", Dumped(cell), error);
}

std::optional<CellResult> FigureStore::Read(const CellPlan& plan, std::string* why) const {
  const std::string folder = Path(plan);
  std::error_code code;
  why->clear();
  if (!fs::exists(folder + "/cell.json", code)) return {};
  ordered_json parameters;
  CellResult cell;
  if (!ReadJson(folder + "/parameters.json", &parameters, why)) return {};
  if (parameters != plan.file) {
    *why = folder + "/parameters.json: expected the definition's parameters, found others";
    return {};
  }
  if (!ReadCellFiles(folder, &cell, why)) return {};
  return cell;
}

void FigureStore::Adopt(const std::string& other_folder) const {
  FigureStore other;
  std::string why;
  if (!other.Open(other_folder, &why) || other.definition_.cells_of != definition_.cells_of) return;
  for (const CellPlan& plan : plans_) {
    // Read checks that the other's parameters are those of our plan.
    if (Read(plan, &why) || !other.Read(plan, &why)) continue;
    std::error_code code;
    fs::remove_all(Path(plan), code);
    fs::create_directories(Path(plan), code);
    // cell.json last: it says that the cell is whole.
    for (const char* name :
         {"parameters.json", "samples.csv", "checkpoints.csv", "log", "run.json", "cell.json"}) {
      const fs::path from = fs::path(other.Path(plan)) / name;
      if (fs::exists(from, code)) fs::copy_file(from, fs::path(Path(plan)) / name, code);
      if (code) break;  // then the cell has no cell.json, and is measured
    }
  }
}

bool FigureStore::Take(const CellPlan& plan, std::string* error) {
  std::optional<CellResult> cell = Read(plan, error);
  if (cell) cells_[plan.folder] = std::move(*cell);
  return cell.has_value();
}

size_t FigureStore::Collect() {
  cells_.clear();
  std::string why;
  for (const CellPlan& plan : plans_) {
    if (std::optional<CellResult> cell = Read(plan, &why)) cells_[plan.folder] = std::move(*cell);
  }
  return plans_.size() - cells_.size();
}

Grid FigureStore::GridOfScale() const {
  const Scale& scale = definition_.scale(quick_);
  Grid grid;
  for (const Series& series : definition_.series) grid.series.push_back(series.name);
  for (const size_t x : scale.x) {
    for (const auto& [place, rounds] : further_) {
      if (place.x == x) grid.further[{place.series, grid.x.size()}] = rounds;
    }
    grid.x.push_back(definition_.x_values[x].label);
  }
  grid.rounds = scale.rounds;
  grid.exact = definition_.exact;
  return grid;
}

std::vector<Judgement> FigureStore::JudgeAll() const {
  const Scale& scale = definition_.scale(quick_);
  const Grid grid = GridOfScale();
  const Lookup lookup = [&](size_t series, size_t x, uint64_t round,
                            const std::string& metric) -> std::optional<double> {
    const auto cell = cells_.find(CellFolder(series, scale.x[x], round));
    if (cell == cells_.end()) return {};
    const auto found = cell->second.metrics.find(metric);
    if (found == cell->second.metrics.end()) return {};
    return found->second;
  };
  std::vector<Judgement> judgements;
  for (const Claim& claim : definition_.claims) judgements.push_back(Judge(claim, grid, lookup));
  return judgements;
}

// Of the machine with the fewest, if the run went on elsewhere.
uint64_t FigureStore::cores() const {
  uint64_t fewest = ~uint64_t{0};
  for (const ordered_json& environment : environments_) {
    if (environment.contains("cores") && environment["cores"].is_number_integer())
      fewest = std::min(fewest, environment["cores"].get<uint64_t>());
  }
  return fewest;
}

bool FigureStore::oversubscribed(const CellResult& cell) const { return cell.threads > cores(); }

bool FigureStore::Save(std::string* error) const {
  ordered_json json;
  json["figure"] = definition_.figure;
  json["title"] = definition_.title;
  json["paper"] = definition_.paper + ", " + definition_.number;
  json["setting"] = definition_.setting;
  json["scale"] = quick_ ? "quick" : "full";
  json["rounds"] = definition_.scale(quick_).rounds;
  json["further"] = ordered_json::array();
  for (const auto& [place, rounds] : further_) {
    json["further"].push_back({{"series", definition_.series[place.series].name},
                               {"x", definition_.x_values[place.x].label},
                               {"rounds", rounds}});
  }
  json["complete"] = cells_.size() == plans_.size();
  json["cells_planned"] = plans_.size();
  json["environments"] = environments_;
  ordered_json claims = ordered_json::array();
  const std::vector<Judgement> judgements = JudgeAll();
  for (size_t i = 0; i < judgements.size(); ++i)
    claims.push_back(JudgementJson(definition_.claims[i], judgements[i]));
  json["claims"] = std::move(claims);
  ordered_json cells = ordered_json::array();
  for (const CellPlan& plan : plans_) {
    const auto found = cells_.find(plan.folder);
    if (found == cells_.end()) continue;
    const CellResult& cell = found->second;
    cells.push_back({{"folder", plan.folder},
                     {"series", definition_.series[plan.series].name},
                     {"x", definition_.x_values[plan.x].label},
                     {"round", plan.round},
                     {"seed", plan.file["seed"]},
                     {"parameters", plan.file["parameters"]},
                     {"threads", cell.threads},
                     {"oversubscribed", oversubscribed(cell)},
                     {"seconds", cell.seconds},
                     {"cpu_seconds", cell.cpu_seconds},
                     {"resident_bytes", cell.resident_bytes},
                     {"metrics", cell.metrics},
                     {"notes", cell.notes}});
  }
  json["cells"] = std::move(cells);
  json["definition"] = definition_.json;
  json["cells_definition"] = definition_.base_json;
  return WriteWholeFile(folder_ + "/results.json", Dumped(json), error);
}

}  // namespace experiments::figures
