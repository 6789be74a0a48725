#include "experiments/figures/program.h"

#include <sys/prctl.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "experiments/common/cli.h"
#include "experiments/common/results.h"

namespace experiments::figures {
namespace {

std::string Decimal(double number) {
  if (std::isnan(number)) return "";
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

// The folder of a store, gone whatever the end of the measurement.
struct WorkFolderGuard {
  const std::string path;
  ~WorkFolderGuard() {
    std::error_code code;
    std::filesystem::remove_all(path, code);
  }
};

}  // namespace

void Table::Row(const std::vector<double>& numbers) {
  std::vector<std::string> cells;
  for (const double number : numbers) cells.push_back(Decimal(number));
  rows_.push_back(std::move(cells));
}
void Table::Row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

bool Table::Text(std::string* csv, std::string* error) const {
  const auto add = [&](const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) *csv += (i == 0 ? "" : ",") + cells[i];
    *csv += "\n";
  };
  csv->clear();
  add(names_);
  for (const std::vector<std::string>& row : rows_) {
    bool good = row.size() == names_.size();
    for (const std::string& cell : row) good = good && cell.find_first_of(",\n") == std::string::npos;
    if (!good) {
      *error = "a table's row does not fit its " + std::to_string(names_.size()) + " columns";
      return false;
    }
    add(row);
  }
  return true;
}

bool Output::WorkFolder(std::string* path, std::string* error) {
  *path = folder_ + "/work";
  std::error_code code;
  std::filesystem::remove_all(*path, code);
  return MakeFolder(*path, error);
}

bool Output::Write(std::string* error) const {
  nlohmann::ordered_json run;
  run["metrics"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : metrics_) {
    if (!std::isfinite(value)) {
      *error = "metric " + name + " is no finite number";
      return false;
    }
    run["metrics"][name] = value;
  }
  run["threads"] = threads_;
  run["notes"] = notes_;
  std::string csv;
  for (const auto& [table, file] :
       {std::pair{&samples_, "samples.csv"}, {&checkpoints_, "checkpoints.csv"}}) {
    if (table->empty()) continue;
    if (!table->Text(&csv, error) || !WriteWholeFile(folder_ + "/" + file, csv, error)) return false;
  }
  const std::string text = run.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return WriteWholeFile(folder_ + "/run.json", text, error);
}

Program::Program(std::string name, std::string description)
    : name_(std::move(name)), description_(std::move(description)) {}

void Program::AddNumber(std::string name, std::string help, uint64_t* value, uint64_t low, uint64_t high) {
  parameters_.push_back(
      {std::move(name), std::move(help), [=](const JsonPlace& place) { *value = place.Whole(low, high); }});
}
void Program::AddReal(std::string name, std::string help, double* value, double low, double high) {
  parameters_.push_back(
      {std::move(name), std::move(help), [=](const JsonPlace& place) { *value = place.Real(low, high); }});
}
void Program::AddFlag(std::string name, std::string help, bool* value) {
  parameters_.push_back({std::move(name), std::move(help) + " (true or false)",
                         [=](const JsonPlace& place) { *value = place.Flag(); }});
}
void Program::AddText(std::string name, std::string help, std::string* value) {
  parameters_.push_back(
      {std::move(name), std::move(help), [=](const JsonPlace& place) { *value = place.Text(); }});
}
void Program::AddChoice(std::string name, std::string help, std::string* value,
                        std::vector<std::string> choices) {
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : "|") + choice;
  parameters_.push_back(
      {std::move(name), list + ": " + help, [=](const JsonPlace& place) { *value = place.Choice(choices); }});
}
void Program::AddReals(std::string name, std::string help, std::vector<double>* values, double low,
                       double high) {
  parameters_.push_back({std::move(name), std::move(help) + " (an array)", [=](const JsonPlace& place) {
                           values->clear();
                           for (const JsonPlace& item : place.Items())
                             values->push_back(item.Real(low, high));
                         }});
}

bool Program::Read(const nlohmann::ordered_json& file, const std::string& path, Cell* cell,
                   std::string* error) const {
  error->clear();
  const JsonPlace root(file, path, error);
  root.OnlyMembers({"figure", "series", "x", "round", "seed", "parameters"});
  cell->figure = root.At("figure").Text();
  cell->series = root.At("series").Text();
  const JsonPlace x = root.At("x");
  if (!x.Is(nlohmann::ordered_json::value_t::string)) x.Expected("a text");
  cell->x = x.failed() ? "" : x.json().get<std::string>();
  cell->round = root.At("round").Whole(0, 1'000'000);
  cell->seed = root.At("seed").Whole(0, ~uint64_t{0});
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters_) names.push_back(parameter.name);
  const JsonPlace parameters = root.At("parameters");
  parameters.OnlyMembers(names);
  for (const Parameter& parameter : parameters_) {
    const JsonPlace place = parameters.At(parameter.name);
    if (!place.failed()) parameter.take(place);
  }
  return error->empty();
}

std::string Program::Help() const {
  std::string text = "usage: " + name_ + " --parameters FILE --out DIR\n\n" + description_ +
                     "\n\nFILE: {\"figure\": TEXT, \"series\": TEXT, \"x\": TEXT, \"round\": N, \"seed\": N, "
                     "\"parameters\": {...}}\nThe parameters, all of them:\n";
  for (const Parameter& parameter : parameters_)
    text += "  " + Padded(parameter.name, 22) + " " + parameter.help + "\n";
  return text +
         "\nInto DIR go samples.csv, checkpoints.csv and, at last, run.json. Exit status: 0 measured; "
         "1 a property is\nviolated; 2 wrong parameters or machine.\n\nExample: take parameters.json of "
         "a cell in store/figure-NAME/latest/cells, change it, and\n  " +
         name_ + " --parameters parameters.json --out cell\n";
}

int Program::Complain(const std::string& what) const {
  std::fprintf(stderr, "%s: %s\n", name_.c_str(), what.c_str());
  return static_cast<int>(Outcome::kRefused);
}

int Program::RunIn(const std::string& parameters, const std::string& out, const Measure& measure) {
  nlohmann::ordered_json file;
  std::string error;
  Cell cell;
  if (!ReadJson(parameters, &file, &error) || !Read(file, parameters, &cell, &error)) return Complain(error);
  if (!MakeFolder(out, &error)) return Complain(error);
  std::error_code code;
  for (const char* old : {"run.json", "samples.csv", "checkpoints.csv"})
    std::filesystem::remove(out + "/" + old, code);
  const WorkFolderGuard guard{out + "/work"};
  Output output(out);
  std::string problem;
  const Outcome outcome = measure(cell, &output, &problem);
  if (outcome != Outcome::kMeasured) {
    Complain(problem.empty() ? "no reason given" : problem);
    return static_cast<int>(outcome);
  }
  if (!output.Write(&error)) return Complain(error);
  return 0;
}

int Program::Run(int argc, char** argv, const Measure& measure) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  CommandLine line(name_ + " --parameters FILE --out DIR", description_);
  std::string parameters, out, error;
  line.AddText("parameters", "FILE", "what to measure", &parameters);
  line.AddText("out", "DIR", "where the results go", &out);
  if (!line.Parse({argv + 1, argv + argc}, &error)) return Complain(error);
  if (line.help_wanted()) {
    std::fputs(Help().c_str(), stdout);
    return 0;
  }
  if (!line.positional().empty()) return Complain("unexpected argument " + line.positional().front());
  if (parameters.empty() || out.empty())
    return Complain("expected --parameters FILE and --out DIR (" + name_ + " --help lists the parameters)");
  return RunIn(parameters, out, measure);
}

}  // namespace experiments::figures
