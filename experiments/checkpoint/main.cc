// cpr-checkpoint: ./cpr checkpoint. What checkpoints a store's directory holds, whether they are whole, and
// setting aside those that are not.
#include <cstdio>
#include <filesystem>

#include "experiments/checkpoint/commands.h"
#include "experiments/checkpoint/transfer.h"
#include "experiments/common/cli.h"

namespace experiments::checkpoint {
namespace {

constexpr Command kCommands[] = {
    {"list", "", "the checkpoints in DIR, newest first", 0, &RunList},
    {"show", "[TOKEN]", "all that is known of one (the latest), sessions and records too", 1, &RunShow},
    {"validate", "[TOKEN]", "verify every byte that a recovery of one (of all) would read", 1, &RunValidate},
    {"repair", "", "set broken ones aside, so that a recovery finds the newest good one", 0, &RunRepair},
};

CommandLine Flags(Arguments* a) {
  std::string text = "Looks into the directory of a store that no process has open.\n\n";
  for (const Command& command : Commands()) {
    const std::string form = std::string(command.name) + " DIR " + command.words;
    text += "  " + form + std::string(form.size() < 24 ? 24 - form.size() : 1, ' ') + command.summary + "\n";
  }
  text +=
      "  export DIR, import DIR  to and from checkpoints of another engine; --help after them says more\n"
      "\nExamples:\n"
      "  ./cpr checkpoint list STORE\n"
      "  ./cpr checkpoint show STORE 85e7bb0f-1227-8575-4917-18de357e3da8 --json\n"
      "  ./cpr checkpoint validate STORE              every checkpoint; the first broken place, if any\n"
      "  ./cpr checkpoint repair STORE                what would be set aside\n"
      "  ./cpr checkpoint repair STORE --apply        does it; nothing is deleted\n"
      "Exit status: 0 all is well; 1 something is broken; 2 wrong usage or input.";
  CommandLine line("./cpr checkpoint COMMAND DIR [TOKEN] [FLAGS]", text);
  line.AddSwitch("json", "print JSON instead of text", &a->json);
  line.AddSwitch("quick", "show: leave out what takes reading the log", &a->quick);
  line.AddSwitch("dry-run", "repair: only say what would be done (so it is without --apply)", &a->dry_run);
  line.AddSwitch("apply", "repair: do it", &a->apply);
  line.AddNumber("threads", "N", "read and check by N threads (as many as there are processors)", &a->threads,
                 1, 256);
  line.AddText("hash", "NAME", "the store's hash function: auto, none, ycsb, bytes (auto)", &a->hash);
  line.AddNumber("memory", "MB", "no table for the reach of records if it were larger", &a->memory_mb, 1,
                 ~uint64_t{0} >> 20);
  line.AddSwitch("quiet", "no progress", &a->quiet);
  AddStorageFlags(&line, &a->storage);
  return line;
}

const Command* Find(const std::string& name) {
  for (const Command& command : Commands()) {
    if (name == command.name) return &command;
  }
  return nullptr;
}

std::string Names() {
  std::string names;
  for (const Command& command : Commands()) names += std::string(command.name) + ", ";
  return names + "export, import";
}

int Main(const std::vector<std::string>& words) {
  if (!words.empty() && (words[0] == "export" || words[0] == "import"))
    return RunTransfer(words[0], {words.begin() + 1, words.end()});
  Arguments a;
  CommandLine line = Flags(&a);
  std::string error;
  if (!line.Parse(words, &error)) return Complain(error);
  if (line.help_wanted()) {
    std::fputs(line.Help().c_str(), stdout);
    return 0;
  }
  const std::vector<std::string>& given = line.positional();
  if (given.empty()) return Complain("which command? " + Names() + " (--help shows examples)");
  const Command* const command = Find(given[0]);
  if (command == nullptr) return Complain("no command " + ShellQuote(given[0]) + "; there are " + Names());
  if (given.size() < 2) return Complain(given[0] + ": which directory?");
  a.directory = given[1];
  a.words.assign(given.begin() + 2, given.end());
  if (a.words.size() > command->most_words)
    return Complain(given[0] + ": unexpected argument " + ShellQuote(a.words[command->most_words]));
  if (error = CheckFlags(a.storage); !error.empty()) return Complain(error);
  if (a.apply && a.dry_run) return Complain("--apply and --dry-run contradict each other");
  std::error_code code;
  if (!std::filesystem::is_directory(a.directory, code))
    return Complain(given[0] + ": " + ShellQuote(a.directory) + " is no directory");
  return command->run(a);
}

}  // namespace

std::span<const Command> Commands() { return kCommands; }

int Complain(const std::string& what) {
  std::fprintf(stderr, "cpr checkpoint: %s\n", what.c_str());
  return 2;
}

std::unique_ptr<faster::Storage> OpenStorage(const Arguments& arguments) {
  StorageChoice choice = arguments.storage;
  if (choice.name.empty())
    choice.name = "uring", choice.direct = true;  // falls back where it is not to be had
  return MakeStorage(choice, arguments.directory);
}

std::string SizeText(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  while (value >= 999.5 && unit < 5) value /= 1000, ++unit;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

}  // namespace experiments::checkpoint

int main(int argc, char** argv) { return experiments::checkpoint::Main({argv + 1, argv + argc}); }
