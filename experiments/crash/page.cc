// The page of a campaign, and what all pages share: style sheet, escaping, numbers.
#include "experiments/crash/page.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "experiments/common/phase_table.h"
#include "experiments/common/progress.h"
#include "experiments/common/results.h"
#include "experiments/crash/page_parts.h"

namespace experiments {
namespace {

// One hue for counts; green, amber and red are kept for pass, doubt and violation.
constexpr const char* kStyle = R"css(
:root{--paper:#fbfaf7;--ink:#1d2328;--soft:#5b656d;--rule:#d9d6cd;--card:#ffffff;--heat:38,99,140;
 --good:#1b7a4b;--bad:#b3261e;--doubt:#9a6700;--op:#4a7ba6;--lost:#c9a227;--io:#8a929a;--sync:#1b7a4b}
@media (prefers-color-scheme:dark){:root{--paper:#14181c;--ink:#e6e4df;--soft:#9aa4ac;--rule:#2f363c;
 --card:#1b2025;
 --heat:94,163,209;--good:#5cc08b;--bad:#f2817a;--doubt:#e0b04c;--op:#5f93c2;--lost:#d9b64a;--io:#78828b;
 --sync:#5cc08b}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
 font:15px/1.5 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}
header{border-left:6px solid var(--soft);padding:2px 0 2px 18px;margin-bottom:26px}
header.pass{border-color:var(--good)}header.fail{border-color:var(--bad)}
 header.doubt{border-color:var(--doubt)}
h1{font-size:30px;line-height:1.2;margin:0 0 6px}.pass h1{color:var(--good)}.fail h1{color:var(--bad)}
 .doubt h1{color:var(--doubt)}
header p{margin:2px 0;overflow-wrap:anywhere}.kicker{color:var(--soft);letter-spacing:.06em}
h2{font-size:19px;margin:34px 0 8px}.note{color:var(--soft);max-width:76ch;margin:4px 0 12px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px}
.figures div{background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:10px 12px}
.figures b{display:block;font-size:21px;font-variant-numeric:tabular-nums}.figures span{color:var(--soft);
 font-size:13px}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:600;text-align:left;padding:6px 8px;font-size:13px;color:var(--soft);white-space:nowrap}
td{padding:7px 8px;border:1px solid var(--rule);text-align:right;white-space:nowrap}
td.none{border-color:transparent;color:var(--soft);text-align:center}td small{display:block;font-size:11px;
 color:var(--soft)}
td.missed{outline:2px solid var(--doubt);outline-offset:-2px}td.violated{outline:2px solid var(--bad);
 outline-offset:-2px}
.plain td{text-align:left;white-space:normal}.plain{font-variant-numeric:normal}
 .plain td:first-child{white-space:nowrap;color:var(--soft)}
article{background:var(--card);border:1px solid var(--rule);border-left:4px solid var(--bad);
 border-radius:6px;padding:12px 16px;margin:12px 0}
article h3{margin:0 0 4px;font-size:16px}article p{margin:4px 0;overflow-wrap:anywhere}
pre,code{font:12.5px/1.5 ui-monospace,monospace}pre{background:var(--card);border:1px solid var(--rule);
 border-radius:6px;
 padding:10px 12px;overflow-x:auto;margin:8px 0}summary{cursor:pointer;color:var(--soft)}a{color:inherit}
svg{display:block;min-width:760px;width:100%;height:auto}svg text{font:11px system-ui,sans-serif;
 fill:var(--ink)}
.rule{stroke:var(--rule)}.op{fill:var(--op);opacity:.75}.op.lost{fill:var(--lost)}.io{fill:var(--io)}
 .io.sync{fill:var(--sync)}
.io.bad{fill:var(--bad)}.tick{fill:var(--ink)}rect.tick{opacity:.5}.mark{stroke:var(--soft);
 stroke-dasharray:3 3}
.crash{stroke:var(--bad);stroke-width:2}svg .crashname{fill:var(--bad)}svg .barname{font-size:10px;
 pointer-events:none}
.phase{fill:rgb(var(--heat));stroke:var(--paper);opacity:.2}.phase.p3{opacity:.35}.phase.p4{opacity:.5}
 .phase.p5{opacity:.4}.phase.p6{opacity:.3}
)css";

std::string Figure(const std::string& number, const std::string& what) {
  return "<div><b>" + EscapeHtml(number) + "</b><span>" + EscapeHtml(what) + "</span></div>";
}

std::string Header(const CampaignOptions& options, const CampaignResult& result) {
  const int status = result.exit_status();
  const char* const css = status == 0 ? "pass" : status == 1 ? "fail" : "doubt";
  std::string title = "Every session came back as a prefix", line;
  if (status == 1) title = "A property fails";
  if (status == 3) title = "No verdict: the harness cannot be trusted";
  line = Grouped(result.total.executions) + " executions, " + Grouped(result.total.crashes) + " crashes, " +
         Grouped(result.total.recoveries) + " recoveries, " +
         Grouped(std::max<uint64_t>(result.total.violations, result.findings.size())) + " violations in " +
         DurationText(result.seconds) + (result.interrupted ? ", interrupted" : "");
  std::string text = std::string("<header class='") + css + "'><p class='kicker'>crash campaign, seed " +
                     EscapeHtml(options.seed_text) + "</p><h1>" + title + "</h1><p>" + line + "</p>";
  for (const std::string& doubt : result.doubts)
    text += "<p>Not to be trusted: " + EscapeHtml(doubt) + "</p>";
  return text + "</header>";
}

std::string Figures(const CampaignResult& result) {
  const Tally& total = result.total;
  const double rate = static_cast<double>(total.executions) / std::max(result.seconds, 1e-3);
  std::string text = "<section><h2>What was done</h2><div class='figures'>";
  text += Figure(
      Grouped(static_cast<unsigned long long>(rate)),
      "executions a second on " + std::to_string(result.jobs) + (result.jobs == 1 ? " core" : " cores"));
  text += Figure(Grouped(total.checkpoints), "checkpoints completed");
  text += Figure(Grouped(total.recovery_crashes), "more crashes inside recoveries");
  text += Figure(Percent(total.recovered_own, total.recoveries),
                 "of recoveries returned a checkpoint of their execution");
  text += Figure(Percent(total.recovered_split, total.recovered_own),
                 "of these: a committed and a lost operation in one session");
  text += Figure(Percent(total.recovered_pending, total.recovered_own),
                 "of these: operations pending at the cut");
  text += Figure(Percent(total.recovered_undone, total.recovered_own), "of these: records undone");
  text +=
      Figure(Grouped(total.steps / std::max<uint64_t>(total.executions, 1)), "scheduling steps an execution");
  text += Figure(Grouped(total.torn_writes), "writes torn by crashes");
  text += Figure(Grouped(total.double_runs) + " / " + Grouped(total.differing_runs), "run twice / differed");
  text += Figure(Percent(total.unbuffered, total.executions), "not buffered durably linearizable (R6)");
  text += Figure(Grouped(total.undecided), "without a verdict");
  return text + "</div></section>";
}

std::string HeatCell(const CellTally& cell, bool reachable, uint64_t most) {
  if (!reachable && cell.crashes == 0) return "<td class='none'>&ndash;</td>";
  const double share =
      most == 0 ? 0 : std::sqrt(static_cast<double>(cell.crashes) / static_cast<double>(most));
  const std::string css = cell.violations > 0 ? " class='violated'"
                          : cell.crashes == 0 ? " class='missed'"
                                              : "";
  std::string small = "all recovered";
  if (cell.violations > 0)
    small = Grouped(cell.violations) + " violated";
  else if (cell.recoveries < cell.crashes)
    small = Grouped(cell.crashes - cell.recoveries) + " not recovered";
  else if (cell.crashes == 0)
    small = "never hit";
  return "<td" + css + " style='background:rgba(var(--heat)," + Number(0.03 + 0.42 * share) + ")' title='" +
         Grouped(cell.executions) + " executions were here, " + Grouped(cell.recoveries) + " recoveries'>" +
         Grouped(cell.crashes) + "<small>" + small + "</small></td>";
}

std::string HeatTable(const CampaignResult& result) {
  uint64_t most = 0;
  for (const auto& kind : result.total.cells) {
    for (const CellTally& cell : kind) most = std::max(most, cell.crashes);
  }
  std::string text =
      "<section><h2>Where it was crashed</h2><p class='note'>Crashes by kind of checkpoint and phase of the "
      "protocol at the moment of the crash. A dash is a phase that this kind never enters. Darker is more "
      "often.</p>"
      "<div class='scroll'><table><tr><th></th>";
  for (int kind = 0; kind < kCheckpointKinds; ++kind) text += "<th>" + KindText(KindOf(kind)) + "</th>";
  text += "</tr>";
  for (size_t row = 0; row < kCellRows; ++row) {
    text += std::string("<tr><th>") + CellRowName(static_cast<int>(row)) + "</th>";
    for (size_t kind = 0; kind < kCheckpointKinds; ++kind) {
      text += HeatCell(result.total.cells[kind][row], result.reachable[kind][row], most);
    }
    text += "</tr>";
  }
  return text + "</table></div></section>";
}

std::string FindingsPart(const CampaignResult& result) {
  if (result.findings.empty()) return "";
  std::string text =
      "<section><h2>Findings</h2><p class='note'>At most a few of each class are kept. Every one is an "
      "execution "
      "that can be run again, choice by choice.</p>";
  for (const FindingNote& finding : result.findings) {
    const std::string leaf = std::filesystem::path(finding.folder).filename();
    text +=
        "<article><h3>" + EscapeHtml(finding.rule) + ": " + EscapeHtml(finding.what) + "</h3><p>" +
        (finding.kind.empty() ? ""
                              : EscapeHtml(finding.kind) + ", crash in " + EscapeHtml(finding.phase) + ", ") +
        "scenario " + EscapeHtml(finding.scenario) + ", " + EscapeHtml(finding.policy) + ", seed " +
        std::to_string(finding.seed) + "</p><pre>" + EscapeHtml(ReplayCommand(finding.folder)) + "</pre>";
    std::string verdict, ignored;
    std::error_code code;
    if (std::filesystem::exists(finding.folder + "/page.html", code)) {
      text += "<p><a href='findings/" + EscapeHtml(leaf) + "/page.html'>the execution as a picture</a></p>";
    }
    if (ReadWholeFile(finding.folder + "/story.txt", &verdict, &ignored)) {
      const size_t end = verdict.rfind("\n\n", verdict.size() - 3);
      if (end != std::string::npos && verdict.size() - end < 6000) {
        text += "<details><summary>witness</summary><pre>" + EscapeHtml(verdict.substr(end + 2)) +
                "</pre></details>";
      }
    }
    text += "</article>";
  }
  return text + "</section>";
}

std::string Meaning() {
  return "<section><h2>What a pass means</h2><p class='note'>In every execution counted here the engine ran "
         "on a simulated disk "
         "under a scheduler that decides every switch between threads. It was stopped at one step; each "
         "sector not synced by then "
         "was kept or lost; it was recovered and read back. Two independent checkers then agreed that what "
         "came back is, for every "
         "session, all operations up to the commit point it was told and none after it, that no committed "
         "operation had seen a lost "
         "one, that every result ever returned was right, and that work goes on correctly from there. A pass "
         "is evidence about what "
         "was explored: these scenarios, schedules and faults, under sequentially consistent memory. It is "
         "not a proof.</p></section>";
}

std::string Configuration(const CampaignOptions& options, const SubjectLibrary& library,
                          const CampaignResult& result) {
  const auto row = [](const std::string& name, const std::string& value) {
    return "<tr><td>" + EscapeHtml(name) + "</td><td>" + EscapeHtml(value) + "</td></tr>";
  };
  std::string text = "<section><h2>Configuration</h2><div class='scroll'><table class='plain'>";
  text += row("engine", library.path());
  text += row("seed", options.seed_text);
  text += row("policy", options.plan.policy.empty() ? "the portfolio" : options.plan.policy);
  const std::string& family = options.plan.variation.family;
  text += row("scenario", options.plan.has_file ? options.plan.from_file.name
                          : family.empty()      ? "all"
                                                : family);
  for (size_t i = 0; i < Families().size(); ++i) {
    if (result.total.by_family[i] == 0) continue;
    text +=
        row(Families()[i].name, Grouped(result.total.by_family[i]) + " executions: " + Families()[i].what);
  }
  text += row("largest worker", Grouped(result.peak_rss_kib / 1024) + " MiB resident");
  return text + "</table></div></section>";
}

}  // namespace

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  std::string number = text;
  while (number.back() == '0') number.pop_back();
  if (number.back() == '.') number.pop_back();
  return number;
}

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string WholePage(const std::string& title, const std::string& body) {
  return "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
         "content='width=device-width,initial-scale=1'><title>" +
         EscapeHtml(title) + "</title><style>" + kStyle + "</style></head><body><main>\n" + body +
         "\n</main></body></html>\n";
}

std::string CampaignPage(const CampaignOptions& options, const SubjectLibrary& library,
                         const CampaignResult& result) {
  return WholePage("CPR crash campaign", Header(options, result) + HeatTable(result) + FindingsPart(result) +
                                             Figures(result) + Configuration(options, library, result) +
                                             Meaning());
}

}  // namespace experiments
