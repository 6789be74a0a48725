#include "faster/interop/oxifaster_import.h"

#include <algorithm>
#include <bit>

#include "faster/cpr/formats.h"
#include "faster/interop/oxifaster_records.h"

namespace faster::oxifaster {

Status Import(Storage* from, std::string_view directory, Storage* to, const ImportOptions& options,
              ImportResult* result, Diagnosis* why) {
  Diagnosis unused;
  if (why == nullptr) why = &unused;
  ImportResult& done = *result = {};
  Status status = ReadCheckpoint(*from, directory, options.token, &done.source, &done.warnings, why);
  if (status != Status::kOk) return status;
  LogReader log;
  status = log.Open(from, done.source, options.device, options.page_bits, &done.warnings, why);
  if (status != Status::kOk) return status;
  if (done.source.log.incremental && !options.no_rmw)
    return Refuse(Status::kUnsupported, JoinPath(done.source.directory, kLogMetaName), 0,
                  "a full checkpoint, or a store without RMWs (--no-rmw)",
                  "an incremental one, which lacks what RMWs changed in place", why);
  Records records(from, done.source, log, options.their_hash, options.observer);
  if ((status = records.Survey(&done.warnings, why)) != Status::kOk) return status;
  StoreConfig config = options.config;
  if (config.index_buckets == 0)
    config.index_buckets = std::bit_ceil(std::max<uint64_t>(records.records() / 2, 1));
  NativeWriter writer(to, config, options.hash);
  if ((status = writer.Open(done.source.log.version, why)) != Status::kOk) return status;
  status = records.ForEach(
      [&](uint64_t key, uint64_t value, bool tombstone) { return writer.Add(key, value, tombstone, why); },
      why);
  if (status == Status::kOk)
    status = writer.Finish(done.source.token, done.source.log.sessions, options.observer, &done.log, why);
  done.records = records.given();
  done.tombstones = records.tombstones();
  done.left_out = records.left_out();
  return status;
}

}  // namespace faster::oxifaster
