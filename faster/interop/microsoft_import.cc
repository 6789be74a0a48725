#include "faster/interop/microsoft_import.h"

#include <algorithm>
#include <bit>

#include "faster/interop/microsoft_chains.h"

namespace faster::microsoft {

Status Import(Storage* from, std::string_view directory, Storage* to, const ImportOptions& options,
              ImportResult* result, Diagnosis* why) {
  Diagnosis unused;
  if (why == nullptr) why = &unused;
  ImportResult done;
  Status status = options.geometry.Validate(why);
  if (status == Status::kOk)
    status = ReadCheckpoint(*from, directory, options.log_token, options.index_token, &done.source, why);
  if (status != Status::kOk) return status;
  LogReader log(options.geometry);
  if ((status = log.Open(from, directory, done.source, why)) != Status::kOk) return status;
  Chains chains(from, done.source, options.geometry, log, options.observer);
  if ((status = chains.Find(why)) != Status::kOk) return status;
  StoreConfig config = options.config;
  if (config.index_buckets == 0)
    config.index_buckets = std::bit_ceil(std::max<uint64_t>(chains.records() / 2, 1));
  NativeWriter writer(to, config, options.hash);
  if ((status = writer.Open(done.source.log.version, why)) != Status::kOk) return status;
  status = chains.ForEach(
      [&](LogAddress, const LogRecord& record) {
        return writer.Add(record.key, record.value, record.header.tombstone(), why);
      },
      why);
  if (status == Status::kOk)
    status = writer.Finish(done.source.token, done.source.sessions, options.observer, &done.log, why);
  if (status != Status::kOk) return status;
  done.records = chains.records();
  done.tombstones = chains.tombstones();
  done.undone = chains.undone();
  *result = std::move(done);
  return Status::kOk;
}

}  // namespace faster::microsoft
