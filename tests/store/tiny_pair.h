// The configuration of a hot and a cold store of a few pages, so that little moves records from one to the
// other; tests change what they are about.
#pragma once

#include "faster/store/f2_kv.h"
#include "tests/store/test_store.h"

namespace faster {

inline F2Config TinyPairConfig() {
  F2Config config;
  config.hot = TestStore::TinyConfig();
  config.hot.buffer_pages = 4;
  config.hot.mutable_pages = 1;
  config.cold.log = config.hot;
  config.cold.index = config.hot;
  config.cold.index.index_buckets = 1;
  config.cold.index_chunks = 8;
  return config;
}

}  // namespace faster
