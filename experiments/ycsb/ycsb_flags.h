// YcsbFlags: what YCSB's own command line says (one dash, and the words of bin/ycsb), and the properties that
// say the same.
#pragma once

#include <string>
#include <vector>

#include "experiments/ycsb/options.h"

namespace experiments::ycsb {

// Takes YCSB's flags out of `arguments`; what remains, for CommandLine, is in *rest. False: *error.
class YcsbFlags {
 public:
  YcsbFlags(const std::vector<std::string>& arguments, Options* options)
      : arguments_(arguments), options_(*options) {}

  bool Take(std::vector<std::string>* rest, std::string* error);
  // After all properties are known: which phases, status lines and label.
  bool TakeProperties(std::string* error);

 private:
  bool Value(const std::string& flag, std::string* value, std::string* error);
  bool Apply(const std::string& flag, const std::string& value, std::string* error);
  bool TakeWords(std::string* error);

  const std::vector<std::string>& arguments_;
  Options& options_;
  size_t at_ = 0;
  bool load_ = false, run_ = false;
};

}  // namespace experiments::ycsb
