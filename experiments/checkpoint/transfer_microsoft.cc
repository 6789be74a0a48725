#include "experiments/checkpoint/transfer_formats.h"
#include "experiments/common/storage_choice.h"
#include "faster/interop/microsoft_export.h"
#include "faster/interop/microsoft_import.h"

namespace experiments::checkpoint {
namespace {

using faster::Status;
namespace microsoft = faster::microsoft;

void SetGeometry(const TransferArguments& a, microsoft::Geometry* geometry) {
  geometry->page_bits = static_cast<uint32_t>(a.their_page_bits.value_or(25));
  geometry->segment_bytes = a.segment_bytes.value_or(0);
}

}  // namespace

int ExportMicrosoft(const TransferArguments& a) {
  microsoft::ExportOptions options;
  options.token = a.token;
  options.snapshot = a.log == "snapshot";
  options.log_pages = a.log_pages.value_or(0);
  options.table_size = a.table_size.value_or(0);
  if (a.guids == "windows") options.order = microsoft::GuidOrder::kMixedEndian;
  SetGeometry(a, &options.geometry);
  Progress progress(a.json);
  options.observer = ShowOn(&progress);
  const auto from = MakeStorage({}, a.directory), to = MakeStorage({}, a.out);
  microsoft::ExportResult done;
  faster::Diagnosis why;
  const Status status = microsoft::Export(from.get(), "", to.get(), "", options, &done, &why);
  progress.Clear();
  if (status != Status::kOk) return TransferFailure("export", a, status, why);
  PrintTransfer(a,
                {{"format", "microsoft"},
                 {"token", done.token.Text()},
                 {"version", done.log.version},
                 {"version_here", done.version},
                 {"log", options.snapshot ? "snapshot" : "foldover"},
                 {"records", done.records},
                 {"tombstones", done.tombstones},
                 {"sessions", done.log.threads},
                 {"table_size", done.index.table_size},
                 {"final_address", done.log.final_address}},
                "checkpoint " + done.token.Text() + ": " + Grouped(done.records) + " records (" +
                    Grouped(done.tombstones) + " tombstones), " + std::to_string(done.log.threads) +
                    " sessions, version " + std::to_string(done.log.version) + ", " +
                    (options.snapshot ? "snapshot" : "fold-over") + ", " + Grouped(done.index.table_size) +
                    " buckets\nwritten to " + a.out + "\n");
  return 0;
}

int ImportMicrosoft(const TransferArguments& a) {
  microsoft::ImportOptions options;
  options.log_token = a.token;
  options.index_token = a.index_token;
  SetGeometry(a, &options.geometry);
  options.config = NewStoreConfig(a);
  options.hash = NewStoreHash(a);
  Progress progress(a.json);
  options.observer = ShowOn(&progress);
  const auto from = MakeStorage({}, a.directory), to = MakeStorage({}, a.out);
  microsoft::ImportResult done;
  faster::Diagnosis why;
  const Status status = microsoft::Import(from.get(), "", to.get(), options, &done, &why);
  progress.Clear();
  if (status != Status::kOk) return TransferFailure("import", a, status, why);
  PrintTransfer(a,
                {{"format", "microsoft"},
                 {"token", done.log.token.Text()},
                 {"version", done.log.version},
                 {"log", done.source.log.snapshot ? "snapshot" : "foldover"},
                 {"records", done.records},
                 {"tombstones", done.tombstones},
                 {"undone", done.undone},
                 {"sessions", done.log.sessions.size()},
                 {"table_size", done.log.table_size},
                 {"final_address", done.log.final_address}},
                "checkpoint " + done.log.token.Text() + ": " + Grouped(done.records) + " records (" +
                    Grouped(done.tombstones) + " tombstones; " + Grouped(done.undone) +
                    " of a later version left out), " + std::to_string(done.log.sessions.size()) +
                    " sessions, version " + std::to_string(done.log.version) + "\nwritten to " + a.out +
                    "\n");
  return 0;
}

}  // namespace experiments::checkpoint
