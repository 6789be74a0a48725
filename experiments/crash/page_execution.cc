// The page of one execution: an inline SVG with one lane per session, the device and the checkpoint's phases
// over the steps of the scheduler; below it the verdict and the timeline as text.
#include <algorithm>
#include <map>

#include "experiments/crash/page.h"
#include "experiments/crash/page_parts.h"
#include "experiments/crash/replay.h"

namespace experiments {
namespace {

constexpr double kLeft = 110, kRight = 990, kLaneHeight = 26, kTop = 34;

struct Bar {
  uint64_t from, to;
  size_t lane;
  std::string label, title, css;
};

// Steps are mapped to x through the lines that say something, so that long quiet stretches do not hide the
// rest.
class Axis {
 public:
  void See(uint64_t step) { steps_.push_back(step); }
  void Finish() {
    std::sort(steps_.begin(), steps_.end());
    steps_.erase(std::unique(steps_.begin(), steps_.end()), steps_.end());
  }
  double X(uint64_t step) const {
    if (steps_.size() < 2) return kLeft;
    const auto at = std::lower_bound(steps_.begin(), steps_.end(), step) - steps_.begin();
    return kLeft + (kRight - kLeft) * static_cast<double>(at) / static_cast<double>(steps_.size() - 1);
  }
  const std::vector<uint64_t>& steps() const { return steps_; }

 private:
  std::vector<uint64_t> steps_;
};

class Picture {
 public:
  Picture(const ExecutionResult& result, Execution& execution) : result_(result), execution_(execution) {}

  std::string Svg() {
    FindWindow();
    for (const StoryLine& line : execution_.story()) {
      if (line.step >= first_) axis_.See(line.step);
    }
    for (const faults::IoEvent& event : execution_.storage().Events()) {
      if (event.step >= first_) axis_.See(event.step);
    }
    axis_.Finish();
    Collect();
    return Draw();
  }

 private:
  // The fill is left out: it is long and the same every time.
  void FindWindow() {
    for (const StoryLine& line : execution_.story()) {
      if (line.lane == "loader") first_ = line.step;
    }
  }
  size_t Lane(const std::string& name) {
    const auto found = std::find(lanes_.begin(), lanes_.end(), name);
    if (found != lanes_.end()) return static_cast<size_t>(found - lanes_.begin());
    lanes_.push_back(name);
    return lanes_.size() - 1;
  }

  void Collect() {
    Lane("checkpoint");
    std::map<std::string, std::pair<uint64_t, std::string>> open;
    uint64_t phase_from = first_, last = first_;
    std::string phase = "Rest";
    for (const StoryLine& line : execution_.story()) {
      if (line.step < first_ || line.lane == "loader" || line.lane == "verification") continue;
      last = std::max(last, line.step);
      if (line.lane == "harness") {
        marks_.push_back(
            {line.step, line.step, 0, "", line.text, line.text.find("CRASH") == 0 ? "crash" : "mark"});
        if (line.text.find("CRASH") == 0) {
          EndPhase(&phase, &phase_from, line.step, "Rest");
          for (auto& [lane, begun] : open) AddOperation(lane, begun.first, line.step, begun.second, true);
          open.clear();
        }
      } else if (line.lane == "checkpoint") {
        const size_t name = line.text.find("phase ");
        if (name == 0)
          EndPhase(&phase, &phase_from, line.step, line.text.substr(6, line.text.find(',') - 6));
        else
          marks_.push_back({line.step, line.step, 0, "", line.text, "tick"});
      } else {
        AddLine(line, &open);
      }
    }
    EndPhase(&phase, &phase_from, last, "Rest");
    for (auto& [lane, begun] : open) AddOperation(lane, begun.first, last, begun.second, true);
    const size_t device = Lane("device");
    for (const faults::IoEvent& event : execution_.storage().Events()) {
      if (event.step < first_) continue;
      const bool bad = event.fault != faults::FaultKind::kNone;
      bars_.push_back({event.step, event.step, device, "",
                       std::string(IoEventKindName(event.kind)) + " " +
                           std::string(execution_.storage().path_name(event.path)),
                       bad                                        ? "io bad"
                       : event.kind == faults::IoEventKind::kSync ? "io sync"
                                                                  : "io"});
    }
  }
  void EndPhase(std::string* phase, uint64_t* from, uint64_t now, const std::string& next) {
    if (*phase != "Rest")
      bars_.push_back({*from, now, 0, *phase, *phase, "phase p" + std::to_string(PhaseIndex(*phase))});
    *phase = next;
    *from = now;
  }
  void AddOperation(const std::string& lane, uint64_t from, uint64_t to, const std::string& what,
                    bool unanswered) {
    bars_.push_back({from, to, Lane(lane), what, what, unanswered ? "op lost" : "op"});
  }
  void AddLine(const StoryLine& line, std::map<std::string, std::pair<uint64_t, std::string>>* open) {
    const size_t as = line.text.find(" as #");
    if (as != std::string::npos) {
      const auto old = open->find(line.lane);
      if (old != open->end()) AddOperation(line.lane, old->second.first, line.step, old->second.second, true);
      (*open)[line.lane] = {line.step, line.text.substr(0, as)};
      return;
    }
    const auto begun = open->find(line.lane);
    if (line.text[0] == '#' && begun != open->end()) {
      AddOperation(line.lane, begun->second.first, line.step, begun->second.second + ": " + line.text, false);
      open->erase(begun);
    } else if (line.text.find("session ") != 0) {
      bars_.push_back({line.step, line.step, Lane(line.lane), "", line.text, "tick"});
    }
  }

  std::string Draw() const {
    const double height = kTop + kLaneHeight * static_cast<double>(lanes_.size()) + 12;
    std::string svg =
        "<svg viewBox='0 0 1000 " + Number(height) + "' role='img' aria-label='timeline of the execution'>";
    for (size_t lane = 0; lane < lanes_.size(); ++lane) {
      const double y = kTop + kLaneHeight * static_cast<double>(lane);
      svg += "<text class='lane' x='4' y='" + Number(y + 15) + "'>" + EscapeHtml(lanes_[lane]) + "</text>";
      svg += "<line class='rule' x1='" + Number(kLeft) + "' x2='" + Number(kRight) + "' y1='" +
             Number(y + 22) + "' y2='" + Number(y + 22) + "'/>";
    }
    for (const Bar& bar : bars_) svg += BarSvg(bar);
    for (const Bar& mark : marks_) {
      const std::string x = Number(axis_.X(mark.from));
      if (mark.css == "tick") {
        svg += "<circle class='tick' cx='" + x + "' cy='" + Number(kTop + 20) + "' r='2.5'><title>" +
               EscapeHtml(mark.title) + "</title></circle>";
        continue;
      }
      svg += "<line class='" + mark.css + "' x1='" + x + "' x2='" + x + "' y1='16' y2='" +
             Number(height - 6) + "'><title>" + EscapeHtml(mark.title) + "</title></line>";
      if (mark.css == "crash") {
        svg += "<text class='crashname' x='" + x + "' y='12' text-anchor='middle'>crash</text>";
      }
    }
    return svg + "</svg>";
  }
  std::string BarSvg(const Bar& bar) const {
    const double x = axis_.X(bar.from);
    const double width = std::max(2.5, axis_.X(bar.to) - x);
    const double y = kTop + kLaneHeight * static_cast<double>(bar.lane);
    std::string svg = "<g><rect class='" + bar.css + "' x='" + Number(x) + "' y='" + Number(y + 2) +
                      "' width='" + Number(width) + "' height='18' rx='2'><title>step " +
                      std::to_string(bar.from) + ": " + EscapeHtml(bar.title) + "</title></rect>";
    if (!bar.label.empty() && width > 6.2 * static_cast<double>(bar.label.size())) {
      svg += "<text class='barname' x='" + Number(x + 3) + "' y='" + Number(y + 15) + "'>" +
             EscapeHtml(bar.label) + "</text>";
    }
    return svg + "</g>";
  }

  const ExecutionResult& result_;
  Execution& execution_;
  uint64_t first_ = 0;
  Axis axis_;
  std::vector<std::string> lanes_;
  std::vector<Bar> bars_, marks_;
};

}  // namespace

std::string ExecutionPage(const StoredExecution& stored, const ExecutionResult& result,
                          Execution& execution) {
  std::string body;
  body += "<header class='" + std::string(result.violation ? "fail" : "pass") +
          "'><p class='kicker'>one execution</p><h1>" +
          (result.violation ? EscapeHtml(result.rule) + " violated" : std::string("No violation")) +
          "</h1><p>" + EscapeHtml(result.violation ? result.what : "every session came back as a prefix") +
          "</p></header>";
  body +=
      "<section><h2>Timeline</h2><p class='note'>Bars are operations from call to answer (open ends: never "
      "answered), the "
      "ribbon is the phase of the checkpoint, dots are its requests and callbacks, red lines are crashes. "
      "Time is scheduler "
      "steps, stretched where much happens; the fill is left out. Point at anything for its step.</p><div "
      "class='scroll'>" +
      Picture(result, execution).Svg() + "</div></section>";
  if (!result.verdict.ok) {
    body += "<section><h2>Expected and recovered</h2><pre>" +
            EscapeHtml(Explain(execution.history(), result.verdict)) + "</pre></section>";
  }
  if (!result.detail.empty())
    body += "<section><h2>State</h2><pre>" + EscapeHtml(result.detail) + "</pre></section>";
  body +=
      "<section><h2>What was done</h2><pre>" + EscapeHtml(ScenarioJson(stored.scenario)) + "</pre></section>";
  body += "<section><h2>Line by line</h2><details><summary>the text timeline</summary><pre>" +
          EscapeHtml(StoryText(stored, result, execution)) + "</pre></details></section>";
  return WholePage("CPR: " + (result.violation ? result.rule + " violated" : std::string("an execution")),
                   body);
}

}  // namespace experiments
