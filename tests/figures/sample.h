// A definition that is right, for tests that break one thing of it.
#pragma once

#include <nlohmann/json.hpp>

namespace experiments::figures {

inline nlohmann::ordered_json SampleJson() {
  return nlohmann::ordered_json::parse(R"json({
    "figure": "own-sample", "title": "A sample", "setting": "None.",
    "source": {"paper": "No paper", "figure": "Figure 1", "page": 3},
    "axes": {"x": {"label": "Threads"}, "y": {"label": "Throughput (M ops/s)", "factor": 0.001}},
    "program": "figure-sample", "parameters": {"speed": 3, "depth": 1, "names": ["a", "b"]},
    "series": [{"name": "one"}, {"name": "two", "parameters": {"speed": 5}}],
    "x": {"name": "threads", "values": [1, 2, {"label": "many", "parameters": {"threads": 9}}]},
    "scales": {
      "quick": {"parameters": {"depth": 2}, "rounds": 5, "memory_bytes": 1048576, "disk_bytes": 0,
                "seconds": 1},
      "full": {"parameters": {"depth": 7}, "rounds": 7, "memory_bytes": 1048576, "disk_bytes": 0,
               "seconds": 9, "x": [1, 2]}},
    "claims": [{"text": "two is faster", "source": "Figure 1", "robust": true,
                "ratio": [{"metric": "mops", "series": "two"}, {"metric": "mops", "series": "one"}],
                "at_least": 1.2, "unit": "x"},
               {"text": "more threads do more", "source": "Figure 1", "robust": false,
                "order": {"metric": "mops", "series": "one"}, "direction": "rising", "at_least": 1}],
    "plot": {"kind": "lines", "y": "mops"}})json");
}

}  // namespace experiments::figures
