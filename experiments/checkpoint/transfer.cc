#include "experiments/checkpoint/transfer.h"

#include <bit>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "experiments/common/cli.h"
#include "experiments/common/progress.h"
#include "experiments/common/storage_choice.h"
#include "faster/interop/microsoft_export.h"
#include "faster/interop/microsoft_hash.h"
#include "faster/interop/microsoft_import.h"
#include "workloads/ycsb/value.h"

namespace experiments::checkpoint {
namespace {

using faster::Status;
namespace microsoft = faster::microsoft;

// As the programs of this repository hash 8-byte keys.
uint64_t HashOfYcsbKey(uint64_t key) { return workloads::ycsb::AddWord<8>().Hash(key); }

struct Arguments {
  std::string format, out, log, guids, hash, index_token;
  uint64_t log_pages = 0, table_size = 0, segment_bytes = 0, their_page_bits = 25;
  uint64_t page_bits = 22, block_bytes = 4096, segment_pages = 64, version_bits = 13, index_buckets = 0;
  uint64_t seed = 0;
  bool json = false;
};

void AddCommonFlags(CommandLine* line, Arguments* a) {
  line->AddChoice("format", {"microsoft"}, "whose files: Microsoft's FASTER, C++", &a->format);
  line->AddText("out", "DIR", "the new directory", &a->out);
  line->AddNumber("segment-bytes", "N", "size of their log.log<N> (as the sizes of the files tell; 1 GiB)",
                  &a->segment_bytes, 512, uint64_t{1} << 47);
  line->AddNumber("their-page-bits", "N", "log2 of their page, Address::kOffsetBits (25)",
                  &a->their_page_bits, 9, 30);
  line->AddSwitch("json", "print what was done as JSON", &a->json);
}

CommandLine ExportFlags(Arguments* a) {
  CommandLine line(
      "./cpr checkpoint export DIR [TOKEN] --format microsoft --out DIR2 [FLAGS]",
      "Writes a checkpoint of the store in DIR (the newest, or TOKEN) as files that the other "
      "engine recovers.\n"
      "For keys and values of 8 bytes. DIR is only read.\n\n"
      "  ./cpr checkpoint export store --format microsoft --out theirs\n"
      "  ./cpr checkpoint export store --format microsoft --out theirs --log snapshot --log-pages 2");
  AddCommonFlags(&line, a);
  line.AddChoice("log", {"foldover", "snapshot"},
                 "as their engine was compiled, fold_over_snapshot (foldover)", &a->log);
  line.AddNumber("log-pages", "N", "snapshot: so many pages go to the log, the others to snapshot.dat (0)",
                 &a->log_pages, 0, uint64_t{1} << 23);
  line.AddNumber("table-size", "N", "buckets of their index, a power of two (as many as ours, at least 2048)",
                 &a->table_size, microsoft::kLeastTable, microsoft::kLargestTable);
  line.AddChoice("guids", {"linux", "windows"}, "order of the bytes of a guid (linux)", &a->guids);
  return line;
}

CommandLine ImportFlags(Arguments* a) {
  CommandLine line(
      "./cpr checkpoint import DIR2 [TOKEN] --format microsoft --out DIR [FLAGS]",
      "Makes a store in DIR out of a checkpoint of another engine in DIR2 (the newest, or TOKEN).\n"
      "For keys and values of 8 bytes. DIR2 is only read.\n\n"
      "  ./cpr checkpoint import theirs --format microsoft --out store\n"
      "  ./cpr checkpoint import theirs 5f0c...  --format microsoft --out store --page-bits 25");
  AddCommonFlags(&line, a);
  line.AddText("index-token", "TOKEN", "their index checkpoint, if it has another token than the log's",
               &a->index_token);
  line.AddChoice("hash", {"ycsb", "microsoft"},
                 "hash of the store that will be opened: as in workloads/ycsb, or theirs (ycsb)", &a->hash);
  line.AddNumber("page-bits", "N", "log2 of the new store's page (22)", &a->page_bits, 9, 30);
  line.AddNumber("block-bytes", "N", "the new store's block (4096)", &a->block_bytes, 64, 1 << 30);
  line.AddNumber("segment-pages", "N", "pages in a file of the new store's log (64)", &a->segment_pages, 1,
                 1 << 30);
  line.AddNumber("version-bits", "N", "width of the version in the new store's records (13)",
                 &a->version_bits, 1, 13);
  line.AddNumber("index-buckets", "N", "of the new store, a power of two (half as many as records)",
                 &a->index_buckets, 1, uint64_t{1} << 40);
  line.AddNumber("seed", "N", "for the generation of the new store (drawn)", &a->seed, 0, ~uint64_t{0});
  return line;
}

int Complain(const std::string& command, const std::string& what) {
  std::fprintf(stderr, "cpr checkpoint %s: %s\n", command.c_str(), what.c_str());
  return 2;
}

int ExitStatusOf(Status status) {
  switch (status) {
    case Status::kNotFound:
    case Status::kInvalidArgument:
    case Status::kExists:
    case Status::kUnsupported:
    case Status::kBusy:
      return 2;
    default:
      return 1;
  }
}

faster::TransferObserver ShowOn(Progress* progress) {
  return [progress, began = MonotonicSeconds(), started = 0.0,
          step = std::string()](const faster::TransferProgress& now) mutable {
    if (step != now.step) {
      step = now.step;
      started = MonotonicSeconds();
    }
    if (MonotonicSeconds() - began < 1 || !progress->Due() || now.total == 0) return;
    const double part = static_cast<double>(now.done) / static_cast<double>(now.total);
    const double left = part > 0 ? (MonotonicSeconds() - started) * (1 - part) / part : 0;
    progress->Show(step + ": " + std::to_string(now.done >> 20) + " of " + std::to_string(now.total >> 20) +
                   " MiB, " + DurationText(left) + " left");
  };
}

void Print(const Arguments& a, const nlohmann::json& json, const std::string& text) {
  std::fputs((a.json ? json.dump(2) + "\n" : text).c_str(), stdout);
}

int Export(const Arguments& a, const std::string& directory, const std::optional<faster::Token>& token) {
  microsoft::ExportOptions options;
  options.token = token;
  options.snapshot = a.log == "snapshot";
  options.log_pages = a.log_pages;
  options.table_size = a.table_size;
  if (a.guids == "windows") options.order = microsoft::GuidOrder::kMixedEndian;
  options.geometry.page_bits = static_cast<uint32_t>(a.their_page_bits);
  options.geometry.segment_bytes = a.segment_bytes;
  Progress progress(a.json);
  options.observer = ShowOn(&progress);
  const auto from = MakeStorage({}, directory), to = MakeStorage({}, a.out);
  microsoft::ExportResult done;
  faster::Diagnosis why;
  const Status status = microsoft::Export(from.get(), "", to.get(), "", options, &done, &why);
  progress.Clear();
  if (status != Status::kOk) {
    Complain("export", directory + ": " + why.Text());
    return ExitStatusOf(status);
  }
  Print(a,
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

int Import(const Arguments& a, const std::string& directory, const std::optional<faster::Token>& token,
           const std::optional<faster::Token>& index_token) {
  microsoft::ImportOptions options;
  options.log_token = token;
  options.index_token = index_token;
  options.geometry.page_bits = static_cast<uint32_t>(a.their_page_bits);
  options.geometry.segment_bytes = a.segment_bytes;
  options.config.page_bits = static_cast<uint32_t>(a.page_bits);
  options.config.block_bytes = static_cast<uint32_t>(a.block_bytes);
  options.config.segment_pages = static_cast<uint32_t>(a.segment_pages);
  options.config.version_bits = static_cast<uint32_t>(a.version_bits);
  options.config.index_buckets = a.index_buckets;
  options.config.seed = a.seed;
  options.hash = a.hash == "microsoft" ? microsoft::NativeHashOfKey : HashOfYcsbKey;
  Progress progress(a.json);
  options.observer = ShowOn(&progress);
  const auto from = MakeStorage({}, directory), to = MakeStorage({}, a.out);
  microsoft::ImportResult done;
  faster::Diagnosis why;
  const Status status = microsoft::Import(from.get(), "", to.get(), options, &done, &why);
  progress.Clear();
  if (status != Status::kOk) {
    Complain("import", directory + ": " + why.Text());
    return ExitStatusOf(status);
  }
  Print(a,
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
            " sessions, version " + std::to_string(done.log.version) + "\nwritten to " + a.out + "\n");
  return 0;
}

bool ReadToken(const std::string& text, std::optional<faster::Token>* token) {
  faster::Token parsed;
  if (!faster::Guid::Parse(text, &parsed)) return false;
  *token = parsed;
  return true;
}

}  // namespace

int RunTransfer(const std::string& command, const std::vector<std::string>& arguments) {
  Arguments a;
  const bool exporting = command == "export";
  CommandLine line = exporting ? ExportFlags(&a) : ImportFlags(&a);
  std::string error;
  a.seed = std::random_device()() | uint64_t{std::random_device()()} << 32;
  if (!line.Parse(arguments, &error)) return Complain(command, error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  const auto& positional = line.positional();
  if (positional.empty() || positional.size() > 2)
    return Complain(command, "needs a DIR, and one TOKEN at most");
  if (a.format.empty()) return Complain(command, "--format is missing: whose files?");
  if (a.out.empty()) return Complain(command, "--out is missing: where to?");
  std::optional<faster::Token> token, index_token;
  if (positional.size() == 2 && !ReadToken(positional[1], &token))
    return Complain(command, "TOKEN " + ShellQuote(positional[1]) + ": must be a guid, 8-4-4-4-12 digits");
  if (!a.index_token.empty() && !ReadToken(a.index_token, &index_token))
    return Complain(command, "--index-token " + ShellQuote(a.index_token) + ": must be a guid");
  if (!exporting && a.index_buckets != 0 && !std::has_single_bit(a.index_buckets))
    return Complain(command, "--index-buckets must be a power of two");
  std::error_code code;
  if (!std::filesystem::is_directory(positional[0], code))
    return Complain(command, ShellQuote(positional[0]) + " is no directory");
  const bool made = std::filesystem::create_directories(a.out, code);
  if (code) return Complain(command, "--out " + ShellQuote(a.out) + ": " + code.message());
  if (std::filesystem::equivalent(positional[0], a.out, code))
    return Complain(command, "--out must be another directory than " + ShellQuote(positional[0]));
  const int status =
      exporting ? Export(a, positional[0], token) : Import(a, positional[0], token, index_token);
  if (status != 0 && made) {
    std::filesystem::remove(std::filesystem::path(a.out) / "LOCK", code);
    std::filesystem::remove(a.out, code);  // only if nothing is in it
  }
  return status;
}

}  // namespace experiments::checkpoint
