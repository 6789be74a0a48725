// Between the commands and the library: times of checkpoints, options from flags, progress, JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "experiments/checkpoint/commands.h"
#include "experiments/common/progress.h"
#include "faster/inspect/self_check.h"

namespace experiments::checkpoint {

using Json = nlohmann::ordered_json;

// When its metadata got its name, in UTC, as the file system has it ("2026-01-01T12:00:00Z"); the engine
// keeps no time. "" if there is nothing to ask.
std::string TimeOf(const std::string& directory, const faster::Token& token);

// The hash functions that programs of this project use, beside those that the library knows.
std::span<const faster::NamedHash> ProjectHashes();
// "" or what is wrong with --hash.
std::string CheckHash(const std::string& name);

// `progress` shows how far it is, how fast, and how long it still takes. It outlives the options' use.
faster::ValidateOptions OptionsOf(const Arguments& arguments, Progress* progress);

// A token that is spelled as a directory is. False: *error is one line.
bool ParseToken(const std::string& word, faster::Token* token, std::string* error);

// Complete, the latest, damaged and where, abandoned, incomplete.
std::string StateText(const faster::CheckpointInfo& info);

Json InfoJson(const faster::CheckpointInfo& info, const std::string& time);
Json LogJson(const faster::LogMetadata& log);
Json IndexJson(const faster::IndexMetadata& index);
Json PairJson(const faster::PairMetadata& pair);
Json CensusJson(const faster::LogCensus& census);
Json FindingJson(const faster::Finding& finding);
Json ReportJson(const faster::CheckpointReport& report);

}  // namespace experiments::checkpoint
