#include <cinttypes>
#include <cstdio>

#include "experiments/checkpoint/inspected.h"

namespace experiments::checkpoint {
namespace {

using faster::LogAddress;

void Row(const char* name, const std::string& value) { std::printf("  %-22s%s\n", name, value.c_str()); }
void Row(const char* name, uint64_t value) { Row(name, Grouped(value)); }
std::string Range(LogAddress from, LogAddress to) {
  return "[" + Grouped(from) + ", " + Grouped(to) + "), " + SizeText(to - from);
}

void PrintInfo(const faster::CheckpointInfo& info, const std::string& time) {
  std::printf("checkpoint %s\n", info.token.Text().c_str());
  Row("kind", info.kind + (info.backend.empty() ? "" : "/" + info.backend));
  Row("version", info.version);
  Row("time", time);
  Row("state", StateText(info));
  for (const faster::CheckpointFile& file : info.files) Row(file.name.c_str(), SizeText(file.bytes));
  for (const faster::Token& token : info.requires_) Row("needs the data of", token.Text());
  if (info.log_state == "whole")
    Row("index for recovery",
        info.recovery_index.IsNull() ? "rebuilt from the log" : info.recovery_index.Text());
}

void PrintLog(const faster::LogMetadata& log) {
  std::printf("log\n");
  Row("live", Range(log.begin_address, log.final_address));
  Row("of version v and v+1", Range(log.start_address, log.final_address));
  const LogAddress flushed = std::min(log.flushed_until, log.final_address);
  Row("in the main log", Range(log.begin_address, std::max(flushed, log.begin_address)));
  if (log.use_snapshot_file) Row("beside it", Range(flushed, log.final_address));
  Row("head address", log.head_address);
  Row("pages, blocks", SizeText(uint64_t{1} << log.page_bits) + ", " + std::to_string(log.block_bytes) +
                           " B, " + std::to_string(log.segment_pages) + " pages a segment");
  Row("records", log.variable_records ? std::string("of any length")
                                      : "keys of " + std::to_string(log.key_bytes) + " B, values of " +
                                            std::to_string(log.value_bytes) + " B");
  Row("version bits", log.version_bits);
  Row("index buckets", log.table_size);
  if (log.is_incremental) {
    Row("delta", Grouped(log.delta.entries) + " blocks on " + log.previous.Text());
    Row("chain", Grouped(log.chain.deltas.size()) + " deltas, " + Grouped(log.chain.total_entries) +
                     " blocks, on " + log.chain.base.Text());
  }
  std::printf("generations\n");
  for (const faster::Generation& one : log.generations) {
    std::printf("  %-22" PRIu64 "from %s%s\n", faster::GenerationOrdinal(one.generation),
                Grouped(one.from).c_str(),
                one.until == 0 ? "" : (", history until " + Grouped(one.until)).c_str());
  }
  std::printf("dead ranges%s\n", log.dead_ranges.empty() ? ": none" : "");
  for (const faster::DeadRange& dead : log.dead_ranges)
    std::printf("  version %-14u%s\n", dead.version, Range(dead.from, dead.to).c_str());
}

void PrintSessions(const faster::LogMetadata& log) {
  std::printf("sessions%s\n", log.sessions.empty() ? ": none" : "");
  for (const faster::SessionCommit& session : log.sessions) {
    std::string excluded;
    for (size_t i = 0; i < session.excluded.size() && i < 20; ++i)
      excluded += (i == 0 ? ", but not " : ", ") + std::to_string(session.excluded[i]);
    if (session.excluded.size() > 20)
      excluded += " and " + std::to_string(session.excluded.size() - 20) + " more (--json)";
    std::printf("  %s  up to %s%s\n", session.session.Text().c_str(), Grouped(session.serial).c_str(),
                excluded.c_str());
  }
}

void PrintIndex(const faster::IndexMetadata& index) {
  std::printf("index\n");
  Row("buckets", Grouped(index.table_size) + " and " + Grouped(index.overflow_buckets) + " of overflow");
  Row("entries", index.entries);
  Row("copied while the log",
      "grew from " + Grouped(index.checkpoint_start) + " to " + Grouped(index.checkpoint_final));
  Row("generation", faster::GenerationOrdinal(index.generation));
}

void PrintPair(const faster::PairMetadata& pair) {
  std::printf("cold half\n");
  Row("cold log", Range(pair.begin_address, pair.final_address));
  Row("index checkpoint", pair.index.Text());
  Row("chunks", Grouped(pair.chunks) + " of " + std::to_string(pair.chunk_entries) + " entries");
}

void PrintCensus(const char* what, const faster::LogCensus& census) {
  std::printf("%s\n", what);
  for (const auto& [version, count] : census.versions)
    std::printf("  version %-14u%s, of these %s tombstones\n", version, Grouped(count.live).c_str(),
                Grouped(count.tombstones).c_str());
  if (census.undone != 0) Row("of v+1, to be undone", census.undone);
  if (census.dead != 0) Row("in dead ranges", census.dead);
  if (census.invalid != 0) Row("without a place", census.invalid);
  if (census.bad_blocks != 0) Row("blocks that are bad", census.bad_blocks);
}

}  // namespace

int RunShow(const Arguments& arguments) {
  std::string error = CheckHash(arguments.hash);
  if (!error.empty()) return Complain(error);
  const auto storage = OpenStorage(arguments);
  faster::StoreView view;
  faster::Diagnosis why;
  std::vector<faster::CheckpointInfo> infos;
  faster::Status status = faster::ReadStoreView(*storage, "", &view, &why);
  if (status == faster::Status::kOk) status = faster::DescribeStore(*storage, "", view, &infos, &why);
  if (status != faster::Status::kOk) return Complain(why.Text()), 1;
  faster::Token token = view.latest;
  if (arguments.words.empty() && view.latest_status != faster::Status::kOk)
    return Complain("show: no latest checkpoint, name one: " + view.latest_why.Text());
  if (!arguments.words.empty() && !ParseToken(arguments.words[0], &token, &error)) return Complain(error);
  const faster::CheckpointInfo* info = nullptr;
  for (const faster::CheckpointInfo& one : infos) info = one.token == token ? &one : info;
  if (info == nullptr) return Complain("show: there is no checkpoint " + token.Text());
  const faster::CatalogEntry* const entry = view.Find(token);
  faster::CheckpointReport report;
  const bool reads = !arguments.quick && entry != nullptr && entry->log.valid();
  if (reads) {
    Progress progress(arguments.quiet);
    faster::ValidateOptions options = OptionsOf(arguments, &progress);
    options.hash = "none";  // the records are only counted
    status = faster::ValidateEntry(storage.get(), "", view, *entry, options, &report);
    if (status == faster::Status::kOutOfMemory) return Complain("not enough memory (--quick needs little)");
  }
  const std::string time = TimeOf(arguments.directory, token);
  if (arguments.json) {
    Json json = InfoJson(*info, time);
    if (entry != nullptr && entry->log.valid()) json["log"] = LogJson(entry->log.metadata);
    if (entry != nullptr && entry->index.valid()) json["index"] = IndexJson(entry->index.metadata);
    if (entry != nullptr && view.PairOf(*entry).valid())
      json["pair"] = PairJson(view.PairOf(*entry).metadata);
    if (reads) json["records"] = CensusJson(report.log);
    if (reads && report.cold_log.bytes != 0) json["cold_records"] = CensusJson(report.cold_log);
    std::printf("%s\n", json.dump(2).c_str());
    return 0;
  }
  PrintInfo(*info, time);
  if (entry != nullptr && entry->index.valid()) PrintIndex(entry->index.metadata);
  if (entry != nullptr && entry->log.valid()) PrintLog(entry->log.metadata);
  if (entry != nullptr && view.PairOf(*entry).valid()) PrintPair(view.PairOf(*entry).metadata);
  if (reads) PrintCensus("records by version", report.log);
  if (reads && report.cold_log.bytes != 0) PrintCensus("records of the cold log", report.cold_log);
  if (entry != nullptr && entry->log.valid()) PrintSessions(entry->log.metadata);
  return 0;
}

}  // namespace experiments::checkpoint
