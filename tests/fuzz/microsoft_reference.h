// Checkpoints in Microsoft's layout that its fuzz targets change one file of: the same records as a fold-over
// and as a snapshot checkpoint. Some keys share a bucket, so that there are overflow buckets.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "faster/cpr/formats.h"
#include "faster/device/memory_storage.h"
#include "faster/interop/microsoft_export.h"
#include "faster/interop/microsoft_hash.h"
#include "faster/interop/native_writer.h"
#include "tests/fuzz/target.h"

namespace fuzz {

struct MicrosoftReference {
  static constexpr uint64_t kPageBits = 9;
  static faster::StoreConfig NativeConfig(std::string directory) {
    faster::StoreConfig config;
    config.directory = std::move(directory);
    config.index_buckets = 64;
    config.page_bits = 12;
    config.block_bytes = 512;
    config.segment_pages = 4;
    return config;
  }
  static faster::microsoft::Geometry Geometry() {
    faster::microsoft::Geometry geometry;
    geometry.page_bits = kPageBits;
    geometry.overflow_page_bits = 3;
    geometry.segment_bytes = 1 << 16;
    return geometry;
  }

  MicrosoftReference() {
    using namespace faster;
    NativeWriter writer(&storage, NativeConfig("native"), microsoft::NativeHashOfKey);
    Diagnosis why;
    Must(writer.Open(1, &why), why);
    std::vector<uint64_t> keys;
    for (uint64_t key = 0; keys.size() < 24; ++key) {
      if (microsoft::HashOfKey(key) % microsoft::kLeastTable == 5) keys.push_back(key);
    }
    for (uint64_t key = 0; key < 40; ++key) keys.push_back(key);
    for (const uint64_t key : keys) Must(writer.Add(key, key + 1, false, &why), why);
    for (uint64_t key = 0; key < 40; key += 3) Must(writer.Add(key, key + 2, key % 2 == 1, &why), why);
    LogMetadata log;
    std::vector<SessionCommit> sessions(2);
    sessions[0] = {{1, 2}, 40, {}};
    sessions[1] = {{3, 4}, 54, {}};
    std::sort(sessions.begin(), sessions.end(),
              [](const SessionCommit& a, const SessionCommit& b) { return a.session < b.session; });
    session = sessions[0].session;
    Must(writer.Finish({5, 6}, sessions, {}, &log, &why), why);
    for (const bool snapshot : {false, true}) {
      microsoft::ExportOptions options;
      options.snapshot = snapshot;
      options.log_pages = snapshot ? 2 : 0;
      options.geometry = Geometry();
      microsoft::ExportResult result;
      Must(microsoft::Export(&storage, "native", &storage, Kind(snapshot), options, &result, &why), why);
      token = result.token;
    }
  }

  static std::string Kind(bool snapshot) { return snapshot ? "snap" : "fold"; }
  // `file` with its directory as in kMicrosoftFiles.
  std::string Path(const std::string& kind, std::string file) const {
    if (file.starts_with("index/")) file = "index-checkpoints/" + token.Text() + file.substr(5);
    if (file.starts_with("cpr/")) file = "cpr-checkpoints/" + token.Text() + file.substr(3);
    if (file.ends_with("/session")) file.replace(file.size() - 7, 7, session.Text() + ".dat");
    return kind + "/" + file;
  }
  std::string Bytes(const std::string& path) {
    std::string bytes;
    faster::Diagnosis why;
    Must(faster::ReadWholeFile(storage, path, 1 << 20, &bytes, &why), why);
    return bytes;
  }

  faster::MemoryStorage storage;
  faster::Token token;
  faster::Guid session;

 private:
  static void Must(faster::Status status, const faster::Diagnosis& why) {
    Require(status == faster::Status::kOk, "the reference: " + why.Text());
  }
};

// Target, whose checkpoint, file.
constexpr const char* kMicrosoftFiles[][3] = {
    {"microsoft_index_info", "fold", "index/info.dat"}, {"microsoft_log_info", "snap", "cpr/info.dat"},
    {"microsoft_session", "fold", "cpr/session"},       {"microsoft_table", "fold", "index/ht.dat"},
    {"microsoft_overflow", "fold", "index/ofb.dat"},    {"microsoft_log", "fold", "log.log0"},
    {"microsoft_snapshot", "snap", "cpr/snapshot.dat"},
};
// An input of this target is a place in the file and what stands there; ht.dat has at least 128 KiB.
constexpr bool IsPatched(std::string_view target) { return target == "microsoft_table"; }

}  // namespace fuzz
