#include <algorithm>
#include <cstdio>

#include "experiments/checkpoint/inspected.h"

namespace experiments::checkpoint {
namespace {

std::string KindText(const faster::CheckpointInfo& info) {
  if (info.kind == "none") return "-";
  const bool plain = info.backend.empty() || info.backend == "delta";
  return info.kind + (plain ? "" : "/" + info.backend) + (info.pair_state == "none" ? "" : ", pair");
}

std::string ChainText(const faster::CheckpointInfo& info) {
  if (info.requires_.empty()) return "-";
  return std::to_string(info.requires_.size()) + " on " + info.requires_.front().Text().substr(0, 8);
}

void Print(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    std::printf("%s\n", line.c_str());
  }
}

}  // namespace

int RunList(const Arguments& arguments) {
  const auto storage = OpenStorage(arguments);
  faster::StoreView view;
  faster::Diagnosis why;
  std::vector<faster::CheckpointInfo> infos;
  faster::Status status = faster::ReadStoreView(*storage, "", &view, &why);
  if (status == faster::Status::kOk) status = faster::DescribeStore(*storage, "", view, &infos, &why);
  if (status != faster::Status::kOk) {
    Complain(why.Text());
    return 1;
  }
  if (arguments.json) {
    Json json{{"directory", arguments.directory}, {"has_cold_store", view.has_cold}};
    json["latest"] = view.latest_status == faster::Status::kOk ? Json(view.latest.Text()) : Json();
    if (view.latest_status != faster::Status::kOk) json["latest_refused"] = view.latest_why.Text();
    json["checkpoints"] = Json::array();
    for (const faster::CheckpointInfo& info : infos)
      json["checkpoints"].push_back(InfoJson(info, TimeOf(arguments.directory, info.token)));
    std::printf("%s\n", json.dump(2).c_str());
    return 0;
  }
  if (infos.empty()) {
    std::printf("no checkpoint in %s\n", arguments.directory.c_str());
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {
      {"TOKEN", "KIND", "VERSION", "TIME", "SIZE", "MAIN LOG", "SESSIONS", "CHAIN", "STATE"}};
  for (const faster::CheckpointInfo& info : infos) {
    rows.push_back({info.token.Text(), KindText(info), std::to_string(info.version),
                    TimeOf(arguments.directory, info.token), SizeText(info.bytes), SizeText(info.log_bytes),
                    std::to_string(info.sessions), ChainText(info), StateText(info)});
  }
  Print(rows);
  if (view.latest_status != faster::Status::kOk && view.latest_status != faster::Status::kNotFound)
    std::printf("A recovery of the latest is refused: %s\n", view.latest_why.Text().c_str());
  return 0;
}

}  // namespace experiments::checkpoint
