#include "experiments/figures/session.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "experiments/common/cli.h"
#include "experiments/common/process.h"
#include "experiments/common/results.h"
#include "experiments/figures/drawing.h"
#include "experiments/figures/environment.h"
#include "experiments/figures/report.h"
#include "plots/picture.h"

namespace experiments::figures {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

int Complain(const std::string& what) {
  std::fprintf(stderr, "cpr figure: %s\n", what.c_str());
  return 2;
}

// Five rounds give an interval from their least to their greatest; eight leave out one at each end, eleven
// two.
constexpr uint64_t kMoreRounds = 3, kMostRounds = 17;
constexpr double kQuickUntil = 14.5 * 60;  // with --all --quick
constexpr size_t kMostUndecided = 3;       // of all robust claims of several figures

// Worst first: 2 wrong input or machine, 1 a claim or a property fails, 0.
int Worse(int a, int b) { return std::max(a, b); }

class Session {
 public:
  explicit Session(const SessionOptions& options) : options_(options) {}

  int Again() {
    std::string error;
    if (!HoldsFigure(options_.again)) return Complain(options_.again + " holds no run of a figure");
    stores_.push_back(std::make_unique<FigureStore>());
    FigureStore& store = *stores_.back();
    if (!store.Open(options_.again, &error)) return Complain(error);
    const size_t missing = store.Collect();
    const int status = Finish(store);
    if (!WriteReport(stores_, {}, store.folder(), &error)) return Complain(error);
    if (missing == 0) return status;
    return Complain(Incomplete(store, missing));
  }

  int Run() {
    std::string error;
    if (options_.pictures && !plots::HasGnuplot())
      return Complain("gnuplot is not there: apt-get install gnuplot-nox, or measure with --no-pictures");
    if (!(options_.resume.empty() ? Begin(&error) : Resume(&error))) return Complain(error);
    for (const auto& store : stores_) {
      if (!CheckPrograms(store->definition(), options_.programs, &error)) return Complain(error);
      if (std::string lack = Lacking(store->definition(), store->quick(), store->folder()); !lack.empty())
        return Complain(lack);
    }
    StopOnSignals();
    return RunAll();
  }

 private:
  // ---- which figures ----

  bool Begin(std::string* error) {
    Catalogue catalogue;
    if (!catalogue.Read(options_.definitions, error)) return false;
    std::vector<const Definition*> wanted;
    for (const std::string& name : options_.figures) {
      const Definition* definition = catalogue.Find(name);
      if (definition == nullptr) {
        *error = catalogue.Unknown(name);
        return false;
      }
      wanted.push_back(definition);
    }
    if (options_.all) {
      for (const Definition& definition : catalogue.figures()) {
        const std::string lack = Lacking(definition, options_.quick, ProjectRoot());
        if (lack.empty())
          wanted.push_back(&definition);
        else
          left_out_.push_back(lack);
      }
      for (const std::string& line : left_out_) Complain("left out: " + line);
      if (wanted.empty()) {
        *error = "nothing can be measured here";
        return false;
      }
    }
    // A machine that cannot do the last one that was named is found before the first one is begun.
    for (const Definition* definition : wanted) {
      if (!CheckPrograms(*definition, options_.programs, error)) return false;
      *error = Lacking(*definition, options_.quick, ProjectRoot());
      if (!error->empty()) return false;
    }
    const bool several = wanted.size() > 1 || options_.all;
    if (several && !MakeSession(error)) return false;
    for (const Definition* definition : wanted) {
      std::string out = options_.out;
      if (several && !out.empty()) out += "/figure-" + definition->figure;
      stores_.push_back(std::make_unique<FigureStore>());
      if (!stores_.back()->Create(*definition, options_.quick, out, error)) return false;
    }
    return !several || SaveSession(error);
  }

  bool MakeSession(std::string* error) {
    ResultFolder folder;
    std::error_code code;
    if (!options_.out.empty() && fs::exists(options_.out + "/session.json", code)) {
      *error = options_.out + " holds results already; go on with them by --resume, or name another folder";
      return false;
    }
    if (!folder.Create(ProjectRoot(), "figures", options_.out, error)) return false;
    folder_ = folder.path();
    return true;
  }

  bool SaveSession(std::string* error) const {
    ordered_json json;
    json["figures"] = ordered_json::array();
    for (const auto& store : stores_) {
      std::error_code code;
      json["figures"].push_back(
          {{"figure", store->definition().figure}, {"folder", fs::absolute(store->folder(), code).string()}});
    }
    json["left_out"] = left_out_;
    return WriteWholeFile(folder_ + "/session.json", json.dump(1) + "\n", error);
  }

  bool Resume(std::string* error) {
    std::vector<std::string> folders;
    if (HoldsFigure(options_.resume)) {
      folders.push_back(options_.resume);
    } else {
      ordered_json json;
      const std::string file = options_.resume + "/session.json";
      error->clear();
      if (!ReadJson(file, &json, error)) {
        *error = options_.resume + " holds no run of figures to go on with (" + *error + ")";
        return false;
      }
      const JsonPlace root(json, file, error);
      for (const JsonPlace& item : root.At("figures").Items()) folders.push_back(item.At("folder").Text());
      if (root.Has("left_out")) {
        for (const JsonPlace& item : root.At("left_out").Items()) left_out_.push_back(item.Text());
      }
      if (!error->empty()) return false;
      folder_ = options_.resume;
    }
    for (const std::string& folder : folders) {
      stores_.push_back(std::make_unique<FigureStore>());
      if (!stores_.back()->Open(folder, error)) return false;
      stores_.back()->Collect();
    }
    return true;
  }

  // ---- the run ----

  int RunAll() {
    int status = left_out_.empty() ? 0 : 2;
    double expected = 0;
    for (const auto& store : stores_) expected += ExpectedSeconds(*store) * (FirstOfItsCells(*store) ? 1 : 0);
    const auto start = std::chrono::steady_clock::now();
    bench::Pace pace;
    pace.SetTotal(expected);
    for (const auto& store : stores_) {
      status = Worse(status, RunOne(*store, &pace));
      if (g_stop.load()) break;
    }
    while (!g_stop.load()) {
      const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      FigureStore* store = NextHidden(Until() - spent);
      if (store == nullptr) break;
      const std::vector<CellPlace> hidden = store->Hidden();
      pace.SetTotal(expected += store->RoundSeconds(hidden) * kMoreRounds);
      store->Further(hidden, kMoreRounds);
      status = Worse(status, RunOne(*store, &pace));
    }
    pace.End();
    if (g_stop.load()) {
      const std::string folder = folder_.empty() ? stores_.front()->folder() : folder_;
      std::fprintf(stderr, "cpr figure: interrupted; go on with: ./cpr figure --resume %s\n",
                   ShellQuote(folder).c_str());
      return 130;
    }
    std::string error;
    if (!WriteReport(stores_, left_out_, folder_.empty() ? stores_.front()->folder() : folder_, &error))
      return Complain(error);
    if (options_.json) {
      std::printf("%s\n",
                  ClaimsJson(stores_).dump(1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    } else if (!folder_.empty()) {
      std::printf("%s\n# %s/index.html\n# %s/claims.md\n", TallyOf(stores_).Text().c_str(), folder_.c_str(),
                  folder_.c_str());
    }
    const size_t hidden = TallyOf(stores_).robust_undecided;
    if (stores_.size() <= 1 || hidden <= kMostUndecided) return status;
    std::fprintf(stderr, "cpr figure: noise hides %zu robust claims, more than %zu; is the machine idle?\n",
                 hidden, kMostUndecided);
    return Worse(status, 1);
  }

  double Until() const {
    if (options_.further_until) return *options_.further_until;
    return options_.all && options_.quick ? kQuickUntil : 0;
  }

  // Of the figures with a robust claim that noise hides, the one with the fewest rounds, and of those the one
  // whose cells take the least time; none if that is more than what is left.
  FigureStore* NextHidden(double left) const {
    FigureStore* next = nullptr;
    double cost = left;
    for (const auto& store : stores_) {
      if (store->rounds() + kMoreRounds > kMostRounds) continue;
      if (next != nullptr && store->rounds() > next->rounds()) continue;
      const std::vector<CellPlace> hidden = store->Hidden();
      const double takes = store->RoundSeconds(hidden) * kMoreRounds;
      if (hidden.empty() || takes > left) continue;
      if (next != nullptr && store->rounds() == next->rounds() && takes >= cost) continue;
      next = store.get();
      cost = takes;
    }
    return next;
  }

  const FigureStore* OthersOfItsCells(const FigureStore& store) const {
    for (const auto& other : stores_) {
      if (other.get() == &store) return nullptr;
      if (other->definition().cells_of == store.definition().cells_of && other->quick() == store.quick())
        return other.get();
    }
    return nullptr;
  }
  bool FirstOfItsCells(const FigureStore& store) const { return OthersOfItsCells(store) == nullptr; }

  int RunOne(FigureStore& store, bench::Pace* pace) {
    std::string problem;
    if (const FigureStore* other = OthersOfItsCells(store)) store.Adopt(other->folder());
    const size_t missing = store.Collect();
    if (missing > 0 || store.environments().empty()) store.AddEnvironment(EnvironmentJson(store.folder()));
    const RunEnd end = RunCells(&store, options_.programs, pace, &problem);
    pace->Quiet();
    if (end == RunEnd::kInterrupted) return 0;
    const int judged = Finish(store);
    if (end == RunEnd::kComplete) return judged;
    Complain(problem);
    return end == RunEnd::kRefused ? 2 : 1;
  }

  // Judges, draws and prints what there is.
  int Finish(FigureStore& store) {
    std::string error;
    if (!store.Save(&error)) return Complain(error);
    const std::vector<Judgement> judgements = store.JudgeAll();
    Print(store, judgements);
    int status = 0;
    if (options_.json && !options_.again.empty())
      std::printf("%s\n",
                  ClaimsJson(stores_).dump(1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    if (options_.pictures && !store.cells().empty() && !DrawPicture(store, &error)) status = Complain(error);
    for (size_t i = 0; i < judgements.size(); ++i) {
      const bool failed =
          judgements[i].verdict == Verdict::kDoesNotHold || judgements[i].verdict == Verdict::kNotMeasured;
      if (failed && store.definition().claims[i].robust) status = Worse(status, 1);
    }
    return status;
  }

  void Print(const FigureStore& store, const std::vector<Judgement>& judgements) const {
    if (options_.json) return;
    const Definition& definition = store.definition();
    std::printf("%s: %s (%s, %zu of %zu cells)\n", definition.figure.c_str(), definition.title.c_str(),
                store.quick() ? "quick" : "full", store.cells().size(), store.plans().size());
    for (size_t i = 0; i < judgements.size(); ++i) {
      const Claim& claim = definition.claims[i];
      std::printf("  %-24s %s%s: %s (%s)\n", std::string(VerdictText(judgements[i].verdict)).c_str(),
                  claim.robust ? "" : "[not robust] ", claim.text.c_str(),
                  judgements[i].Measured(claim).c_str(), BoundText(claim).c_str());
    }
    std::printf("  # %s\n", store.folder().c_str());
    std::fflush(stdout);
  }

  static std::string Incomplete(const FigureStore& store, size_t missing) {
    return store.definition().figure + " is not complete: " + std::to_string(missing) + " of " +
           std::to_string(store.plans().size()) +
           " cells are missing; measure them with: ./cpr figure --resume " + ShellQuote(store.folder());
  }

  const SessionOptions& options_;
  std::string folder_;                 // of a session of several
  std::vector<std::string> left_out_;  // with --all: why the machine cannot do a figure
  Stores stores_;
};

}  // namespace

int RunSession(const SessionOptions& options) {
  Session session(options);
  return options.again.empty() ? session.Run() : session.Again();
}

int ListFigures(const SessionOptions& options) {
  Catalogue catalogue;
  std::string error;
  if (!catalogue.Read(options.definitions, &error)) return Complain(error);
  for (const Definition& definition : catalogue.figures()) {
    std::printf("%-16s %4.0f s quick, %6.0f s full  %s (%s)\n", definition.figure.c_str(),
                definition.quick.seconds, definition.full.seconds, definition.title.c_str(),
                definition.paper.c_str());
  }
  return 0;
}

}  // namespace experiments::figures
