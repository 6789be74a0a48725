// Report: the table and results.json of a long benchmark, and how far it is.
//
// results.json is written anew after every round, so it is valid and has all that was measured whenever the
// program ends; "complete" is true only at the end. A finding is a figure with one value per round; the table
// shows median, least and most, and what the rounds say about its bar. Used by one thread, but for the thread
// that shows the progress.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "experiments/bench/statistics.h"
#include "experiments/common/progress.h"
#include "experiments/common/results.h"

namespace experiments::bench {

// SIGINT and SIGTERM set it; the second one ends the process.
void CatchInterrupts();
bool Interrupted();
const std::atomic<bool>* InterruptFlag();

struct Finding {
  std::string cell;  // what was measured: "full snapshot uniform"
  std::string what;  // "throughput with / without checkpoints"
  std::string unit;
  std::vector<double> rounds;
  std::optional<Bar> bar;
};

// A line on stderr with the time left while a step runs. Steps are announced with the seconds that they
// should take; how long the past ones took instead corrects what is left.
class Pace {
 public:
  Pace();
  ~Pace();
  void SetTotal(double expected_seconds);
  void Begin(const std::string& step, double expected_seconds);  // ends the step before
  void Skip(double expected_seconds);                            // a step that is left out
  void Quiet();                                                  // before something else is printed
  void End();                                                    // no line any more

 private:
  std::string Line();
  void Account();

  Progress progress_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string step_;
  double total_ = 0, done_ = 0, spent_ = 0;  // expected seconds; of those done, and what they took
  double began_ = 0, expected_ = 0;          // of the step that runs
  bool visible_ = false, stop_ = false;
  std::thread thread_;
};

class Report {
 public:
  // Folder, environment and arguments. False: one line in *error.
  bool Open(const std::string& out, const std::vector<std::string>& arguments, std::string* error);
  nlohmann::ordered_json& json() { return json_; }
  const std::string& folder() const { return folder_.path(); }
  Pace& pace() { return pace_; }
  // A table's line. Findings without a value are left out.
  void Add(const Finding& finding);
  // Said with the next line.
  void LeaveOut(const std::string& what, const std::string& why);
  void Say(const std::string& line);  // a line on stdout
  bool Save(std::string* error);
  // The last words; 0, or 130 if interrupted, or 2 if the results cannot be written.
  int Finish();

 private:
  ResultFolder folder_;
  nlohmann::ordered_json json_;
  std::vector<std::string> unsaid_;
  Pace pace_;
};

int Complain(const std::string& what);  // one line on stderr; 2

}  // namespace experiments::bench
