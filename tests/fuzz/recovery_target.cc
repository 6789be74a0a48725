// Recovery of a mutated directory: the bytes choose the kind of checkpoint and what happens to its files
// (mutation.h). Every checkpoint is recovered, as the latest and by name, and used.
#include "tests/fuzz/mutation.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::unique_ptr<damage::Subject>> subjects = damage::MakeSubjects(1);
  const damage::Choice choice = damage::Decode(data, size);
  const damage::Subject& subject = *subjects[choice.subject % subjects.size()];
  const damage::Damaged damaged = damage::Apply(subject.image(), choice.mutations);
  const damage::Verdict verdict = damage::Judge(subject, damaged, damage::Depth::kGoOn, true);
  if (verdict.problem.empty()) return 0;
  std::fprintf(stderr, "%s\n", subject.name().c_str());
  for (const damage::Mutation& mutation : choice.mutations)
    std::fprintf(stderr, "  %s\n", damage::TextOf(mutation, subject.image()).c_str());
  fuzz::Require(false, verdict.problem);
  return 0;
}
