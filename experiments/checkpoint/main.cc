// cpr-checkpoint: ./cpr checkpoint COMMAND. What can be done with a store's checkpoints while no store is
// open.
//
// Exit status: 0 done, 1 damage or an error of the device, 2 wrong usage.
#include <cstdio>
#include <string>
#include <vector>

#include "experiments/checkpoint/transfer.h"

namespace {

struct Command {
  const char* name;
  const char* help;
  int (*run)(const std::string& command, const std::vector<std::string>& arguments);
};

constexpr Command kCommands[] = {
    {"export", "write a checkpoint as files of another engine", experiments::checkpoint::RunTransfer},
    {"import", "make a store out of a checkpoint of another engine", experiments::checkpoint::RunTransfer},
};

void Usage(FILE* to) {
  std::fputs("usage: ./cpr checkpoint COMMAND ...\n\n", to);
  for (const Command& command : kCommands) std::fprintf(to, "  %-10s %s\n", command.name, command.help);
  std::fputs("\n./cpr checkpoint COMMAND --help says more.\n", to);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(name, {argv + 2, argv + argc});
  }
  const bool help = name == "--help" || name == "-h";
  if (!help && !name.empty()) std::fprintf(stderr, "cpr checkpoint: no command '%s'\n", name.c_str());
  Usage(help ? stdout : stderr);
  return help ? 0 : 2;
}
