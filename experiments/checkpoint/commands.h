// The subcommands of ./cpr checkpoint, as a table: name, what it does, how many words follow DIR, and the
// function that does it and returns the exit status (0 pass, 1 something is broken, 2 wrong usage or input).
//
// They print results to stdout and complaints, one line each, to stderr. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "experiments/common/storage_choice.h"
#include "faster/device/storage.h"

namespace experiments::checkpoint {

struct Arguments {
  std::string directory;
  std::vector<std::string> words;  // after DIR
  StorageChoice storage{"", false, 0, 0};
  std::string hash = "auto";
  uint64_t threads = 0;    // 0: as many as there are processors
  uint64_t memory_mb = 0;  // for the table of the reach; 0: any
  bool json = false;
  bool quick = false;
  bool apply = false;
  bool dry_run = false;
  bool quiet = false;
};

struct Command {
  const char* name;
  const char* words;  // that may follow DIR, for the usage; "" for none
  const char* summary;
  size_t most_words;
  int (*run)(const Arguments& arguments);
};
std::span<const Command> Commands();

int RunList(const Arguments& arguments);
int RunShow(const Arguments& arguments);
int RunValidate(const Arguments& arguments);
int RunRepair(const Arguments& arguments);

// --- what they share ---

int Complain(const std::string& what);  // one line; 2
// Of the directory; reads past the page cache unless the flags say otherwise.
std::unique_ptr<faster::Storage> OpenStorage(const Arguments& arguments);
// "1.5 GB", powers of 1000.
std::string SizeText(uint64_t bytes);

}  // namespace experiments::checkpoint
