#include "experiments/checkpoint/transfer.h"

#include <bit>
#include <cstdio>
#include <filesystem>
#include <random>

#include "experiments/checkpoint/transfer_formats.h"
#include "faster/interop/microsoft_hash.h"
#include "faster/interop/oxifaster_format.h"
#include "workloads/ycsb/value.h"

namespace experiments::checkpoint {
namespace {

using Arguments = TransferArguments;
using faster::Status;

// As the programs of this repository hash 8-byte keys.
uint64_t HashOfYcsbKey(uint64_t key) { return workloads::ycsb::AddWord<8>().Hash(key); }
uint64_t Xxh3OfKey(uint64_t key) {
  return faster::oxifaster::HashOfKey(key, faster::oxifaster::KeyHashKind::kXxh3);
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

bool ReadToken(const std::string& text, std::optional<faster::Token>* token) {
  faster::Token parsed;
  if (!faster::Guid::Parse(text, &parsed)) return false;
  *token = parsed;
  return true;
}

// "" or what is wrong with the words. Makes the directory; *made says that it is new.
std::string Check(const std::vector<std::string>& positional, bool exporting, Arguments* a, bool* made) {
  if (positional.empty() || positional.size() > 2) return "needs a DIR, and one TOKEN at most";
  if (a->format.empty()) return "--format is missing: whose files?";
  if (a->out.empty()) return "--out is missing: where to?";
  if (const std::string foreign = ForeignFlag(*a); !foreign.empty()) return foreign;
  if (positional.size() == 2 && !ReadToken(positional[1], &a->token))
    return "TOKEN " + ShellQuote(positional[1]) + ": must be a guid, 8-4-4-4-12 digits";
  if (!a->index_token_text.empty() && !ReadToken(a->index_token_text, &a->index_token))
    return "--index-token " + ShellQuote(a->index_token_text) + ": must be a guid";
  if (!exporting && a->index_buckets != 0 && !std::has_single_bit(a->index_buckets))
    return "--index-buckets must be a power of two";
  a->directory = positional[0];
  std::error_code code;
  if (!std::filesystem::is_directory(a->directory, code))
    return ShellQuote(a->directory) + " is no directory";
  *made = std::filesystem::create_directories(a->out, code);
  if (code) return "--out " + ShellQuote(a->out) + ": " + code.message();
  if (std::filesystem::equivalent(a->directory, a->out, code))
    return "--out must be another directory than " + ShellQuote(a->directory);
  return "";
}

}  // namespace

int TransferComplaint(const std::string& command, const std::string& what) {
  std::fprintf(stderr, "cpr checkpoint %s: %s\n", command.c_str(), what.c_str());
  return 2;
}

int TransferFailure(const std::string& command, const Arguments& a, Status status,
                    const faster::Diagnosis& why) {
  TransferComplaint(command, a.directory + ": " + why.Text());
  return ExitStatusOf(status);
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

void PrintTransfer(const Arguments& a, const nlohmann::json& json, const std::string& text) {
  std::fputs((a.json ? json.dump(2) + "\n" : text).c_str(), stdout);
}

faster::StoreConfig NewStoreConfig(const Arguments& a) {
  faster::StoreConfig config;
  config.page_bits = static_cast<uint32_t>(a.page_bits);
  config.block_bytes = static_cast<uint32_t>(a.block_bytes);
  config.segment_pages = static_cast<uint32_t>(a.segment_pages);
  config.version_bits = static_cast<uint32_t>(a.version_bits);
  config.index_buckets = a.index_buckets;
  config.seed = a.seed;
  return config;
}

faster::KeyHashFunction NewStoreHash(const Arguments& a) {
  if (a.hash == "microsoft") return faster::microsoft::NativeHashOfKey;
  return a.hash == "xxh3" ? Xxh3OfKey : HashOfYcsbKey;
}

int RunTransfer(const std::string& command, const std::vector<std::string>& arguments) {
  Arguments a;
  const bool exporting = command == "export";
  CommandLine line = exporting ? ExportFlags(&a) : ImportFlags(&a);
  std::string error;
  a.seed = std::random_device()() | uint64_t{std::random_device()()} << 32;
  if (!line.Parse(arguments, &error)) return TransferComplaint(command, error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  bool made = false;
  if (error = Check(line.positional(), exporting, &a, &made); !error.empty())
    return TransferComplaint(command, error);
  const int status = a.format == "microsoft" ? (exporting ? ExportMicrosoft(a) : ImportMicrosoft(a))
                                             : (exporting ? ExportOxifaster(a) : ImportOxifaster(a));
  if (status != 0 && made) {
    std::error_code code;
    std::filesystem::remove(std::filesystem::path(a.out) / "LOCK", code);
    std::filesystem::remove(a.out, code);  // only if nothing is in it
  }
  return status;
}

}  // namespace experiments::checkpoint
