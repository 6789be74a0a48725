// Program: all that a measuring program of a figure does besides measuring.
//
//   int main(int argc, char** argv) {
//     Settings s;
//     figures::Program program("figure-log", "Throughput and growth of the log by the size of its parts.");
//     program.AddNumber("threads", "worker threads", &s.threads, 1, 64);
//     return program.Run(argc, argv, [&](const figures::Cell& cell, figures::Output* output,
//                                        std::string* problem) { return Measure(s, cell, output, problem);
//                                        });
//   }
//
// The program is called with `--parameters FILE --out DIR`. FILE is {"figure", "series", "x", "round",
// "seed", "parameters": {...}}; every parameter that is declared has to be in it, and no other: a measurement
// must not be of something else than what the definition says. Into DIR go samples.csv and checkpoints.csv
// (if rows were added), and at last run.json; all of them appear whole or not at all, so run.json says that
// the cell is complete. The work folder, for the files of a store, is DIR/work; it goes away at the end.
//
// Exit status: 0 measured; 1 the run found a property violated; 2 wrong parameters or a machine that cannot
// do it; one line on stderr says which. Ends with its parent (PR_SET_PDEATHSIG): nobody would wait for the
// result. Used by one thread; Output's calls too.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/figures/json_place.h"

namespace experiments::figures {

// One point of one series in one round.
struct Cell {
  std::string figure, series, x;
  uint64_t round = 0;
  uint64_t seed = 0;
};

// A table with a header row. Cells hold no comma and no newline.
class Table {
 public:
  void Columns(std::vector<std::string> names) { names_ = std::move(names); }
  void Row(const std::vector<double>& numbers);  // NAN: an empty cell
  void Row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // False: a row has another number of cells than there are columns, or a cell has a comma.
  bool Text(std::string* csv, std::string* error) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> rows_;
};

// What a measurement leaves.
class Output {
 public:
  explicit Output(std::string folder) : folder_(std::move(folder)) {}
  void Metric(const std::string& name, double value) { metrics_.emplace_back(name, value); }  // finite
  void Note(const std::string& text) { notes_.push_back(text); }
  // How many threads worked at a time (clients, and helpers that are always busy): more than the machine has
  // cores, and the cell is marked as oversubscribed.
  void Threads(uint64_t threads) { threads_ = threads; }
  Table* samples() { return &samples_; }          // the first column is "seconds"
  Table* checkpoints() { return &checkpoints_; }  // kind, backend, requested, durable, status, ...
  // Made at the first call, empty.
  bool WorkFolder(std::string* path, std::string* error);

  bool Write(std::string* error) const;

 private:
  const std::string folder_;
  std::vector<std::pair<std::string, double>> metrics_;
  std::vector<std::string> notes_;
  uint64_t threads_ = 1;
  Table samples_, checkpoints_;
};

enum class Outcome {
  kMeasured = 0,
  kViolated = 1,  // *problem says what
  kRefused = 2,   // *problem says which parameter, or what the machine lacks
};

class Program {
 public:
  using Measure = std::function<Outcome(const Cell& cell, Output* output, std::string* problem)>;

  Program(std::string name, std::string description);
  void AddNumber(std::string name, std::string help, uint64_t* value, uint64_t low, uint64_t high);
  void AddReal(std::string name, std::string help, double* value, double low, double high);
  void AddFlag(std::string name, std::string help, bool* value);
  void AddText(std::string name, std::string help, std::string* value);
  void AddChoice(std::string name, std::string help, std::string* value, std::vector<std::string> choices);
  void AddReals(std::string name, std::string help, std::vector<double>* values, double low, double high);

  // What `parameters` says, into the variables. False: one line in *error, with the parameter's name.
  bool Read(const nlohmann::ordered_json& file, const std::string& path, Cell* cell,
            std::string* error) const;
  int Run(int argc, char** argv, const Measure& measure);

 private:
  struct Parameter {
    std::string name, help;
    std::function<void(const JsonPlace& place)> take;
  };
  std::string Help() const;
  int Complain(const std::string& what) const;
  int RunIn(const std::string& parameters, const std::string& out, const Measure& measure);

  const std::string name_, description_;
  std::vector<Parameter> parameters_;
};

}  // namespace experiments::figures
