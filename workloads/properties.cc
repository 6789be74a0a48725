#include "workloads/properties.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace workloads {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

std::string_view SkipBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  return text;
}

bool ReadFile(const std::string& path, std::string* text, std::string* error) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    *error = path + ": expected a properties file, found: " + std::strerror(errno);
    return false;
  }
  text->clear();
  char buffer[4096];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) != 0;) text->append(buffer, n);
  const bool failed = std::ferror(file) != 0;
  const int code = errno;
  std::fclose(file);
  if (failed) *error = path + ": expected a properties file, found: " + std::strerror(code);
  return !failed;
}

// Lines as Java sees them: ended by \n, \r or \r\n.
bool TakeLine(std::string_view* rest, std::string_view* line) {
  if (rest->empty()) return false;
  const size_t end = rest->find_first_of("\r\n");
  *line = rest->substr(0, end);
  if (end == std::string_view::npos)
    *rest = {};
  else
    rest->remove_prefix(end + (rest->substr(end, 2) == "\r\n" ? 2 : 1));
  return true;
}

bool EndsInContinuation(std::string_view line) {
  size_t slashes = 0;
  while (slashes < line.size() && line[line.size() - 1 - slashes] == '\\') ++slashes;
  return slashes % 2 == 1;
}

void AppendUtf8(uint32_t unit, std::string* text) {  // of the Basic Multilingual Plane
  if (unit < 0x80) {
    *text += static_cast<char>(unit);
  } else if (unit < 0x800) {
    *text += static_cast<char>(0xc0 | unit >> 6);
    *text += static_cast<char>(0x80 | (unit & 0x3f));
  } else {
    *text += static_cast<char>(0xe0 | unit >> 12);
    *text += static_cast<char>(0x80 | (unit >> 6 & 0x3f));
    *text += static_cast<char>(0x80 | (unit & 0x3f));
  }
}

// False if a \u has not four hexadecimal digits.
bool Unescape(std::string_view raw, std::string* text) {
  text->clear();
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\' || i + 1 == raw.size()) {
      *text += raw[i];
      continue;
    }
    const char c = raw[++i];
    if (c == 'u') {
      uint32_t unit = 0;
      const std::string_view digits = raw.substr(i + 1, 4);
      const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16).ptr;
      if (digits.size() != 4 || end != digits.data() + 4) return false;
      AppendUtf8(unit, text);
      i += 4;
    } else {
      *text += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c;
    }
  }
  return true;
}

// Splits a logical line without leading blanks at the first separator that is not escaped.
void Split(std::string_view line, std::string_view* key, std::string_view* value) {
  size_t end = 0;
  while (end < line.size() && !IsBlank(line[end]) && line[end] != '=' && line[end] != ':')
    end += line[end] == '\\' ? 2 : 1;
  end = std::min(end, line.size());
  *key = line.substr(0, end);
  std::string_view rest = SkipBlanks(line.substr(end));
  if (!rest.empty() && (rest.front() == '=' || rest.front() == ':')) rest = SkipBlanks(rest.substr(1));
  while (!rest.empty() && IsBlank(rest.back())) rest.remove_suffix(1);
  *value = rest;
}

std::string Decimal(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.12g", number);
  return text;
}

}  // namespace

bool Properties::Load(const std::string& path, std::string* error) {
  std::string text;
  return ReadFile(path, &text, error) && Parse(text, path, error);
}

bool Properties::Parse(std::string_view text, const std::string& source, std::string* error) {
  std::map<std::string, Value> parsed = values_;
  std::string_view line;
  for (uint64_t number = 1; TakeLine(&text, &line); ++number) {
    line = SkipBlanks(line);
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    const std::string where = source + ":" + std::to_string(number);
    std::string logical(line);
    while (EndsInContinuation(logical)) {
      logical.pop_back();
      if (!TakeLine(&text, &line)) break;
      ++number;
      logical += SkipBlanks(line);
    }
    std::string_view raw_key, raw_value;
    Split(logical, &raw_key, &raw_value);
    std::string key;
    Value value{"", where};
    if (!Unescape(raw_key, &key) || !Unescape(raw_value, &value.text)) {
      *error = where + ": expected four hexadecimal digits after \\u, found '" + logical + "'";
      return false;
    }
    if (key.empty()) {
      *error = where + ": expected KEY=VALUE, found '" + logical + "'";
      return false;
    }
    Value& old = parsed[key];
    if (!old.assigned) old = std::move(value);
  }
  values_ = std::move(parsed);
  return true;
}

bool Properties::Assign(std::string_view assignment, std::string* error) {
  const size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    *error = "-p: expected KEY=VALUE, found '" + std::string(assignment) + "'";
    return false;
  }
  values_[std::string(assignment.substr(0, equals))] = {std::string(assignment.substr(equals + 1)), "-p",
                                                        true};
  return true;
}

const Properties::Value* Properties::Find(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return nullptr;
  found->second.used = true;
  return &found->second;
}

std::string Properties::Complaint(const std::string& key, const std::string& expected) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return key + ": expected " + expected + ", found nothing: it is not set";
  return found->second.where + ": " + key + ": expected " + expected + ", found '" + found->second.text + "'";
}

std::string Properties::Text(const std::string& key, std::string_view fallback) const {
  const Value* value = Find(key);
  return value == nullptr ? std::string(fallback) : value->text;
}

bool Properties::Number(const std::string& key, uint64_t fallback, uint64_t min, uint64_t max,
                        uint64_t* value, std::string* error) const {
  const Value* set = Find(key);
  uint64_t number = fallback;
  if (set != nullptr) {
    const char* const end = set->text.data() + set->text.size();
    const auto parsed = std::from_chars(set->text.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || number < min || number > max) {
      *error = Complaint(
          key, max == ~0ull ? "a whole number of at least " + std::to_string(min)
                            : "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
      return false;
    }
  }
  *value = number;
  return true;
}

bool Properties::Real(const std::string& key, double fallback, double min, double max, double* value,
                      std::string* error) const {
  const Value* set = Find(key);
  double number = fallback;
  if (set != nullptr) {
    const char* const end = set->text.data() + set->text.size();
    const auto parsed = std::from_chars(set->text.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || !(number >= min && number <= max)) {
      *error = Complaint(key, "a number from " + Decimal(min) + " to " + Decimal(max));
      return false;
    }
  }
  *value = number;
  return true;
}

bool Properties::Flag(const std::string& key, bool fallback, bool* value, std::string* error) const {
  const Value* set = Find(key);
  if (set != nullptr && set->text != "true" && set->text != "false") {
    *error = Complaint(key, "true or false");
    return false;
  }
  *value = set == nullptr ? fallback : set->text == "true";
  return true;
}

bool Properties::Choice(const std::string& key, std::string_view fallback,
                        std::initializer_list<std::string_view> allowed, std::string* value,
                        std::string* error) const {
  const std::string text = Text(key, fallback);
  std::string names;
  for (const std::string_view name : allowed) {
    if (name == text) {
      *value = text;
      return true;
    }
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  *error = Complaint(key, "one of " + names);
  return false;
}

std::vector<std::string> Properties::Unused() const {
  std::vector<std::string> keys;
  for (const auto& [key, value] : values_) {
    if (!value.used) keys.push_back(key);
  }
  return keys;
}

}  // namespace workloads
