// Setting checkpoints aside: moves what is broken to where no recovery looks, `set-aside/<label>-<token>/` in
// the store's directory. Nothing is removed, nothing is written but names.
//
// ORDER: the place is made durable; a whole directory goes by one rename; of a part the metadata goes first
// and its going is made durable, then the rest, so that what is half moved is an incomplete checkpoint and
// never offered. A crash anywhere leaves each move done or not. Blocking; the caller holds the store's lock.
//
// To undo a move, put the files back, but not after a recovery: the log that goes on from an older checkpoint
// overwrites what the newer one relies on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "faster/core/checkpoint_types.h"
#include "faster/core/status.h"
#include "faster/device/storage.h"

namespace faster {

constexpr std::string_view kSetAsideName = "set-aside";

struct SetAsideMove {
  std::string directory;  // of the store
  Token token;
  std::vector<std::string> files;  // of the checkpoint, metadata first; none: the directory as it is
  std::string to;                  // filled in: where it has gone, below the storage's root
};

// kOk, or the status of the first step that failed and *why; steps before it are durable.
Status SetAside(Storage* storage, std::string_view label, SetAsideMove* move, Diagnosis* why);

}  // namespace faster
