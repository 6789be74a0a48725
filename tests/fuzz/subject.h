// Subject: a store's directory with a few checkpoints of one kind, what each of them must bring back, and a
// recovery that is judged by that.
//
// The rule: a recovery brings back exactly the state and the commit points of the checkpoint it says, or it
// is refused and the Diagnosis names a file; a key may instead answer a read with an error (a block below the
// part that a recovery reads is verified when it is read back). Anything else is a violation.
//
// A subject is built from fixed seeds: the same bytes every time. Immutable afterwards; Recover may be called
// by several threads, each with a storage of its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"
#include "tests/fuzz/image.h"

namespace damage {

using Model = std::map<uint64_t, uint64_t>;

// The hash of the stores whose keys are numbers.
constexpr uint64_t HashOfNumber(uint64_t key) { return (key + 1) * 0x9e3779b97f4a7c15ull; }

// A checkpoint of the log, as it was told to its client.
struct Committed {
  faster::Token token;
  Model model;
  std::vector<faster::SessionCommit> sessions;
  bool abandoned = false;  // left behind by a recovery to an older one
};

enum class Ending : uint8_t {
  kRight,       // everything is there, and nothing else
  kReadErrors,  // the same, but some keys answer with an error
  kRefused,     // an error that names a file
  kNone,        // there is no complete checkpoint, or not the one that was named
  kViolation,   // `problem` says which
};
constexpr const char* EndingName(Ending ending) {
  constexpr const char* kNames[] = {"recovered", "found when read", "refused", "no checkpoint", "VIOLATION"};
  return kNames[static_cast<uint8_t>(ending)];
}

struct Outcome {
  Ending ending = Ending::kViolation;
  faster::Status status = faster::Status::kOk;
  faster::Diagnosis why;
  faster::Token token;       // that was recovered
  uint64_t read_errors = 0;  // keys
  std::string problem;
};

// How far a recovered store is used.
enum class Depth : uint8_t {
  kRecover,  // it is opened and closed: for content that lies behind good checksums
  kRead,     // every key is read, present or not
  kGoOn,     // and then: operations, a checkpoint, another recovery
};

class Subject {
 public:
  virtual ~Subject() = default;
  virtual Outcome Recover(faster::Storage* storage, const std::optional<faster::Token>& token,
                          Depth depth) const = 0;

  const std::string& name() const { return name_; }
  const Image& image() const { return image_; }
  const std::vector<Committed>& committed() const { return committed_; }  // oldest first
  const Committed* Find(const faster::Token& token) const;

 protected:
  std::string name_;
  Image image_;
  std::vector<Committed> committed_;
};

// One of each kind. `scale` 1: some KiB, for every byte of it; more: so many times the operations.
std::vector<std::unique_ptr<Subject>> MakeSubjects(uint32_t scale);
// The same by name, or null.
std::unique_ptr<Subject> MakeSubject(const std::string& name, uint32_t scale);
std::vector<std::string> SubjectNames();

}  // namespace damage
