// Deltas of oxifaster, as its writer would write them if it wrote what it buffers.
#include "tests/interop/oxifaster_made.h"

namespace faster::oxifaster {
namespace {

class Delta : public Made {
 protected:
  Delta() {
    base_.token.low = 1;
    base_.version = 2;
    FillLayout(&base_, 0, 100);
    layout_ = base_;
    layout_.token.low = 2;
    layout_.version = 3;
    state_ = FillLayout(&layout_, 1000, 1200);
    base_.WriteSnapshot(source_);
  }
  ImportOptions NoRmw(bool device = false) {
    ImportOptions options = device ? OnDevice() : Tiny();
    options.no_rmw = true;
    return options;
  }

  Layout base_;
  State state_;
};

TEST_F(Delta, IsReplayedOnItsSnapshot) {
  layout_.WriteDelta(source_, base_, base_.tail);
  ExpectState(state_, NoRmw());
  EXPECT_TRUE(result_.source.log.incremental);
  EXPECT_EQ(result_.log.token, layout_.token);
  EXPECT_EQ(result_.log.version, 3u);
  ExpectRefused(Status::kUnsupported, "lacks what RMWs changed in place");
}

TEST_F(Delta, WhatWasOnTheDeviceIsReadThere) {
  for (const LogAddress from : {Grid::AddressOf(3, 5), Grid::AddressOf(5, 0), layout_.tail - 24}) {
    layout_.WriteFoldOver(source_, "device");
    layout_.WriteDelta(source_, base_, from);
    layout_.more_of_log.clear();
    ExpectRefused(Status::kInvalidArgument, "which the delta leaves out", NoRmw());
    ExpectState(state_, NoRmw(true));
  }
}

TEST_F(Delta, OfAnotherBaseOrEnd) {
  layout_.WriteDelta(source_, base_, base_.tail);
  layout_.WriteText(source_, "log.meta", [&] {
    std::string text = GetFile(source_, layout_.Path("log.meta"));
    return text.replace(text.find(base_.token.Text()), 36, SampleToken(9).Text());
  }());
  ExpectRefused(Status::kCorruption, "delta.meta", NoRmw());
  layout_.WriteDelta(source_, base_, base_.tail);
  layout_.WriteText(source_, "delta.meta", [&] {
    std::string text = GetFile(source_, layout_.Path("delta.meta"));
    const std::string end = std::to_string(layout_.tail);
    return text.replace(text.find(end), end.size(), std::to_string(layout_.tail - 24));
  }());
  ExpectRefused(Status::kCorruption, "as in log.meta", NoRmw());
  Layout other = base_;
  other.tail -= 24;
  layout_.WriteDelta(source_, other, other.tail);
  ExpectRefused(Status::kCorruption, "its base's end", NoRmw());
  layout_.WriteDelta(source_, base_, base_.tail);
  for (const char* name : {"log.snapshot", "log.meta"}) {
    const std::string bytes = GetFile(source_, base_.Path(name));
    ASSERT_EQ(source_.Remove(base_.Path(name)), Status::kOk);
    ExpectRefused(Status::kCorruption, base_.Path(name), NoRmw());
    PutFile(source_, base_.Path(name), bytes);
  }
  ExpectState(state_, NoRmw());
}

TEST_F(Delta, OnWhatIsNoSnapshot) {
  layout_.WriteDelta(source_, base_, base_.tail);
  base_.WriteLogMeta(source_, false);
  ExpectRefused(Status::kCorruption, "found a fold-over checkpoint", NoRmw());
  base_.more_of_log = R"(, "is_incremental": true, "prev_snapshot_token": ")" + SampleToken(9).Text() + "\"";
  base_.WriteLogMeta(source_, true);
  ExpectRefused(Status::kCorruption, "found an incremental checkpoint", NoRmw());
}

TEST_F(Delta, PartsOutOfOrderAreNotApplied) {
  layout_.WriteDelta(source_, base_, base_.tail);
  const std::string log = GetFile(source_, layout_.Path("delta.0.log"));
  const auto refused = [&](const std::string& bytes, const std::string& what) {
    PutFile(source_, layout_.Path("delta.0.log"), bytes);
    ExpectRefused(Status::kCorruption, what, NoRmw());
    EXPECT_EQ(why_.file, layout_.Path("delta.0.log"));
  };
  const std::string part = "expected the part of the log at ";
  // The second entry (1,536 bytes on disk, a page) before the first (1,024), twice, and without it.
  refused(log.substr(1024, 1536) + log.substr(0, 1024) + log.substr(2560), part);
  refused(log.substr(0, 2560) + log.substr(1024, 1536) + log.substr(4096), part);
  refused(log.substr(0, 1024) + log.substr(2560) + std::string(1536, '\0'), part);
  std::string metadata = log;
  metadata.replace(12, 4, std::string("\1\0\0\0", 4));  // type 1, and the sum that goes with it
  metadata[4] = static_cast<char>(metadata[4] ^ 1);
  refused(metadata, "parts of pages");
  PutFile(source_, layout_.Path("delta.0.log"), log);
  ExpectState(state_, NoRmw());
  // One part less, and a delta.meta that knows: from the middle, and the last one.
  std::string meta = GetFile(source_, layout_.Path("delta.meta"));
  const size_t count = meta.rfind(' ') + 1;
  meta = meta.replace(count, meta.size() - count - 1, std::to_string(std::stoi(meta.substr(count)) - 1));
  layout_.WriteText(source_, "delta.meta", meta);
  refused(log.substr(0, 1024) + log.substr(2560) + std::string(1536, '\0'), part);
  std::string last = log;
  last.replace(last.size() - 512, 512, 512, '\0');
  refused(last, "expected the log up to");
}

}  // namespace
}  // namespace faster::oxifaster
