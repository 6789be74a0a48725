// Which row of its table a target is of, for targets that are otherwise the same.
#include "tests/fuzz/target.h"

namespace fuzz {

const int kTargetRow = FUZZ_TARGET;

}  // namespace fuzz
