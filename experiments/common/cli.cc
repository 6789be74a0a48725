#include "experiments/common/cli.h"

#include <algorithm>

#include "experiments/common/near_names.h"

namespace experiments {
namespace {

std::string Joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

}  // namespace

bool ParseNumber(std::string_view text, uint64_t* number) {
  if (text.empty() || text.size() > 20) return false;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    const uint64_t digit = static_cast<uint64_t>(c - '0');
    if (value > (~uint64_t{0} - digit) / 10) return false;
    value = value * 10 + digit;
  }
  *number = value;
  return true;
}

std::string ShellQuote(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("_-./:=,+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted += c;
  }
  return quoted + "'";
}

CommandLine::CommandLine(std::string usage, std::string description)
    : usage_(std::move(usage)), description_(std::move(description)) {}

void CommandLine::Add(std::string name, std::string value_name, std::string help, Accept accept) {
  flags_.push_back({std::move(name), std::move(value_name), std::move(help), std::move(accept)});
}

void CommandLine::AddSwitch(std::string name, std::string help, bool* value) {
  Add(std::move(name), "", std::move(help),
      [value](const std::string&, std::string*) { return *value = true; });
}

void CommandLine::AddText(std::string name, std::string value_name, std::string help, std::string* value) {
  Add(std::move(name), std::move(value_name), std::move(help),
      [value](const std::string& text, std::string* reason) {
        *value = text;
        *reason = "must not be empty";
        return !text.empty();
      });
}

void CommandLine::AddNumber(std::string name, std::string value_name, std::string help, uint64_t* value,
                            uint64_t low, uint64_t high) {
  Add(std::move(name), std::move(value_name), std::move(help),
      [=](const std::string& text, std::string* reason) {
        *reason = high == ~uint64_t{0}
                      ? "must be a number"
                      : "must be a number from " + std::to_string(low) + " to " + std::to_string(high);
        return ParseNumber(text, value) && *value >= low && *value <= high;
      });
}

void CommandLine::AddChoice(std::string name, std::vector<std::string> choices, std::string help,
                            std::string* value) {
  std::string value_name = Joined(choices, "|");
  std::string reason = "must be one of " + Joined(choices, ", ");
  Add(std::move(name), std::move(value_name), std::move(help),
      [value, choices = std::move(choices), reason = std::move(reason)](const std::string& text,
                                                                        std::string* why) {
        *value = text;
        *why = reason;
        return std::find(choices.begin(), choices.end(), text) != choices.end();
      });
}

const CommandLine::Flag* CommandLine::Find(std::string_view name) const {
  for (const Flag& flag : flags_) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

std::string CommandLine::Unknown(std::string_view name) const {
  std::string text = "unknown flag --" + std::string(name);
  const Flag* closest = nullptr;
  size_t best = 3;
  for (const Flag& flag : flags_) {
    const size_t distance = EditDistance(flag.name, name);
    if (distance < best) closest = &flag, best = distance;
  }
  if (closest != nullptr) text += "; did you mean --" + closest->name + "?";
  return text;
}

bool CommandLine::Parse(const std::vector<std::string>& arguments, std::string* error) {
  bool flags_end = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "-h" && !flags_end) {
      help_wanted_ = true;
      continue;
    }
    if (flags_end || argument.size() < 2 || argument[0] != '-') {
      positional_.push_back(argument);
      continue;
    }
    if (argument == "--") {
      flags_end = true;
      continue;
    }
    const size_t equals = argument.find('=');
    const size_t dashes = argument[1] == '-' ? 2 : 1;
    const std::string name = argument.substr(dashes, equals == std::string::npos ? equals : equals - dashes);
    if (name == "help") {
      help_wanted_ = true;
      continue;
    }
    const Flag* flag = dashes == 2 ? Find(name) : nullptr;
    if (flag == nullptr) {
      *error = dashes == 2 ? Unknown(name) : "unknown flag " + argument;
      return false;
    }
    std::string value;
    if (flag->value_name.empty()) {
      if (equals != std::string::npos) {
        *error = "--" + name + " takes no value";
        return false;
      }
    } else if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size()) {
      value = arguments[++i];
    } else {
      *error = "--" + name + " needs a value (" + flag->value_name + ")";
      return false;
    }
    std::string reason;
    if (!flag->accept(value, &reason)) {
      *error = "--" + name + " " + ShellQuote(value) + ": " + reason;
      return false;
    }
  }
  return true;
}

std::string CommandLine::Help() const {
  std::string text = "usage: " + usage_ + "\n\n" + description_ + "\n\n";
  for (const Flag& flag : flags_) {
    std::string left = "  --" + flag.name + (flag.value_name.empty() ? "" : " " + flag.value_name);
    if (left.size() < 32)
      left.resize(32, ' ');
    else
      left += "\n" + std::string(32, ' ');
    text += left + flag.help + "\n";
  }
  return text;
}

}  // namespace experiments
