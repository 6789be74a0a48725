// FigureStore: the folder of one run of a figure.
//
//   results.json       the definition, the rounds, the cells with more of them than it asks for, the
//   machine(s),
//                      every cell's metrics, every claim's judgement
//   cells/S-X-R/       series S, value X of x, round R: parameters.json (what the program read), run.json,
//                      samples.csv, checkpoints.csv, cell.json (how the process ended) and log
//   <figure>.pdf ...   the pictures, with the .gp and .dat that make them
//
// A cell is done when its run.json and cell.json are there and its parameters.json is what the plan says: so
// a run that was interrupted anywhere goes on with the cells that are missing. Errors are one line. One
// thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "experiments/common/process.h"
#include "experiments/figures/cells.h"
#include "experiments/figures/claim.h"

namespace experiments::figures {

struct CellResult {
  std::map<std::string, double> metrics;
  std::vector<std::string> notes;
  uint64_t threads = 1;
  double seconds = 0, cpu_seconds = 0;  // of the process
  uint64_t resident_bytes = 0;
};

class FigureStore {
 public:
  // A new folder, `out` or store/figure-<name>/<UTC time>; an `out` that holds a run already is refused.
  bool Create(const Definition& definition, bool quick, const std::string& out, std::string* error);
  // One that is there, with the definition that it was made with.
  bool Open(const std::string& folder, std::string* error);

  const Definition& definition() const { return definition_; }
  bool quick() const { return quick_; }
  const std::string& folder() const { return folder_; }
  const std::vector<CellPlan>& plans() const { return plans_; }
  uint64_t rounds() const;  // of the cells with the most
  // The cells of robust claims that noise hides; none of an exact figure, and none where a cell is missing.
  std::vector<CellPlace> Hidden() const;
  // Plans so many rounds more of these cells. What was measured stays.
  void Further(const std::vector<CellPlace>& places, uint64_t rounds);
  // What a round of them took, in seconds.
  double RoundSeconds(const std::vector<CellPlace>& places) const;
  std::string Path(const CellPlan& plan) const { return folder_ + "/" + plan.folder; }

  void AddEnvironment(nlohmann::ordered_json environment) { environments_.push_back(std::move(environment)); }
  const nlohmann::ordered_json& environments() const { return environments_; }
  // An empty folder with parameters.json.
  bool Prepare(const CellPlan& plan, std::string* error) const;
  // After its process ended well.
  bool Seal(const CellPlan& plan, const ProcessResult& ended, std::string* error) const;
  // Nothing if the cell is not done; then *why says so, empty if it was never begun.
  std::optional<CellResult> Read(const CellPlan& plan, std::string* why) const;
  // Copies the cells that are missing here from another run of the same cells.
  void Adopt(const std::string& other_folder) const;

  // One cell more that is done. False: its run.json is not what a program leaves.
  bool Take(const CellPlan& plan, std::string* error);
  // Reads every cell again: what Judge needs. The number of those that are missing.
  size_t Collect();
  const std::map<std::string, CellResult>& cells() const { return cells_; }  // by folder
  std::vector<Judgement> JudgeAll() const;
  bool oversubscribed(const CellResult& cell) const;
  // results.json.
  bool Save(std::string* error) const;

 private:
  uint64_t cores() const;
  Grid GridOfScale() const;

  Definition definition_;
  bool quick_ = false;
  std::string folder_;
  FurtherRounds further_;
  std::vector<CellPlan> plans_;
  nlohmann::ordered_json environments_ = nlohmann::ordered_json::array();
  std::map<std::string, CellResult> cells_;
};

// Is there a run of a figure in this folder?
bool HoldsFigure(const std::string& folder);

}  // namespace experiments::figures
