#include "experiments/checkpoint/inspected.h"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <thread>

#include "workloads/ycsb/value.h"

namespace experiments::checkpoint {

using faster::NamedHash;

namespace {

// Keys of YCSB runs and of killed processes: 8 bytes, as a number or as the bytes of one.
constexpr auto* kHashOfYcsbKey = &faster::HashOfNumber<workloads::ycsb::AddWord<8>>;
constexpr NamedHash kHashes[] = {{"ycsb", 8, kHashOfYcsbKey}, {"ycsb", 0, kHashOfYcsbKey}};

}  // namespace

std::string TimeOf(const std::string& directory, const faster::Token& token) {
  const std::string base = directory + "/" + token.Text();
  struct stat info;
  if (::stat((base + "/log.meta").c_str(), &info) != 0 &&
      ::stat((base + "/index.meta").c_str(), &info) != 0 && ::stat(base.c_str(), &info) != 0)
    return "";
  struct tm utc;
  char text[32] = "";
  if (::gmtime_r(&info.st_mtime, &utc) == nullptr) return "";
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::span<const NamedHash> ProjectHashes() { return kHashes; }

std::string CheckHash(const std::string& name) {
  std::string names = "auto, none";
  bool known = name == "auto" || name == "none";
  for (const auto& list : {faster::KnownHashes(), ProjectHashes()}) {
    for (const NamedHash& hash : list) {
      known = known || name == hash.name;
      if (names.find(hash.name) == std::string::npos) names += ", " + std::string(hash.name);
    }
  }
  return known ? "" : "--hash must be one of " + names;
}

faster::ValidateOptions OptionsOf(const Arguments& arguments, Progress* progress) {
  faster::ValidateOptions options;
  options.threads = static_cast<uint32_t>(
      arguments.threads != 0 ? arguments.threads : std::clamp(std::thread::hardware_concurrency(), 1u, 256u));
  options.hashes = ProjectHashes();
  options.hash = arguments.hash;
  options.memory_limit = arguments.memory_mb << 20;
  const double start = MonotonicSeconds();
  options.on_progress = [progress, start](const faster::InspectProgress& now) {
    const double seconds = MonotonicSeconds() - start;
    if (seconds < 0.5 || !progress->Due()) return;  // a rate of less time says nothing
    const uint64_t total = std::max(now.bytes, now.bytes_total);
    const double rate = static_cast<double>(now.bytes) / seconds;
    progress->Show("reading the " + std::string(now.step) + ": " + SizeText(now.bytes) + " of " +
                   SizeText(total) + ", " + SizeText(static_cast<uint64_t>(rate)) + "/s, " +
                   DurationText(static_cast<double>(total - now.bytes) / std::max(rate, 1.0)) + " left");
  };
  return options;
}

bool ParseToken(const std::string& word, faster::Token* token, std::string* error) {
  if (faster::Guid::Parse(word, token) && token->Text() == word) return true;
  *error = "TOKEN must be the name of a checkpoint's directory (./cpr checkpoint list), not " + word;
  return false;
}

std::string StateText(const faster::CheckpointInfo& info) {
  if (info.abandoned) return "abandoned by a recovery to an older one";
  if (info.kind == "none") return "incomplete: no metadata";
  if (!info.damage.empty()) return "damaged: " + info.damage.front().Text();
  return info.latest ? "complete, the latest" : "complete";
}

Json InfoJson(const faster::CheckpointInfo& info, const std::string& time) {
  Json json{{"token", info.token.Text()}, {"kind", info.kind}};
  if (!info.backend.empty()) json["log_backend"] = info.backend;
  json["version"] = info.version;
  json["time"] = time;
  json["complete"] = info.complete;
  json["latest"] = info.latest;
  json["abandoned"] = info.abandoned;
  json["bytes"] = info.bytes;
  json["log_bytes"] = info.log_bytes;
  json["sessions"] = info.sessions;
  json["parts"] = {{"index", info.index_state}, {"log", info.log_state}, {"pair", info.pair_state}};
  json["chain"] = Json::array();
  for (const faster::Token& token : info.requires_) json["chain"].push_back(token.Text());
  json["index_for_recovery"] = info.recovery_index.IsNull() ? Json() : Json(info.recovery_index.Text());
  json["files"] = Json::array();
  for (const faster::CheckpointFile& file : info.files)
    json["files"].push_back({{"name", file.name}, {"bytes", file.bytes}});
  json["damage"] = Json::array();
  for (const faster::Diagnosis& why : info.damage) json["damage"].push_back(why.Text());
  return json;
}

Json IndexJson(const faster::IndexMetadata& index) {
  return {{"version", index.version},
          {"table_size", index.table_size},
          {"overflow_buckets", index.overflow_buckets},
          {"entries", index.entries},
          {"begin_address", index.begin_address},
          {"checkpoint_start_address", index.checkpoint_start},
          {"checkpoint_final_address", index.checkpoint_final},
          {"generation", faster::HexWord(index.generation)},
          {"data_bytes", index.data_bytes},
          {"data_checksum", faster::HexWord(index.data_checksum)}};
}

static Json GenerationsJson(const std::vector<faster::Generation>& generations) {
  Json list = Json::array();
  for (const faster::Generation& one : generations) {
    list.push_back({{"from", one.from},
                    {"generation", faster::HexWord(one.generation)},
                    {"ordinal", faster::GenerationOrdinal(one.generation)},
                    {"until", one.until}});
  }
  return list;
}

Json LogJson(const faster::LogMetadata& log) {
  Json json{{"version", log.version},
            {"use_snapshot_file", log.use_snapshot_file},
            {"is_incremental", log.is_incremental},
            {"begin_address", log.begin_address},
            {"start_address", log.start_address},
            {"final_address", log.final_address},
            {"flushed_until_address", log.flushed_until},
            {"head_address", log.head_address},
            {"table_size", log.table_size},
            {"page_bits", log.page_bits},
            {"block_bytes", log.block_bytes},
            {"segment_pages", log.segment_pages},
            {"version_bits", log.version_bits},
            {"record_layout", log.variable_records ? "variable" : "fixed"},
            {"key_bytes", log.key_bytes},
            {"value_bytes", log.value_bytes}};
  json["sessions"] = Json::array();
  for (const faster::SessionCommit& session : log.sessions) {
    json["sessions"].push_back(
        {{"guid", session.session.Text()}, {"serial", session.serial}, {"excluded", session.excluded}});
  }
  json["generations"] = GenerationsJson(log.generations);
  json["dead_ranges"] = Json::array();
  for (const faster::DeadRange& dead : log.dead_ranges)
    json["dead_ranges"].push_back({{"from", dead.from}, {"to", dead.to}, {"version", dead.version}});
  if (!log.is_incremental) return json;
  Json& delta = json["delta"];
  delta = {{"base", log.chain.base.Text()},
           {"previous", log.previous.Text()},
           {"blocks", log.delta.entries},
           {"bytes", log.delta_bytes},
           {"blocks_in_chain", log.chain.total_entries}};
  delta["chain"] = Json::array();
  for (const faster::Token& token : log.chain.deltas) delta["chain"].push_back(token.Text());
  return json;
}

Json PairJson(const faster::PairMetadata& pair) {
  return {{"index_token", pair.index.Text()},
          {"chunks", pair.chunks},
          {"chunk_entries", pair.chunk_entries},
          {"page_bits", pair.page_bits},
          {"block_bytes", pair.block_bytes},
          {"segment_pages", pair.segment_pages},
          {"begin_address", pair.begin_address},
          {"final_address", pair.final_address},
          {"generations", GenerationsJson(pair.generations)}};
}

Json CensusJson(const faster::LogCensus& census) {
  Json json{{"bytes", census.bytes},
            {"bad_blocks", census.bad_blocks},
            {"invalid", census.invalid},
            {"undone", census.undone},
            {"dead", census.dead}};
  json["versions"] = Json::array();
  for (const auto& [version, count] : census.versions)
    json["versions"].push_back(
        {{"version", version}, {"live", count.live}, {"tombstones", count.tombstones}});
  return json;
}

Json FindingJson(const faster::Finding& finding) {
  return {{"check", faster::CheckName(finding.check)},
          {"part", faster::CheckpointPartName(finding.part)},
          {"file", finding.what.file},
          {"offset", finding.what.offset},
          {"expected", finding.what.expected},
          {"found", finding.what.found}};
}

Json ReportJson(const faster::CheckpointReport& report) {
  Json json{{"token", report.token.Text()},
            {"index_token", report.index.IsNull() ? Json() : Json(report.index.Text())},
            {"sound", report.sound()},
            {"total_findings", report.total_findings},
            {"bytes_read", report.bytes_read},
            {"memory_bytes", report.memory_bytes},
            {"hash", report.hash.empty() ? Json() : Json(report.hash)}};
  if (!report.hash_note.empty()) json["hash_note"] = report.hash_note;
  json["records"] = CensusJson(report.log);
  if (report.cold_log.bytes != 0) json["cold_records"] = CensusJson(report.cold_log);
  json["findings"] = Json::array();
  for (const faster::Finding& one : report.findings) json["findings"].push_back(FindingJson(one));
  return json;
}

}  // namespace experiments::checkpoint
