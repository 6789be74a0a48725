// figure-buffer: CPR figure 15, throughput and commit interval by what clients keep until it is durable.
#include "experiments/figures/buffer/measure.h"

int main(int argc, char** argv) {
  using namespace experiments::figures;
  BufferSettings settings;
  settings.work.value_bytes = 8;
  settings.work.updates = "upsert";
  Program program(
      "figure-buffer",
      "Clients keep every operation in a buffer until a commit covers it, ask for a commit when much "
      "of it is used,\nand wait when all of it is.");
  settings.AddTo(&program);
  return program.Run(argc, argv, [&](const Cell& cell, Output* output, std::string* problem) {
    return MeasureBuffer(settings, cell, output, problem);
  });
}
