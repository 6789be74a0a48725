// figure-peers: every store that is in this build does every mix; another is refused by name.
#include <gtest/gtest.h>

#include <string>

#include "experiments/figures/peers/measure.h"
#include "tests/figures/measured_cell.h"
#include "workloads/peers/peers.h"

namespace experiments::figures {
namespace {

TEST_F(MeasuredCell, EveryStoreDoesEveryMix) {
  for (const std::string& store : ComparedStores()) {
    const workloads::peers::Peer* const peer = workloads::peers::FindPeer(store);
    for (const char* updates : {"upsert", "rmw"}) {
      PeerSettings settings;
      settings.store = store;
      settings.work.threads = 2;
      settings.work.records = 2000;
      settings.work.updates = updates;
      settings.work.read_percent = 50;
      settings.work.distribution = "zipf_hashed";
      settings.work.operations = 3;
      settings.work.seconds = 60;
      const Outcome outcome = Run([&](const Cell& cell, Output* output, std::string* problem) {
        return MeasurePeer(settings, cell, output, problem);
      });
      if (peer != nullptr && peer->make == nullptr) {
        EXPECT_EQ(outcome, Outcome::kRefused);
        EXPECT_NE(problem_.find(peer->package), std::string::npos) << problem_;
        continue;
      }
      ASSERT_EQ(outcome, Outcome::kMeasured) << store << ": " << problem_;
      EXPECT_NEAR(Metric("ops_per_second") * Metric("seconds"), 6000, 1) << store;
    }
  }
}

}  // namespace
}  // namespace experiments::figures
