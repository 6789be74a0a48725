#include "experiments/figures/report.h"

#include <algorithm>
#include <cstdio>

#include "experiments/common/results.h"

namespace experiments::figures {
namespace {

using nlohmann::ordered_json;

std::string Escaped(const std::string& text) {
  std::string html;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += letter;
    }
  }
  return html;
}

// A cell of a table in Markdown.
std::string Cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, 1, '\\');
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string Count(size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// "Intel Xeon, 2 cores, 23.5 GB, Linux 6.1, ext4, g++ 12.2.0 -O2, commit 123 (modified)".
std::string MachineText(const ordered_json& environment) {
  const auto text = [&](const char* name) -> std::string {
    return environment.contains(name) && environment[name].is_string() ? environment[name].get<std::string>()
                                                                       : "";
  };
  const auto number = [&](const char* name) {
    return environment.contains(name) && environment[name].is_number() ? environment[name].get<double>() : 0;
  };
  char sizes[160];
  std::snprintf(sizes, sizeof sizes, ", %.0f cores, %.1f GB of memory, ", number("cores"),
                number("memory_bytes") * 1e-9);
  const bool modified = environment.value("modified", false);
  const std::string commit = text("commit");
  char load[60];
  std::snprintf(load, sizeof load, "; load before: %.2f", number("load_average_before"));
  return text("cpu") + sizes + text("kernel") + ", " + text("file_system") + ", " + text("compiler") + " " +
         text("flags") + (commit.empty() ? "" : ", commit " + commit.substr(0, 12)) +
         (modified ? " with changes" : "") + ", " + text("time") + load;
}

std::string SourceText(const Definition& definition) {
  return definition.paper + (definition.number == "none" ? "" : ", " + definition.number) +
         (definition.page == 0 ? "" : ", page " + std::to_string(definition.page));
}

std::string RunText(const FigureStore& store) {
  size_t oversubscribed = 0;
  for (const auto& [folder, cell] : store.cells()) oversubscribed += store.oversubscribed(cell);
  const Scale& scale = store.definition().scale(store.quick());
  std::string text = std::string(store.quick() ? "quick" : "full") + ", " + Count(scale.rounds, "round");
  if (store.rounds() > scale.rounds)
    text += " (" + std::to_string(store.rounds()) + " of cells whose claims noise hid)";
  text += ", " + std::to_string(store.cells().size()) + " of " + Count(store.plans().size(), "cell");
  if (oversubscribed > 0)
    text += ", " + std::to_string(oversubscribed) + " of them oversubscribed (more threads than cores)";
  return text;
}

std::string RoundsText(const FigureStore& store) {
  if (store.definition().exact) return "Exact: the same on every machine.";
  return "Lines, points and bars: medians of the rounds; bands and whiskers: the least and the greatest.";
}

// gnuplot names parts of every picture alike; in one page they would get mixed up.
std::string UniqueIds(std::string svg, const std::string& figure) {
  for (const char* mark : {" id='", " id=\"", "href='#", "href=\"#", "url(#"}) {
    const std::string added = figure + "-";
    const size_t length = std::string(mark).size();
    for (size_t at = 0; (at = svg.find(mark, at)) != std::string::npos; at += length + added.size())
      svg.insert(at + length, added);
  }
  return svg;
}

const char* VerdictClass(Verdict verdict) {
  return verdict == Verdict::kHolds ? "holds" : verdict == Verdict::kNotSeparable ? "open" : "fails";
}

std::string FigureHtml(const FigureStore& store) {
  const Definition& definition = store.definition();
  std::string html = "<section id=\"" + definition.figure + "\">\n<h2>" + Escaped(definition.figure) + ": " +
                     Escaped(definition.title) + "</h2>\n<p class=\"source\">" +
                     Escaped(SourceText(definition)) + " &middot; " + Escaped(RunText(store)) + "</p>\n";
  std::string svg, ignored;
  if (ReadWholeFile(store.folder() + "/" + definition.figure + ".svg", &svg, &ignored)) {
    const size_t begin = svg.find("<svg");
    if (begin != std::string::npos)
      html += "<figure>" + UniqueIds(svg.substr(begin), definition.figure) + "</figure>\n";
  } else {
    html += "<p>(no picture)</p>\n";
  }
  html += "<table><tr><th>The paper</th><th>Measured here</th><th>Bound</th><th>Verdict</th></tr>\n";
  const std::vector<Judgement> judgements = store.JudgeAll();
  for (size_t i = 0; i < judgements.size(); ++i) {
    const Claim& claim = definition.claims[i];
    html += "<tr><td>" + Escaped(claim.text) + " <span class=\"source\">(" + Escaped(claim.source) +
            (claim.robust ? "" : "; not robust") + ")</span></td><td>" +
            Escaped(judgements[i].Measured(claim)) + "</td><td>" + Escaped(BoundText(claim)) +
            "</td><td class=\"" + VerdictClass(judgements[i].verdict) + "\">" +
            std::string(VerdictText(judgements[i].verdict)) + "</td></tr>\n";
  }
  html +=
      "</table>\n<p class=\"setting\">" + Escaped(definition.setting) + " " + RoundsText(store) + "</p>\n";
  html += "<p class=\"source\">Raw data: <code>" + Escaped(store.folder()) + "</code></p>\n</section>\n";
  return html;
}

constexpr const char* kStyle =
    "body{font:15px/1.45 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#202020}"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2.2em;border-top:1px solid #ccc;padding-top:1em}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3em .6em;"
    "border-bottom:1px solid #ddd}figure{margin:.5em 0}figure svg{max-width:100%;height:auto}"
    ".source{color:#606060;font-size:.9em}.setting{font-size:.95em}"
    ".holds{background:#dff0e6}.open{background:#f4f0d8}.fails{background:#f8dcd0}";

}  // namespace

std::string Tally::Text() const {
  std::string text =
      std::to_string(holds) + (holds == 1 ? " claim holds, " : " claims hold, ") +
      std::to_string(not_separable) +
      (not_separable == 1 ? " is not separable from noise, " : " are not separable from noise, ") +
      std::to_string(does_not_hold) + (does_not_hold == 1 ? " does not hold" : " do not hold");
  if (robust_undecided > 0)
    text += " (robust ones that are not separable: " + std::to_string(robust_undecided) + ")";
  if (not_measured > 0)
    text += ", " + std::to_string(not_measured) + (not_measured == 1 ? " was" : " were") + " not measured";
  return text;
}

Tally TallyOf(const FigureStore& store) {
  Tally tally;
  const std::vector<Judgement> judgements = store.JudgeAll();
  for (size_t i = 0; i < judgements.size(); ++i) {
    const Verdict verdict = judgements[i].verdict;
    const bool robust = store.definition().claims[i].robust;
    const bool failed = verdict == Verdict::kDoesNotHold || verdict == Verdict::kNotMeasured;
    tally.holds += verdict == Verdict::kHolds;
    tally.not_separable += verdict == Verdict::kNotSeparable;
    tally.does_not_hold += verdict == Verdict::kDoesNotHold;
    tally.not_measured += verdict == Verdict::kNotMeasured;
    tally.robust_failures += failed && robust;
    tally.robust_undecided += verdict == Verdict::kNotSeparable && robust;
  }
  return tally;
}

Tally TallyOf(const Stores& stores) {
  Tally sum;
  for (const auto& store : stores) {
    const Tally tally = TallyOf(*store);
    sum.holds += tally.holds;
    sum.not_separable += tally.not_separable;
    sum.does_not_hold += tally.does_not_hold;
    sum.not_measured += tally.not_measured;
    sum.robust_failures += tally.robust_failures;
    sum.robust_undecided += tally.robust_undecided;
  }
  return sum;
}

ordered_json ClaimsJson(const Stores& stores) {
  ordered_json json = ordered_json::array();
  for (const auto& store : stores) {
    const Definition& definition = store->definition();
    const std::vector<Judgement> judgements = store->JudgeAll();
    for (size_t i = 0; i < judgements.size(); ++i) {
      ordered_json claim = JudgementJson(definition.claims[i], judgements[i]);
      claim["figure"] = definition.figure;
      claim["paper"] = SourceText(definition);
      claim["scale"] = store->quick() ? "quick" : "full";
      claim["folder"] = store->folder();
      json.push_back(std::move(claim));
    }
  }
  return json;
}

std::string ClaimsMarkdown(const Stores& stores, const std::vector<std::string>& left_out) {
  std::string text = "# Claims\n\n" + TallyOf(stores).Text() +
                     ". A claim that is not robust does not count for the exit status.\n\n"
                     "| figure | the paper says | measured here | bound | verdict |\n|---|---|---|---|---|\n";
  for (const auto& store : stores) {
    const Definition& definition = store->definition();
    const std::vector<Judgement> judgements = store->JudgeAll();
    for (size_t i = 0; i < judgements.size(); ++i) {
      const Claim& claim = definition.claims[i];
      text += "| " + definition.figure + " | " + Cell(claim.text) + " (" + Cell(claim.source) +
              (claim.robust ? "" : "; not robust") + ") | " + Cell(judgements[i].Measured(claim)) + " | " +
              Cell(BoundText(claim)) + " | " + std::string(VerdictText(judgements[i].verdict)) + " |\n";
    }
  }
  for (const std::string& line : left_out) text += "\nLeft out: " + line + ".\n";
  text += "\nIn brackets: an interval of the median over the rounds, at least 90 %.\n\n";
  for (const auto& store : stores) {
    text += "- " + store->definition().figure + " (" + SourceText(store->definition()) + "; " +
            RunText(*store) + "): " + store->definition().setting + "\n";
  }
  if (!stores.empty() && !stores.front()->environments().empty())
    text += "\nMachine: " + MachineText(stores.front()->environments().back()) + ".\n";
  return text;
}

std::string Page(const Stores& stores, const std::vector<std::string>& left_out) {
  std::string html =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Figures and claims</title>"
      "<meta name=\"viewport\" content=\"width=device-width\"><style>" +
      std::string(kStyle) + "</style></head><body>\n<h1>Figures and claims</h1>\n<p>" +
      Escaped(TallyOf(stores).Text()) + ".</p>\n";
  if (!stores.empty() && !stores.front()->environments().empty())
    html += "<p class=\"source\">" + Escaped(MachineText(stores.front()->environments().back())) + "</p>\n";
  for (const std::string& line : left_out) html += "<p>Left out: " + Escaped(line) + ".</p>\n";
  html += "<p>";
  for (const auto& store : stores)
    html += "<a href=\"#" + store->definition().figure + "\">" + store->definition().figure + "</a> ";
  html += "</p>\n";
  for (const auto& store : stores) html += FigureHtml(*store);
  return html + "</body></html>\n";
}

bool WriteReport(const Stores& stores, const std::vector<std::string>& left_out, const std::string& folder,
                 std::string* error) {
  const std::string json =
      ClaimsJson(stores).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return WriteWholeFile(folder + "/claims.json", json, error) &&
         WriteWholeFile(folder + "/claims.md", ClaimsMarkdown(stores, left_out), error) &&
         WriteWholeFile(folder + "/index.html", Page(stores, left_out), error);
}

}  // namespace experiments::figures
