#include "faults/device/fault_plan.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace faults {
namespace {

constexpr std::array<std::string_view, 7> kKindNames = {"none", "eio",       "enospc", "short",
                                                        "rot",  "misdirect", "slow"};
constexpr std::array<std::string_view, 6> kOperationNames = {"read",    "write", "sync",
                                                             "dirsync", "meta",  "any"};
constexpr uint32_t kMaxChance = 65535;  // a choice has at most so many alternatives

template <class Enum, size_t n>
bool FromName(const std::array<std::string_view, n>& names, std::string_view name, Enum* value) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return false;
  *value = static_cast<Enum>(found - names.begin());
  return true;
}

template <class Number>
bool ParseNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view OrdinalSuffix(uint32_t number) {
  if (number % 100 / 10 == 1) return "th";
  switch (number % 10) {
    case 1:
      return "st";
    case 2:
      return "nd";
    case 3:
      return "rd";
    default:
      return "th";
  }
}

bool MakesSense(FaultKind kind, IoOperation operation) {
  const bool transfer = operation == IoOperation::kRead || operation == IoOperation::kWrite;
  switch (kind) {
    case FaultKind::kIoError:
      return true;
    case FaultKind::kNoSpace:
      return operation == IoOperation::kWrite || operation == IoOperation::kMeta;
    case FaultKind::kShort:
    case FaultKind::kSlow:
      return transfer || operation == IoOperation::kAny;
    case FaultKind::kRot:
      return operation == IoOperation::kRead;
    case FaultKind::kMisdirect:
      return operation == IoOperation::kWrite;
    case FaultKind::kNone:
      return false;
  }
  return false;
}

}  // namespace

std::string_view FaultKindName(FaultKind kind) { return kKindNames[static_cast<size_t>(kind)]; }
std::string_view IoOperationName(IoOperation operation) {
  return kOperationNames[static_cast<size_t>(operation)];
}

bool MatchesPattern(std::string_view pattern, std::string_view path) {
  size_t p = 0, s = 0, star = std::string_view::npos, resume = 0;
  while (s < path.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == path[s]) && pattern[p] != '*') {
      ++p;
      ++s;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = s;
    } else if (star != std::string_view::npos) {  // let the last star take one character more
      p = star + 1;
      s = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool FaultPlan::ParseWhen(std::string_view text, Rule* rule) {
  if (text == "all") {
    rule->when = When::kAll;
    return true;
  }
  if (text.substr(0, 4) == "p=1/") {
    rule->when = When::kChance;
    return ParseNumber(text.substr(4), &rule->number) && rule->number >= 2 && rule->number <= kMaxChance;
  }
  if (!text.empty() && text.back() == '+') {
    rule->when = When::kFrom;
    text.remove_suffix(1);
  }
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  if (!ParseNumber(text.substr(0, digits), &rule->number) || rule->number == 0) return false;
  return text.substr(digits) == OrdinalSuffix(rule->number);
}

bool FaultPlan::ParseRule(std::string_view text, FaultPlan* plan, std::string* error) {
  const auto refuse = [&](std::string_view why) {
    *error = "fault '" + std::string(text) + "': " + std::string(why);
    return false;
  };
  std::array<std::string_view, 4> parts;
  size_t count = 0;
  for (std::string_view rest = text;;) {
    const size_t colon = rest.find(':');
    if (count == parts.size()) return refuse("too many ':'");
    parts[count++] = rest.substr(0, colon);
    if (colon == std::string_view::npos) break;
    rest = rest.substr(colon + 1);
  }
  constexpr std::string_view kAfter = "after=";
  if (parts[0] == "enospc" && count == 2 && parts[1].substr(0, kAfter.size()) == kAfter) {
    if (plan->capacity_ != kUnlimited) return refuse("the disk's capacity is given twice");
    if (ParseNumber(parts[1].substr(kAfter.size()), &plan->capacity_)) return true;
    return refuse("expected a number of bytes after 'after='");
  }
  Rule rule;
  size_t next = 0;
  if (parts[0] == "syncfail") {
    rule.kind = FaultKind::kIoError;
    rule.operation = IoOperation::kSync;
    next = 1;
  } else {
    if (!FromName(kKindNames, parts[0], &rule.kind) || rule.kind == FaultKind::kNone) {
      return refuse("expected eio, enospc, short, rot, misdirect, slow or syncfail at the beginning");
    }
    if (count < 2 || !FromName(kOperationNames, parts[1], &rule.operation)) {
      return refuse("expected read, write, sync, dirsync, meta or any in second place");
    }
    if (!MakesSense(rule.kind, rule.operation)) {
      return refuse(std::string(parts[0]) + " does not happen to " + std::string(parts[1]));
    }
    next = 2;
  }
  if (next >= count || parts[next].empty()) return refuse("expected a file pattern, such as log*");
  rule.pattern = parts[next++];
  if (next < count && !ParseWhen(parts[next], &rule)) {
    return refuse("expected 1st, 2nd, 3rd+, all or p=1/100 (2 to 65535) at the end");
  }
  if (next + 1 < count) return refuse("too many ':'");
  plan->rules_.push_back(rule);
  return true;
}

bool FaultPlan::Parse(std::string_view text, FaultPlan* plan, std::string* error) {
  FaultPlan parsed;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    if (!ParseRule(text.substr(0, comma), &parsed, error)) return false;
    if (comma == std::string_view::npos) break;
    text = text.substr(comma + 1);
    if (text.empty()) {
      *error = "faults: expected another fault after the last ','";
      return false;
    }
  }
  *plan = std::move(parsed);
  return true;
}

std::string FaultPlan::RuleText(const Rule& rule) {
  std::string text;
  if (rule.kind == FaultKind::kIoError && rule.operation == IoOperation::kSync) {
    text = "syncfail";
  } else {
    text = std::string(FaultKindName(rule.kind)) + ":" + std::string(IoOperationName(rule.operation));
  }
  text += ":" + rule.pattern + ":";
  const std::string number = std::to_string(rule.number);
  switch (rule.when) {
    case When::kAll:
      return text + "all";
    case When::kChance:
      return text + "p=1/" + number;
    case When::kOnce:
      return text + number + std::string(OrdinalSuffix(rule.number));
    case When::kFrom:
      return text + number + std::string(OrdinalSuffix(rule.number)) + "+";
  }
  return text;
}

std::string FaultPlan::Text() const {
  std::string text;
  for (const Rule& rule : rules_) text += (text.empty() ? "" : ",") + RuleText(rule);
  if (capacity_ != kUnlimited)
    text += (text.empty() ? "" : ",") + ("enospc:after=" + std::to_string(capacity_));
  return text;
}

void FaultPlan::Restart() {
  for (Rule& rule : rules_) rule.seen = 0;
}

FaultKind FaultPlan::Decide(IoOperation operation, std::string_view path, const Chooser& choose) {
  FaultKind fault = FaultKind::kNone;
  for (Rule& rule : rules_) {  // all rules count their matches, also those behind the one that fires
    if (rule.operation != operation && rule.operation != IoOperation::kAny) continue;
    if (!MatchesPattern(rule.pattern, path)) continue;
    if (rule.operation == IoOperation::kAny && !MakesSense(rule.kind, operation)) continue;
    ++rule.seen;
    bool fires = false;
    switch (rule.when) {
      case When::kAll:
        fires = true;
        break;
      case When::kOnce:
        fires = rule.seen == rule.number;
        break;
      case When::kFrom:
        fires = rule.seen >= rule.number;
        break;
      case When::kChance:
        fires = choose(ChoiceKind::kIoFate, rule.number) == 1;
        break;
    }
    if (fires && fault == FaultKind::kNone) fault = rule.kind;
  }
  return fault;
}

}  // namespace faults
