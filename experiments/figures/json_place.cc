#include "experiments/figures/json_place.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "experiments/common/near_names.h"
#include "experiments/common/results.h"

namespace experiments::figures {
namespace {

const nlohmann::ordered_json kNothing;

std::string Shown(const nlohmann::ordered_json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

std::string NumberText(double number) {
  char text[40];
  std::snprintf(text, sizeof text, "%.12g", number);
  return text;
}

std::string List(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// nlohmann's parser says where in bytes; people count lines.
std::string LineAndColumn(const std::string& text, size_t byte) {
  const size_t at = std::min(byte == 0 ? 0 : byte - 1, text.size());
  const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
  const size_t before = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  return std::to_string(line) + ":" + std::to_string(before == std::string::npos ? at + 1 : at - before);
}

}  // namespace

void JsonPlace::Complain(const std::string& what) const {
  if (!failed()) *error_ = path_ + ": " + what;
}
void JsonPlace::Expected(const std::string& what) const {
  if (!failed()) Complain("expected " + what + ", found " + Shown(*value_));
}

JsonPlace JsonPlace::Below(const Json& value, const std::string& step) const {
  JsonPlace place(value, path_ + step, error_);
  return place;
}

bool JsonPlace::Has(const std::string& name) const {
  return !failed() && value_->is_object() && value_->contains(name);
}

JsonPlace JsonPlace::At(const std::string& name) const {
  const std::string step = (path_.ends_with(".json") ? ": " : ".") + name;
  if (!failed() && !value_->is_object()) Expected("an object");
  if (failed()) return Below(kNothing, step);
  const auto found = value_->find(name);
  if (found != value_->end()) return Below(*found, step);
  Complain("expected a member \"" + name + "\", found none");
  return Below(kNothing, step);
}

std::vector<JsonPlace> JsonPlace::Items() const {
  std::vector<JsonPlace> items;
  if (!failed() && !value_->is_array()) Expected("an array");
  if (failed()) return items;
  for (size_t i = 0; i < value_->size(); ++i)
    items.push_back(Below((*value_)[i], "[" + std::to_string(i) + "]"));
  return items;
}

std::vector<std::pair<std::string, JsonPlace>> JsonPlace::Members() const {
  std::vector<std::pair<std::string, JsonPlace>> members;
  if (!failed() && !value_->is_object()) Expected("an object");
  if (failed()) return members;
  for (const auto& [name, value] : value_->items()) members.emplace_back(name, At(name));
  return members;
}

void JsonPlace::OnlyMembers(const std::vector<std::string>& known) const {
  for (const auto& [name, place] : Members()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::vector<std::string> near = NearNames(name, known, 1);
    Complain("unknown member \"" + name + "\"" +
             (near.empty() ? "; known: " + List(known) : "; did you mean \"" + near.front() + "\"?"));
  }
}

std::string JsonPlace::Text() const {
  if (!failed() && (!value_->is_string() || value_->get_ref<const std::string&>().empty()))
    Expected("a text that is not empty");
  return failed() ? "" : value_->get<std::string>();
}

std::string JsonPlace::Choice(const std::vector<std::string>& choices) const {
  const bool known = !failed() && value_->is_string() &&
                     std::find(choices.begin(), choices.end(), value_->get<std::string>()) != choices.end();
  if (!known) Expected("one of " + List(choices));
  return failed() ? "" : value_->get<std::string>();
}

double JsonPlace::Real(double low, double high) const {
  const double number = !failed() && value_->is_number() ? value_->get<double>() : NAN;
  if (!(number >= low && number <= high))
    Expected("a number from " + NumberText(low) + " to " + NumberText(high));
  return failed() ? low : number;
}

uint64_t JsonPlace::Whole(uint64_t low, uint64_t high) const {
  const bool whole = !failed() && (value_->is_number_unsigned() ||
                                   (value_->is_number_integer() && value_->get<int64_t>() >= 0));
  const uint64_t number = whole ? value_->get<uint64_t>() : 0;
  if (!whole || number < low || number > high)
    Expected("a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return failed() ? low : number;
}

bool JsonPlace::Flag() const {
  if (!failed() && !value_->is_boolean()) Expected("true or false");
  return !failed() && value_->get<bool>();
}

bool ReadJson(const std::string& path, nlohmann::ordered_json* json, std::string* error) {
  std::string text;
  if (!ReadWholeFile(path, &text, error)) return false;
  try {
    *json = nlohmann::ordered_json::parse(text);
    return true;
  } catch (const nlohmann::json::parse_error& problem) {
    *error = path + ":" + LineAndColumn(text, problem.byte) + ": this is not JSON";
  }
  return false;
}

}  // namespace experiments::figures
