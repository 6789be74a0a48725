// Checkpoints in oxifaster's layout that its fuzz targets change one file of: a snapshot, a delta on it, and
// a fold-over checkpoint of one page.
#pragma once

#include "tests/interop/oxifaster_layout.h"

namespace fuzz {

struct OxifasterReference {
  OxifasterReference() {
    using faster::oxifaster::FillLayout;
    base.token.low = 1;
    base.version = 1;
    FillLayout(&base, 0, 60);
    base.WriteSnapshot(storage);
    delta = base;
    delta.token.low = 2;
    delta.version = 2;
    FillLayout(&delta, 100, 130);
    delta.WriteDelta(storage, base, base.tail);
    fold.token.low = 3;
    FillLayout(&fold, 0, 40);
    fold.WriteFoldOver(storage, "device");
  }
  const faster::oxifaster::Layout& Of(std::string_view kind) const {
    return kind == "base" ? base : kind == "delta" ? delta : fold;
  }
  std::string Path(std::string_view kind, const std::string& file) const {
    return file == "device" ? file : Of(kind).Path(file);
  }

  faster::MemoryStorage storage;
  faster::oxifaster::Layout base, delta, fold;
};

// Target, whose checkpoint, file.
constexpr const char* kOxifasterFiles[][3] = {
    {"oxifaster_log_meta", "base", "log.meta"},      {"oxifaster_index_meta", "fold", "index.meta"},
    {"oxifaster_delta_meta", "delta", "delta.meta"}, {"oxifaster_snapshot", "base", "log.snapshot"},
    {"oxifaster_sums", "base", "log.snapshot.crc"},  {"oxifaster_index_data", "fold", "index.dat"},
    {"oxifaster_delta_log", "delta", "delta.0.log"}, {"oxifaster_device", "fold", "device"},
};

}  // namespace fuzz
