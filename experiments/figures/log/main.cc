// figure-log: FASTER figures 10 to 13, and what its text says of tag bits and of the log's bandwidth.
#include "experiments/figures/log/measure.h"

int main(int argc, char** argv) {
  using namespace experiments::figures;
  LogSettings settings;
  Program program(
      "figure-log",
      "YCSB's operations on a store: their throughput, how the log grows, and how many of them met "
      "the fuzzy region,\nby the size of the log's parts, how updates are made, and the device.");
  settings.AddTo(&program);
  return program.Run(argc, argv, [&](const Cell& cell, Output* output, std::string* problem) {
    return MeasureLog(settings, cell, output, problem);
  });
}
