#include "experiments/bench/report.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>

namespace experiments::bench {
namespace {

using nlohmann::ordered_json;

std::atomic<bool> g_interrupted{false};

void OnSignal(int signal) {
  g_interrupted = true;
  std::signal(signal, SIG_DFL);
}

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, value != 0 && std::abs(value) < 0.1 ? "%.2g" : "%.3f", value);
  return text;
}

double LoadAverage() {
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

}  // namespace

void CatchInterrupts() {
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
}
bool Interrupted() { return g_interrupted.load(std::memory_order_relaxed); }
const std::atomic<bool>* InterruptFlag() { return &g_interrupted; }

int Complain(const std::string& what) {
  std::fprintf(stderr, "cpr bench: %s\n", what.c_str());
  return 2;
}

Pace::Pace() {
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      wake_.wait_for(lock, std::chrono::milliseconds(250));
      if (visible_ && !stop_ && progress_.Due()) progress_.Show(Line());
    }
  });
}

Pace::~Pace() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    progress_.Clear();
  }
  wake_.notify_one();
  thread_.join();
}

void Pace::SetTotal(double expected_seconds) {
  std::lock_guard lock(mutex_);
  total_ = expected_seconds;
}

void Pace::Account() {
  if (step_.empty()) return;
  done_ += expected_;
  spent_ += MonotonicSeconds() - began_;
  step_.clear();
}

void Pace::Begin(const std::string& step, double expected_seconds) {
  std::lock_guard lock(mutex_);
  Account();
  step_ = step;
  expected_ = expected_seconds;
  began_ = MonotonicSeconds();
  visible_ = true;
}

void Pace::Skip(double expected_seconds) {
  std::lock_guard lock(mutex_);
  total_ = std::max(total_ - expected_seconds, 0.0);
}

void Pace::Quiet() {
  std::lock_guard lock(mutex_);
  progress_.Clear();
}

void Pace::End() {
  std::lock_guard lock(mutex_);
  Account();
  visible_ = false;
  progress_.Clear();
}

std::string Pace::Line() {
  const double factor = done_ > 0 ? spent_ / done_ : 1;
  const double here = MonotonicSeconds() - began_;
  const double left =
      std::max(total_ - done_ - expected_, 0.0) * factor + std::max(expected_ * factor - here, 0.0);
  return step_ + "; about " + DurationText(std::max(left, 1.0)) + " left";
}

bool Report::Open(const std::string& out, const std::vector<std::string>& arguments, std::string* error) {
  if (!folder_.Create(ProjectRoot(), "bench", out, error)) return false;
  json_["valid"] = true;
  json_["complete"] = false;
  json_["interrupted"] = false;
  json_["time"] = UtcTime();
  json_["arguments"] = arguments;
  json_["cores"] = std::thread::hardware_concurrency();
  json_["load_average_before"] = LoadAverage();
  json_["findings"] = ordered_json::array();
  json_["left_out"] = ordered_json::array();
  return Save(error);
}

void Report::Add(const Finding& finding) {
  if (finding.rounds.empty()) return;
  const auto [least, most] = std::minmax_element(finding.rounds.begin(), finding.rounds.end());
  const double median = Median(finding.rounds);
  ordered_json json = {
      {"cell", finding.cell}, {"what", finding.what}, {"unit", finding.unit}, {"rounds", finding.rounds},
      {"median", median},     {"least", *least},      {"most", *most}};
  std::string verdict;
  if (finding.bar) {
    const std::string_view word = Verdict(finding.rounds, *finding.bar);
    json["bar"] = {{"value", finding.bar->value}, {"at_least", finding.bar->at_least}};
    json["verdict"] = word;
    verdict =
        (finding.bar->at_least ? "  >= " : "  <= ") + Number(finding.bar->value) + "  " + std::string(word);
  }
  json_["findings"].push_back(json);
  char line[256];
  std::snprintf(line, sizeof line, "%-26s %-44s %10s [%s, %s] %s%s", finding.cell.c_str(),
                finding.what.c_str(), Number(median).c_str(), Number(*least).c_str(), Number(*most).c_str(),
                finding.unit.c_str(), verdict.c_str());
  Say(line);
}

void Report::LeaveOut(const std::string& what, const std::string& why) {
  json_["left_out"].push_back({{"what", what}, {"why", why}});
  unsaid_.push_back("left out: " + what + ": " + why);
}

void Report::Say(const std::string& line) {
  pace_.Quiet();
  for (const std::string& left_out : unsaid_) std::printf("%s\n", left_out.c_str());
  unsaid_.clear();
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

bool Report::Save(std::string* error) {
  return folder_.Write("results.json",
                       json_.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n", error);
}

int Report::Finish() {
  pace_.End();
  json_["complete"] = !Interrupted();
  json_["interrupted"] = Interrupted();
  std::string error;
  if (!Save(&error)) return Complain(error);
  Say("# results: " + folder_.path());
  return Interrupted() ? 130 : 0;
}

}  // namespace experiments::bench
