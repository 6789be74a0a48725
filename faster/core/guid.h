// Guid: 128-bit identity of sessions and checkpoint tokens, printed in the usual 8-4-4-4-12 form.
#pragma once

#include <compare>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace faster {

struct Guid {
  uint64_t high = 0;  // first 16 hex digits
  uint64_t low = 0;

  auto operator<=>(const Guid&) const = default;
  bool IsNull() const { return high == 0 && low == 0; }

  std::string Text() const {
    char text[37];
    std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
                  static_cast<unsigned>(high >> 16 & 0xffff), static_cast<unsigned>(high & 0xffff),
                  static_cast<unsigned>(low >> 48), static_cast<unsigned long long>(low & 0xffffffffffff));
    return text;
  }

  // False (and *guid untouched) if `text` is not exactly the form Text() prints, in either case.
  static bool Parse(std::string_view text, Guid* guid) {
    if (text.size() != 36) return false;
    uint64_t words[2] = {0, 0};
    int digits = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (i == 8 || i == 13 || i == 18 || i == 23) {
        if (c != '-') return false;
        continue;
      }
      int value;
      if (c >= '0' && c <= '9') value = c - '0';
      else if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
      else if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
      else return false;
      words[digits / 16] = words[digits / 16] << 4 | static_cast<uint64_t>(value);
      ++digits;
    }
    *guid = Guid{words[0], words[1]};
    return true;
  }
};

}  // namespace faster
