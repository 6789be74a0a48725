// A history file of the harness (history.jsonl): what is read is written the same again.
#include <sstream>

#include "faults/oracle/history_json.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::istringstream in(fuzz::Text(data, size));
  faults::History history;
  faults::HistoryError error;
  if (!faults::ReadHistory(&in, &history, &error)) {
    fuzz::Require(!error.expected.empty(), "an error says what was expected");
    return 0;
  }
  std::ostringstream out;
  faults::WriteHistory(history, &out);
  std::istringstream again(out.str());
  faults::History same;
  fuzz::Require(faults::ReadHistory(&again, &same, &error), "what was written is read: " + error.Text());
  std::ostringstream twice;
  faults::WriteHistory(same, &twice);
  fuzz::Require(twice.str() == out.str(), "writing and reading lose nothing");
  return 0;
}
