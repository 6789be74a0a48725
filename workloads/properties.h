// Properties: settings of a workload from Java .properties files (-P) and the command line (-p key=value).
//
// Later files win over earlier ones, and an assignment wins over all files, in whatever order they came. The
// file syntax is java.util.Properties': '#' and '!' comments, '=', ':' or blanks between key and value, a
// line continued by a backslash at its end, escapes \t \n \r \f \uXXXX. Unlike Java, blanks after a value are
// dropped.
//
// ERRORS are one line, "FILE:LINE: KEY: expected X, found 'Y'" ("-p" for FILE:LINE if it came from there), in
// *error; functions then return false and change nothing. Typed getters leave `fallback` if the key is not
// set. Not thread-safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace workloads {

class Properties {
 public:
  [[nodiscard]] bool Load(const std::string& path, std::string* error);
  // As Load, of text that is at hand; `source` names it in errors.
  [[nodiscard]] bool Parse(std::string_view text, const std::string& source, std::string* error);
  // One "key=value" of the command line.
  [[nodiscard]] bool Assign(std::string_view assignment, std::string* error);

  bool Has(const std::string& key) const { return Find(key) != nullptr; }
  std::string Text(const std::string& key, std::string_view fallback) const;
  [[nodiscard]] bool Number(const std::string& key, uint64_t fallback, uint64_t min, uint64_t max,
                            uint64_t* value, std::string* error) const;
  [[nodiscard]] bool Real(const std::string& key, double fallback, double min, double max, double* value,
                          std::string* error) const;
  [[nodiscard]] bool Flag(const std::string& key, bool fallback, bool* value, std::string* error) const;
  [[nodiscard]] bool Choice(const std::string& key, std::string_view fallback,
                            std::initializer_list<std::string_view> allowed, std::string* value,
                            std::string* error) const;

  // An error line of the same form about a key's value, for what only the caller can check.
  std::string Complaint(const std::string& key, const std::string& expected) const;
  // Keys that were set and never asked for, by name: misspelt ones are among them.
  std::vector<std::string> Unused() const;

 private:
  struct Value {
    std::string text;
    std::string where;  // "FILE:LINE" or "-p"
    bool assigned = false;
    mutable bool used = false;
  };
  const Value* Find(const std::string& key) const;

  std::map<std::string, Value> values_;
};

}  // namespace workloads
