// CommandLine: the flags of one program, their help, and one clear line when the user errs.
//
// Flags are `--name VALUE`, `--name=VALUE` or `--name`; what remains are positional arguments. Nothing is
// printed and nothing exits here, so that programs and tests decide. Used once at start-up by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace experiments {

class CommandLine {
 public:
  // False and a reason ("must be ...") if the value cannot be used.
  using Accept = std::function<bool(const std::string& value, std::string* reason)>;

  CommandLine(std::string usage, std::string description);

  // `value_name` empty: a flag without a value.
  void Add(std::string name, std::string value_name, std::string help, Accept accept);
  void AddSwitch(std::string name, std::string help, bool* value);
  void AddText(std::string name, std::string value_name, std::string help, std::string* value);
  void AddNumber(std::string name, std::string value_name, std::string help, uint64_t* value, uint64_t low,
                 uint64_t high);
  void AddChoice(std::string name, std::vector<std::string> choices, std::string help, std::string* value);

  // False: *error is one line that says what is wrong with which argument. `--help` or `-h` sets
  // help_wanted().
  bool Parse(const std::vector<std::string>& arguments, std::string* error);
  bool help_wanted() const { return help_wanted_; }
  const std::vector<std::string>& positional() const { return positional_; }
  std::string Help() const;

 private:
  struct Flag {
    std::string name;
    std::string value_name;
    std::string help;
    Accept accept;
  };
  const Flag* Find(std::string_view name) const;
  std::string Unknown(std::string_view name) const;

  std::string usage_;
  std::string description_;
  std::vector<Flag> flags_;
  std::vector<std::string> positional_;
  bool help_wanted_ = false;
};

// A whole non-negative decimal number, nothing else.
bool ParseNumber(std::string_view text, uint64_t* number);

// The words as a POSIX shell reads them back.
std::string ShellQuote(std::string_view word);

}  // namespace experiments
