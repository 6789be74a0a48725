// What the formats of `./cpr checkpoint export` and `import` share: the flags, progress, printing. Each
// format has a source file of its own with two functions, named in transfer.cc. One thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "experiments/common/cli.h"
#include "experiments/common/progress.h"
#include "faster/core/checkpoint_types.h"
#include "faster/core/config.h"
#include "faster/core/status.h"
#include "faster/interop/native_writer.h"
#include "faster/interop/transfer.h"

namespace experiments::checkpoint {

// Absent numbers and empty texts: the format's own.
struct TransferArguments {
  std::string directory;
  std::optional<faster::Token> token, index_token;
  std::string format, out, log, guids, hash, index_token_text, device, their_hash;
  std::optional<uint64_t> log_pages, table_size, segment_bytes, their_page_bits;
  uint64_t page_bits = 22, block_bytes = 4096, segment_pages = 64, version_bits = 13, index_buckets = 0;
  uint64_t seed = 0;
  bool no_rmw = false;
  bool json = false;
};

CommandLine ExportFlags(TransferArguments* a);
CommandLine ImportFlags(TransferArguments* a);
// "" or one line: a flag of another format than the one that was named.
std::string ForeignFlag(const TransferArguments& a);

// Each returns the exit status.
int ExportMicrosoft(const TransferArguments& a);
int ImportMicrosoft(const TransferArguments& a);
int ExportOxifaster(const TransferArguments& a);
int ImportOxifaster(const TransferArguments& a);

// --- what they share ---

int TransferComplaint(const std::string& command, const std::string& what);  // one line; 2
// The line for `why`, of the source directory; the exit status that goes with `status`.
int TransferFailure(const std::string& command, const TransferArguments& a, faster::Status status,
                    const faster::Diagnosis& why);
faster::TransferObserver ShowOn(Progress* progress);
void PrintTransfer(const TransferArguments& a, const nlohmann::json& json, const std::string& text);
// Of the store that an import makes.
faster::StoreConfig NewStoreConfig(const TransferArguments& a);
faster::KeyHashFunction NewStoreHash(const TransferArguments& a);

}  // namespace experiments::checkpoint
