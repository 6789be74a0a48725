// A test that makes a checkpoint in oxifaster's layout and imports it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "faster/interop/oxifaster_import.h"
#include "tests/cpr/samples.h"
#include "tests/interop/interop_samples.h"
#include "tests/interop/oxifaster_layout.h"

namespace faster::oxifaster {

using microsoft::StateOf;

inline ImportOptions Tiny() {
  ImportOptions options;
  options.config = TestStore::TinyConfig();
  options.config.index_buckets = 0;
  options.hash = microsoft::TestHash;
  return options;
}

class Made : public ::testing::Test {
 protected:
  Status Run(ImportOptions options = Tiny()) {
    target_ = std::make_unique<MemoryStorage>();
    const Status status = Import(&source_, "", target_.get(), options, &result_, &why_);
    if (status != Status::kOk) {
      EXPECT_TRUE(microsoft::HoldsNothing(*target_, ""));
    }
    return status;
  }
  void ExpectState(const State& state, ImportOptions options = Tiny()) {
    ASSERT_EQ(Run(options), Status::kOk) << why_.Text();
    EXPECT_EQ(StateOf(*target_, ""), state);
  }
  void ExpectRefused(Status status, const std::string& what, ImportOptions options = Tiny()) {
    EXPECT_EQ(Run(options), status);
    EXPECT_NE(why_.Text().find(what), std::string::npos) << why_.Text();
  }
  ImportOptions OnDevice(uint64_t segment_bytes = 0) {
    ImportOptions options = Tiny();
    options.device = {&source_, "device", segment_bytes};
    options.page_bits = 10;
    return options;
  }

  MemoryStorage source_;
  std::unique_ptr<MemoryStorage> target_;
  Layout layout_;
  ImportResult result_;
  Diagnosis why_;
};

}  // namespace faster::oxifaster
