// figure-peers: FASTER figures 8 and 9: this engine and other stores on the same operations, in memory.
#include "experiments/figures/peers/measure.h"

int main(int argc, char** argv) {
  using namespace experiments::figures;
  PeerSettings settings;
  Program program("figure-peers",
                  "The throughput of one store, ours or a peer, on YCSB's operations. Series that differ in "
                  "the store alone get\nthe same keys in the same order.");
  settings.AddTo(&program);
  return program.Run(argc, argv, [&](const Cell& cell, Output* output, std::string* problem) {
    return MeasurePeer(settings, cell, output, problem);
  });
}
