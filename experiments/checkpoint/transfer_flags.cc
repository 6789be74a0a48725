#include <utility>

#include "experiments/checkpoint/transfer_formats.h"
#include "faster/interop/microsoft_metadata.h"

namespace experiments::checkpoint {
namespace {

using Arguments = TransferArguments;

// A number that may be absent.
void AddNumber(CommandLine* line, std::string name, std::string help, std::optional<uint64_t>* value,
               uint64_t low, uint64_t high) {
  line->Add(std::move(name), "N", std::move(help), [=](const std::string& text, std::string* reason) {
    uint64_t number = 0;
    if (ParseNumber(text, &number) && number >= low && number <= high) {
      *value = number;
      return true;
    }
    *reason = "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    return false;
  });
}

void AddCommonFlags(CommandLine* line, Arguments* a) {
  line->AddChoice("format", {"microsoft", "oxifaster"},
                  "whose files: Microsoft's FASTER in C++, or oxifaster", &a->format);
  line->AddText("out", "DIR", "the new directory", &a->out);
  AddNumber(
      line, "segment-bytes",
      "size of their log.log<N> (as the sizes of the files tell; 1 GiB); oxifaster, import: of DEVICE.<N>",
      &a->segment_bytes, 512, uint64_t{1} << 47);
  AddNumber(line, "their-page-bits",
            "log2 of their page: Address::kOffsetBits (25); page_size_bits (as log.snapshot tells; 22)",
            &a->their_page_bits, 9, 30);
  line->AddChoice("their-hash", {"xxh3", "xxh64"}, "oxifaster: its feature hash-xxh3 or hash-xxh64 (xxh3)",
                  &a->their_hash);
  line->AddSwitch("json", "print what was done as JSON", &a->json);
}

}  // namespace

CommandLine ExportFlags(Arguments* a) {
  CommandLine line(
      "./cpr checkpoint export DIR [TOKEN] --format FORMAT --out DIR2 [FLAGS]",
      "Writes a checkpoint of the store in DIR (the newest, or TOKEN) as files that another "
      "engine recovers.\n"
      "For keys and values of 8 bytes. DIR is only read.\n\n"
      "  ./cpr checkpoint export store --format microsoft --out theirs\n"
      "  ./cpr checkpoint export store --format microsoft --out theirs --log snapshot --log-pages 2\n"
      "  ./cpr checkpoint export store --format oxifaster --out theirs --their-page-bits 20");
  AddCommonFlags(&line, a);
  line.AddChoice(
      "log", {"foldover", "snapshot"},
      "microsoft: as their engine was compiled, fold_over_snapshot (foldover); oxifaster: it recovers "
      "both (snapshot)",
      &a->log);
  AddNumber(&line, "log-pages",
            "microsoft, snapshot: so many pages go to the log, the others to snapshot.dat (0)", &a->log_pages,
            0, uint64_t{1} << 23);
  AddNumber(&line, "table-size",
            "buckets of their index, a power of two (as many as ours; microsoft: at least 2048)",
            &a->table_size, 1, faster::microsoft::kLargestTable);
  line.AddChoice("guids", {"linux", "windows"}, "microsoft: order of the bytes of a guid (linux)", &a->guids);
  return line;
}

CommandLine ImportFlags(Arguments* a) {
  CommandLine line(
      "./cpr checkpoint import DIR2 [TOKEN] --format FORMAT --out DIR [FLAGS]",
      "Makes a store in DIR out of a checkpoint of another engine in DIR2 (the newest, or TOKEN).\n"
      "For keys and values of 8 bytes. DIR2 is only read.\n\n"
      "  ./cpr checkpoint import theirs --format microsoft --out store\n"
      "  ./cpr checkpoint import theirs 5f0c...  --format microsoft --out store --page-bits 25\n"
      "  ./cpr checkpoint import theirs --format oxifaster --out store --device theirs/hlog.dat");
  AddCommonFlags(&line, a);
  line.AddText("index-token", "TOKEN",
               "microsoft: their index checkpoint, if it has another token than the log's",
               &a->index_token_text);
  line.AddText("device", "FILE", "oxifaster: the file of their device, where a fold-over checkpoint's log is",
               &a->device);
  line.AddSwitch(
      "no-rmw",
      "oxifaster: their store made no read-modify-writes, of which an incremental checkpoint loses some",
      &a->no_rmw);
  line.AddChoice("hash", {"ycsb", "microsoft", "xxh3"},
                 "hash of the store that will be opened: as in workloads/ycsb, or the other engine's (ycsb)",
                 &a->hash);
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

std::string ForeignFlag(const Arguments& a) {
  const std::pair<bool, const char*> microsoft[] = {{a.log_pages.has_value(), "--log-pages"},
                                                    {!a.guids.empty(), "--guids"},
                                                    {!a.index_token_text.empty(), "--index-token"}};
  const std::pair<bool, const char*> oxifaster[] = {
      {!a.their_hash.empty(), "--their-hash"}, {!a.device.empty(), "--device"}, {a.no_rmw, "--no-rmw"}};
  for (const auto& [given, name] : a.format == "microsoft" ? oxifaster : microsoft) {
    if (given)
      return std::string(name) + " is for --format " + (a.format == "microsoft" ? "oxifaster" : "microsoft");
  }
  return "";
}

}  // namespace experiments::checkpoint
