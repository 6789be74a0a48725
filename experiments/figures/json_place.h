// JsonPlace: a value of a JSON file together with where it stands, so that whatever is wrong can be said with
// its place: "cpr-12b.json: scales.quick.rounds: expected a whole number from 1 to 1000, found 0".
//
// The first complaint stays; after it every look returns something harmless, so that a reader asks once, at
// the end. Values are only looked at: the JSON and the error outlive the places. Used by one thread.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace experiments::figures {

class JsonPlace {
 public:
  using Json = nlohmann::ordered_json;

  // `error` is empty so far.
  JsonPlace(const Json& value, std::string path, std::string* error)
      : value_(&value), path_(std::move(path)), error_(error) {}

  bool failed() const { return !error_->empty(); }
  bool Has(const std::string& name) const;
  // A member that has to be there.
  JsonPlace At(const std::string& name) const;
  std::vector<JsonPlace> Items() const;                            // of an array
  std::vector<std::pair<std::string, JsonPlace>> Members() const;  // of an object
  void OnlyMembers(const std::vector<std::string>& known) const;   // of an object
  std::string Text() const;                                        // not empty
  std::string Choice(const std::vector<std::string>& choices) const;
  double Real(double low, double high) const;
  uint64_t Whole(uint64_t low, uint64_t high) const;
  bool Flag() const;
  bool Is(Json::value_t type) const { return !failed() && value_->type() == type; }
  bool is_array() const { return !failed() && value_->is_array(); }
  bool is_object() const { return !failed() && value_->is_object(); }
  bool is_number() const { return !failed() && value_->is_number(); }
  const Json& json() const { return *value_; }
  const std::string& path() const { return path_; }

  void Expected(const std::string& what) const;  // "expected <what>, found <value>"
  void Complain(const std::string& what) const;  // "<path>: <what>"

 private:
  JsonPlace Below(const Json& value, const std::string& step) const;

  const Json* value_;
  std::string path_;
  std::string* error_;
};

// A file's JSON; false and one line, with line and column, if it is none.
bool ReadJson(const std::string& path, nlohmann::ordered_json* json, std::string* error);

}  // namespace experiments::figures
