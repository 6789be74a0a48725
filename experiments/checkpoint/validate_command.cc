#include <algorithm>
#include <cstdio>

#include "experiments/checkpoint/inspected.h"

namespace experiments::checkpoint {
namespace {

constexpr size_t kShown = 10;  // findings of a checkpoint in the text

class Validating {
 public:
  Validating(const Arguments& arguments, faster::Storage* storage, const faster::StoreView& view)
      : arguments_(arguments), storage_(*storage), view_(view), progress_(arguments.quiet) {}

  int Run(const std::vector<const faster::CatalogEntry*>& entries) {
    const double start = MonotonicSeconds();
    uint64_t total = 0, before = 0;
    for (const faster::CatalogEntry* entry : entries) total += faster::BytesToValidate(view_, *entry);
    faster::ValidateOptions options = OptionsOf(arguments_, &progress_);
    const auto show = options.on_progress;
    options.on_progress = [&](const faster::InspectProgress& now) {
      show({now.step, before + now.bytes, total});
    };
    for (const faster::CatalogEntry* entry : entries) {
      faster::CheckpointReport report;
      const faster::Status status = faster::ValidateEntry(&storage_, "", view_, *entry, options, &report);
      progress_.Clear();
      if (status == faster::Status::kOutOfMemory)
        return Complain("validate: not enough memory for " + entry->token.Text() +
                        " (--hash none needs less)");
      before += report.bytes_read;
      if (!report.sound()) ++broken_;
      if (!report.sound() && first_ == nullptr)
        first_ = std::make_unique<faster::Finding>(report.findings[0]);
      if (!arguments_.json) Print(report);
      reports_.push_back(ReportJson(report));
    }
    Conclude(entries.size(), before, MonotonicSeconds() - start);
    return broken_ == 0 ? 0 : 1;
  }

 private:
  static uint64_t LiveRecords(const faster::LogCensus& census) {
    uint64_t live = 0;
    for (const auto& [version, count] : census.versions) live += count.live;
    return live;
  }

  void Print(const faster::CheckpointReport& report) {
    const std::string token = report.token.Text();
    if (report.sound()) {
      const std::string reach = report.hash.empty()
                                    ? "reach of what a recovery replays not checked: hash " + report.hash_note
                                    : "hash " + report.hash;
      std::printf("%s  good: %s read, %s live records, %s\n", token.c_str(),
                  SizeText(report.bytes_read).c_str(),
                  Grouped(LiveRecords(report.log) + LiveRecords(report.cold_log)).c_str(),
                  report.log.bytes == 0 ? "an index" : reach.c_str());
      return;
    }
    std::printf("%s  BROKEN: %s finding%s\n", token.c_str(), Grouped(report.total_findings).c_str(),
                report.total_findings == 1 ? "" : "s");
    for (size_t i = 0; i < report.findings.size() && i < kShown; ++i) {
      const faster::Finding& one = report.findings[i];
      std::printf("  %-10s%s\n", std::string(faster::CheckName(one.check)).c_str(), one.what.Text().c_str());
    }
    if (report.total_findings > kShown)
      std::printf("  and %s more (--json lists %zu)\n", Grouped(report.total_findings - kShown).c_str(),
                  report.findings.size());
  }

  void Conclude(size_t count, uint64_t bytes, double seconds) {
    const double rate = static_cast<double>(bytes) / std::max(seconds, 1e-6);
    if (arguments_.json) {
      Json json{{"directory", arguments_.directory},
                {"sound", broken_ == 0},
                {"checkpoints", std::move(reports_)},
                {"first", first_ == nullptr ? Json() : FindingJson(*first_)},
                {"bytes_read", bytes},
                {"seconds", seconds},
                {"bytes_per_second", static_cast<uint64_t>(rate)}};
      std::printf("%s\n", json.dump(2).c_str());
      return;
    }
    std::printf("%zu checkpoint%s, %zu broken; %s in %.2f s, %s/s\n", count, count == 1 ? "" : "s", broken_,
                SizeText(bytes).c_str(), seconds, SizeText(static_cast<uint64_t>(rate)).c_str());
    if (first_ != nullptr) std::printf("first: %s\n", first_->what.Text().c_str());
  }

  const Arguments& arguments_;
  faster::Storage& storage_;
  const faster::StoreView& view_;
  Progress progress_;
  Json reports_ = Json::array();
  std::unique_ptr<faster::Finding> first_;
  size_t broken_ = 0;
};

}  // namespace

int RunValidate(const Arguments& arguments) {
  std::string error = CheckHash(arguments.hash);
  if (!error.empty()) return Complain(error);
  const auto storage = OpenStorage(arguments);
  faster::StoreView view;
  faster::Diagnosis why;
  if (faster::ReadStoreView(*storage, "", &view, &why) != faster::Status::kOk) return Complain(why.Text()), 1;
  std::vector<const faster::CatalogEntry*> entries;
  faster::Token token;
  if (!arguments.words.empty() && !ParseToken(arguments.words[0], &token, &error)) return Complain(error);
  for (const faster::CatalogEntry& entry : view.entries) {
    if (!entry.empty() && (token.IsNull() || entry.token == token)) entries.push_back(&entry);
  }
  if (entries.empty()) {
    return Complain("validate: there is no complete checkpoint " +
                    (token.IsNull() ? "in " + arguments.directory : token.Text()));
  }
  return Validating(arguments, storage.get(), view).Run(entries);
}

}  // namespace experiments::checkpoint
