// Two checkpoints of a small hot and cold store, for the tests of faster/inspect.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "faster/device/memory_storage.h"
#include "tests/store/tiny_pair.h"

namespace faster {

using PairKv = F2Kv<uint64_t, uint64_t, AddFunctions, 4>;

// Two full checkpoints, with records on both sides and some of them in both.
inline void WriteTwoPairs(Storage* storage, std::vector<Token>* tokens) {
  std::unique_ptr<PairKv> kv;
  Diagnosis why;
  ASSERT_EQ(PairKv::Create(TinyPairConfig(), storage, {}, nullptr, &kv, &why), Status::kOk) << why.Text();
  for (uint64_t round = 0; round < 2; ++round) {
    auto session = kv->StartSession();
    for (uint64_t key = 0; key < 90; ++key) ASSERT_EQ(session->Upsert(round * 40 + key, key), Status::kOk);
    session.reset();
    ASSERT_EQ(kv->Migrate(MigrationKind::kHotCold, ~uint64_t{0}), Status::kOk);
    ASSERT_EQ(kv->Checkpoint(CheckpointKind::kFull, LogBackend::kFoldOver, &tokens->emplace_back()),
              Status::kOk);
    while (!kv->Poll()) std::this_thread::yield();
  }
}

}  // namespace faster
