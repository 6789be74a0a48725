#include "experiments/ycsb/ycsb_flags.h"

#include <algorithm>
#include <string_view>

namespace experiments::ycsb {

bool YcsbFlags::Take(std::vector<std::string>* rest, std::string* error) {
  if (!TakeWords(error)) return false;
  for (; at_ < arguments_.size(); ++at_) {
    const std::string& flag = arguments_[at_];
    std::string value;
    if (flag == "-load")
      load_ = true;
    else if (flag == "-t" || flag == "-run")
      run_ = true;
    else if (flag == "-s")
      options_.status = true;
    else if (flag == "-P" || flag == "-p" || flag == "-threads" || flag == "-target" || flag == "-db" ||
             flag == "-l") {
      if (!Value(flag, &value, error) || !Apply(flag, value, error)) return false;
    } else {
      rest->push_back(flag);
    }
  }
  return true;
}

// "load DB" or "run DB" in front, as in bin/ycsb.
bool YcsbFlags::TakeWords(std::string* error) {
  if (arguments_.empty() || (arguments_[0] != "load" && arguments_[0] != "run")) return true;
  (arguments_[0] == "load" ? load_ : run_) = true;
  at_ = 1;
  if (at_ == arguments_.size() || arguments_[at_][0] == '-') return true;
  return options_.properties.Assign("db=" + arguments_[at_++], error);
}

bool YcsbFlags::Value(const std::string& flag, std::string* value, std::string* error) {
  if (at_ + 1 == arguments_.size()) {
    *error = flag + " needs a value";
    return false;
  }
  *value = arguments_[++at_];
  return true;
}

bool YcsbFlags::Apply(const std::string& flag, const std::string& value, std::string* error) {
  workloads::Properties& properties = options_.properties;
  if (flag == "-P") {
    options_.workload_files.push_back(value);
    return properties.Load(value, error);
  }
  if (flag == "-p") return properties.Assign(value, error);
  if (flag == "-threads") return properties.Assign("threadcount=" + value, error);
  if (flag == "-target") return properties.Assign("target=" + value, error);
  if (flag == "-db") return properties.Assign("db=" + value, error);
  return properties.Assign("label=" + value, error);
}

// Flags win over properties. YCSB has one phase a run, dotransactions; YCSB-cpp a switch for each. With none
// of them both phases are run, on a store that is made for them.
bool YcsbFlags::TakeProperties(std::string* error) {
  const workloads::Properties& p = options_.properties;
  bool transactions, load, run, status;
  if (!p.Flag("dotransactions", true, &transactions, error) || !p.Flag("doload", false, &load, error) ||
      !p.Flag("dotransaction", false, &run, error) || !p.Flag("status", false, &status, error)) {
    return false;
  }
  options_.status |= status;
  options_.label = p.Text("label", "");
  if (load_ || run_) {
    options_.load = load_;
    options_.run = run_;
  } else if (p.Has("doload") || p.Has("dotransaction")) {
    options_.load = load;
    options_.run = run;
  } else if (p.Has("dotransactions")) {
    options_.load = !transactions;
    options_.run = transactions;
  }
  if (options_.load || options_.run) return true;
  *error = "doload and dotransaction are both false: there is nothing to do";
  return false;
}

}  // namespace experiments::ycsb
