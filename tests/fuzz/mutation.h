// Mutation: one change of a store's directory that nobody asked for, as bytes of a fuzzer or a random source
// choose it; and the verdict over what recovery makes of it.
//
// HONEST mutations leave checksums as they are: every one must be detected or be harmless. Those that RESEAL
// compute them anew, so that recovery believes the content: then the state may be wrong, but nothing may
// crash, hang or go out of bounds.
//
// Plain values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/fuzz/subject.h"

namespace damage {

struct Mutation {
  enum class What : uint8_t {
    kFlip,       // a bit at `at`
    kOverwrite,  // `length` bytes from `at` on, with `value`
    kTruncate,   // to `at` bytes
    kExtend,     // by `length` bytes of `value`
    kZero,       // `length` bytes from `at` on
    kSwap,       // the contents of `file` and `other`
    kDuplicate,  // `file` gets the contents of `other`
    kRemove,     // the file
    kSetWord,    // the aligned word at `at`, to `value`
    kSetNumber,  // of a text, the number behind the `at`-th colon or bracket, to `value`
    kCount,
  };
  What what = What::kFlip;
  bool reseal = false;
  uint32_t file = 0;  // of FilesOf(image), modulo how many there are; so is `other`
  uint32_t other = 0;
  uint64_t at = 0;  // modulo the size of the file, as far as that makes sense
  uint64_t length = 0;
  uint64_t value = 0;
};

// The bytes of a fuzzer: which subject, and what is done to it.
struct Choice {
  uint32_t subject = 0;
  std::vector<Mutation> mutations;
};
Choice Decode(const uint8_t* bytes, size_t size);
std::string TextOf(const Mutation& mutation, const Image& image);

struct Damaged {
  Image image;
  std::vector<std::string> changed;  // files whose bytes are others now, or that are gone
  bool removed = false;              // a name is gone: a checkpoint may count as incomplete
  bool resealed = false;
};
// All of them, one after the other.
Damaged Apply(const Image& image, const std::vector<Mutation>& mutations);

struct Verdict {
  std::string problem;  // "" if all is well
  Outcome latest;
  std::vector<Outcome> named;      // as Subject::committed, without abandoned ones; empty if not asked for
  std::vector<Outcome> validated;  // of the same: kRight is sound, kRefused has findings, `why` is the first
};
// Recovers the latest checkpoint and, if asked to, each of them by name, each time from `damaged` anew; what
// is named is validated too, and must not be sound if its recovery does not bring everything back.
Verdict Judge(const Subject& subject, const Damaged& damaged, Depth depth, bool by_name);

}  // namespace damage
