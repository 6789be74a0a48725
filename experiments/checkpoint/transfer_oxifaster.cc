#include <algorithm>
#include <filesystem>
#include <memory>

#include "experiments/checkpoint/transfer_formats.h"
#include "experiments/common/storage_choice.h"
#include "faster/interop/oxifaster_export.h"
#include "faster/interop/oxifaster_import.h"

namespace experiments::checkpoint {
namespace {

using faster::Status;
namespace oxifaster = faster::oxifaster;

oxifaster::KeyHashKind TheirHash(const TransferArguments& a) {
  return a.their_hash == "xxh64" ? oxifaster::KeyHashKind::kXxh64 : oxifaster::KeyHashKind::kXxh3;
}

const char* KindOf(const oxifaster::LogInfo& log) {
  return log.incremental ? "incremental" : log.snapshot ? "snapshot" : "foldover";
}

}  // namespace

int ExportOxifaster(const TransferArguments& a) {
  if (a.segment_bytes)
    return TransferComplaint("export", "--segment-bytes: their device is written as one file");
  oxifaster::ExportOptions options;
  options.token = a.token;
  options.snapshot = a.log != "foldover";
  options.page_bits = static_cast<uint32_t>(a.their_page_bits.value_or(oxifaster::kUsualPageBits));
  options.table_size = a.table_size.value_or(0);
  options.their_hash = TheirHash(a);
  Progress progress(a.json);
  options.observer = ShowOn(&progress);
  const auto from = MakeStorage({}, a.directory), to = MakeStorage({}, a.out);
  oxifaster::ExportResult done;
  faster::Diagnosis why;
  const Status status = oxifaster::Export(from.get(), "", to.get(), "", options, &done, &why);
  progress.Clear();
  if (status != Status::kOk) return TransferFailure("export", a, status, why);
  // Their recovery has the whole log in memory, and refuses a memory of one page.
  const uint64_t memory = std::max<uint64_t>(done.pages, 2) << options.page_bits;
  nlohmann::json json = {{"format", "oxifaster"},
                         {"token", done.log.token.Text()},
                         {"version", done.log.version},
                         {"log", KindOf(done.log)},
                         {"records", done.records},
                         {"tombstones", done.tombstones},
                         {"sessions", done.log.sessions.size()},
                         {"table_size", done.index.table_size},
                         {"final_address", done.log.final_address},
                         {"page_size_bits", options.page_bits},
                         {"log_memory_size", memory}};
  if (!options.snapshot) json["device"] = (std::filesystem::path(a.out) / oxifaster::kDeviceName).string();
  PrintTransfer(
      a, json,
      "checkpoint " + done.log.token.Text() + ": " + Grouped(done.records) + " records (" +
          Grouped(done.tombstones) + " tombstones), " + std::to_string(done.log.sessions.size()) +
          " sessions, version " + std::to_string(done.log.version) + ", " +
          (options.snapshot ? "snapshot" : "fold-over") + ", " + Grouped(done.index.table_size) +
          " buckets\nwritten to " + a.out + "; it is recovered with table_size " +
          std::to_string(done.index.table_size) + ", page_size_bits " + std::to_string(options.page_bits) +
          " and log_memory_size " + std::to_string(memory) + " or more" +
          (options.snapshot ? "" : ", from the file " + std::string(oxifaster::kDeviceName)) + "\n");
  return 0;
}

int ImportOxifaster(const TransferArguments& a) {
  oxifaster::ImportOptions options;
  options.token = a.token;
  options.page_bits = static_cast<uint32_t>(a.their_page_bits.value_or(0));
  if (a.their_page_bits &&
      (options.page_bits < oxifaster::kLeastPageBits || options.page_bits > oxifaster::kOffsetBits))
    return TransferComplaint("import",
                             "--their-page-bits must be a whole number from 10 to 25 for oxifaster");
  options.their_hash = TheirHash(a);
  options.no_rmw = a.no_rmw;
  options.config = NewStoreConfig(a);
  options.hash = NewStoreHash(a);
  const std::filesystem::path device(a.device);
  const std::string folder = device.parent_path().empty() ? "." : device.parent_path().string();
  const std::unique_ptr<faster::Storage> devices = a.device.empty() ? nullptr : MakeStorage({}, folder);
  options.device = {devices.get(), device.filename().string(), a.segment_bytes.value_or(0)};
  Progress progress(a.json);
  options.observer = ShowOn(&progress);
  const auto from = MakeStorage({}, a.directory), to = MakeStorage({}, a.out);
  oxifaster::ImportResult done;
  faster::Diagnosis why;
  const Status status = oxifaster::Import(from.get(), "", to.get(), options, &done, &why);
  progress.Clear();
  if (status != Status::kOk) return TransferFailure("import", a, status, why);
  for (const std::string& warning : done.warnings) TransferComplaint("import", "warning: " + warning);
  PrintTransfer(a,
                {{"format", "oxifaster"},
                 {"token", done.log.token.Text()},
                 {"version", done.log.version},
                 {"log", KindOf(done.source.log)},
                 {"records", done.records},
                 {"tombstones", done.tombstones},
                 {"left_out", done.left_out},
                 {"sessions", done.log.sessions.size()},
                 {"table_size", done.log.table_size},
                 {"final_address", done.log.final_address},
                 {"warnings", done.warnings}},
                "checkpoint " + done.log.token.Text() + ": " + Grouped(done.records) + " records (" +
                    Grouped(done.tombstones) + " tombstones; " + Grouped(done.left_out) +
                    " that do not count left out), " + std::to_string(done.log.sessions.size()) +
                    " sessions, version " + std::to_string(done.log.version) + "\nwritten to " + a.out +
                    "\n");
  return 0;
}

}  // namespace experiments::checkpoint
