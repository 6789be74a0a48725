#include <cstdio>
#include <filesystem>

#include "experiments/checkpoint/inspected.h"
#include "experiments/common/results.h"

namespace experiments::checkpoint {
namespace {

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// A cold index's checkpoints belong to pairs that only the directory above knows of.
std::string CheckDirectory(const std::string& directory) {
  std::error_code code;
  const std::filesystem::path path = std::filesystem::canonical(directory, code);
  if (!code && path.filename() == faster::kColdIndexDirectory)
    return directory + " is the cold half of a store: repair the directory above it";
  return "";
}

std::string TokenText(const std::optional<faster::Token>& token) { return token ? token->Text() : "none"; }

Json IssueJson(const faster::CheckpointIssue& issue) {
  Json json{{"token", issue.token.Text()}, {"in_cold_index", issue.in_cold_index}};
  json["parts"] = Json::array();
  if (issue.log) json["parts"].push_back("log");
  if (issue.index) json["parts"].push_back("index");
  json["reason"] = issue.reason;
  json["kept"] = issue.kept.empty() ? Json() : Json(issue.kept);
  json["files"] = issue.files;
  json["moved_to"] = issue.moved_to.empty() ? Json() : Json(issue.moved_to);
  json["total_findings"] = issue.total_findings;
  json["findings"] = Json::array();
  for (const faster::Finding& one : issue.findings) json["findings"].push_back(FindingJson(one));
  return json;
}

void PrintJson(const Arguments& arguments, const faster::CheckpointSelfCheckReport& report) {
  Json json{{"directory", arguments.directory}, {"total", report.total},      {"valid", report.valid},
            {"invalid", report.invalid},        {"planned", report.planned},  {"set_aside", report.set_aside},
            {"dry_run", report.dry_run},        {"repaired", report.repaired}};
  json["latest_before"] = report.latest_before ? Json(report.latest_before->Text()) : Json();
  json["latest"] = report.latest ? Json(report.latest->Text()) : Json();
  json["issues"] = Json::array();
  for (const faster::CheckpointIssue& issue : report.issues) json["issues"].push_back(IssueJson(issue));
  json["incomplete"] = Json::array();
  for (const faster::Token& token : report.incomplete) json["incomplete"].push_back(token.Text());
  std::printf("%s\n", json.dump(2).c_str());
}

void PrintIssue(const faster::CheckpointIssue& issue, bool dry_run) {
  const std::string name = (issue.in_cold_index ? "cold-index/" : "") + issue.token.Text();
  std::printf("%s  broken: %s\n", name.c_str(), issue.reason.c_str());
  const std::string what = issue.files.empty() ? "the directory" : Joined(issue.files);
  if (!issue.kept.empty())
    std::printf("  stays: %s\n", issue.kept.c_str());
  else if (!issue.moved_to.empty())
    std::printf("  set aside: %s, in %s\n", what.c_str(), issue.moved_to.c_str());
  else
    std::printf("  %s: %s\n", dry_run ? "would be set aside" : "not set aside", what.c_str());
}

void Print(const faster::CheckpointSelfCheckReport& report) {
  for (const faster::CheckpointIssue& issue : report.issues) PrintIssue(issue, report.dry_run);
  for (const faster::Token& token : report.incomplete)
    std::printf("%s  incomplete, left by a crash: the store removes it\n", token.Text().c_str());
  std::printf("%u checkpoint%s, %u good, %u broken\n", report.total, report.total == 1 ? "" : "s",
              report.valid, report.invalid);
  if (report.latest_before != report.latest)
    std::printf("a recovery takes %s instead of %s\n", TokenText(report.latest).c_str(),
                report.latest_before ? TokenText(report.latest_before).c_str() : "being refused");
  if (report.dry_run && report.planned != 0) std::printf("nothing was changed; --apply does it\n");
}

}  // namespace

int RunRepair(const Arguments& arguments) {
  std::string error = CheckHash(arguments.hash);
  if (error.empty()) error = CheckDirectory(arguments.directory);
  if (!error.empty()) return Complain(error);
  const auto storage = OpenStorage(arguments);
  Progress progress(arguments.quiet);
  faster::CheckpointSelfCheckOptions options;
  options.repair = arguments.apply;
  options.label = UtcTime();
  options.validate = OptionsOf(arguments, &progress);
  faster::CheckpointSelfCheckReport report;
  faster::Diagnosis why;
  const faster::Status status = faster::CheckpointSelfCheck(storage.get(), "", options, &report, &why);
  progress.Clear();
  if (status == faster::Status::kBusy)
    return Complain("repair: a process has the store in " + arguments.directory + " open; stop it first");
  if (status == faster::Status::kNotFound)
    return Complain("repair: there is no checkpoint in " + arguments.directory);
  if (arguments.json)
    PrintJson(arguments, report);
  else
    Print(report);
  if (!why.expected.empty()) Complain("repair: " + why.Text());
  return status == faster::Status::kOk ? 0 : 1;
}

}  // namespace experiments::checkpoint
