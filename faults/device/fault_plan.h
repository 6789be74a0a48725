// FaultPlan: which of the disk's calls go wrong, and how. Written as text, so that a report can carry it.
//
//   plan     = rule { "," rule }                       an empty plan injects nothing
//   rule     = kind ":" op ":" pattern [":" when]
//            | "syncfail:" pattern [":" when]          the same as eio:sync:pattern
//            | "enospc:after=" BYTES                   the disk holds BYTES in all: growth beyond fails
//   kind     = eio | enospc | short | rot | misdirect | slow
//   op       = read | write | sync | dirsync | meta | any
//   pattern  = path with * (any characters, '/' too) and ?
//   when     = 1st | 2nd | 3rd | Nth                   that match of the rule only; 1st if left out
//            | Nth+                                    that one and all later ones
//            | all | p=1/N                             each match; each with one choice of N
// eio:write:log*:3rd   enospc:after=4096   short:write:*:2nd   syncfail:log*:1st   rot:read:*/index.dat:1st
//
// Matches are counted over an execution, its recoveries included; the first rule that fires is taken.
//
// FAULT ATLAS: what each fault does here, and what a correct engine still guarantees.
//   fault       on             effect                                        must survive it
//   ----------  -------------  --------------------------------------------
//   ------------------------------------ eio         read           error; the buffer is untouched or half
//   filled  running: the operation reports it;
//                                                                             recovery: an error, never wrong
//                                                                             data
//   eio         write          error; nothing, all or some sectors written    checkpoint reported failed, or
//   written
//                                                                             again; earlier checkpoints
//                                                                             recover
//   eio         sync           error; data stays dirty, is marked clean and   checkpoint reported failed;
//   data
//                              maybe lost (a later sync succeeds), dropped    written again before it counts
//   eio         dirsync, meta  error; done or not done                        checkpoint reported failed
//   enospc      write, meta    error; a prefix that fits may be written       as eio on write; the store goes
//   on short       read, write    fewer bytes, no error                          the rest is asked for, or an
//   error rot         read           one bit of what is read flips on the disk,     detected wherever a
//   checksum covers
//                              for good                                       it; never wrong data. Not
//                              survivable:
//                                                                             rot in the only copy of the
//                                                                             data
//   misdirect   write          the bytes land some sectors away, ok is        detected at recovery or read;
//   never
//                              reported                                       wrong data. Same limit as rot
//   slow        read, write    completes after all that are not slow          everything
// Kinds that make no sense for an operation (rot on sync) are refused by Parse.
//
// NOT thread-safe. Decide() allocates nothing, so it may run on a fiber. Errors of Parse are one line each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "faults/device/disk_model.h"

namespace faults {

enum class FaultKind : uint8_t { kNone, kIoError, kNoSpace, kShort, kRot, kMisdirect, kSlow };
enum class IoOperation : uint8_t { kRead, kWrite, kSync, kDirectorySync, kMeta, kAny };

std::string_view FaultKindName(FaultKind kind);
std::string_view IoOperationName(IoOperation operation);

class FaultPlan {
 public:
  static constexpr uint64_t kUnlimited = ~0ull;

  // False and one line in *error if `text` is no plan; *plan is untouched then.
  static bool Parse(std::string_view text, FaultPlan* plan, std::string* error);
  std::string Text() const;  // Parse(Text()) is the same plan
  bool empty() const { return rules_.empty() && capacity_ == kUnlimited; }

  void Restart();  // counts from the first match again
  FaultKind Decide(IoOperation operation, std::string_view path, const Chooser& choose);
  uint64_t capacity() const { return capacity_; }  // bytes

 private:
  enum class When : uint8_t { kOnce, kFrom, kAll, kChance };
  struct Rule {
    FaultKind kind = FaultKind::kNone;
    IoOperation operation = IoOperation::kAny;
    std::string pattern;
    When when = When::kOnce;
    uint32_t number = 1;  // occurrence, or N of p=1/N
    uint64_t seen = 0;
  };

  static bool ParseRule(std::string_view text, FaultPlan* plan, std::string* error);
  static bool ParseWhen(std::string_view text, Rule* rule);
  static std::string RuleText(const Rule& rule);

  std::vector<Rule> rules_;
  uint64_t capacity_ = kUnlimited;
};

// '*' stands for any characters, '?' for one.
bool MatchesPattern(std::string_view pattern, std::string_view path);

}  // namespace faults
