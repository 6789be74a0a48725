#include "workloads/ycsb/spec.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "faster/core/record.h"
#include "faster/core/variable_record.h"
#include "workloads/key_file.h"
#include "workloads/ycsb/value.h"

namespace workloads::ycsb {
namespace {

constexpr uint64_t kMostRecords = uint64_t{1} << 32;
constexpr uint64_t kUnlimited = uint64_t{1} << 40;  // operations

// A class of another name would do something else.
bool CheckWorkload(const Properties& p, std::string* error) {
  const std::string name = p.Text("workload", "CoreWorkload");
  if (name.substr(name.rfind('.') + 1) == "CoreWorkload") return true;
  *error = p.Complaint("workload", "site.ycsb.workloads.CoreWorkload, the only one there is here");
  return false;
}

// What changes nothing on a store of one field, one table, keys of 8 bytes and inserts that do not fail, but
// has to make sense.
bool CheckWithoutEffect(const Properties& p, std::string* error) {
  uint64_t number;
  bool flag;
  std::string text;
  for (const char* key : {"zeropadding", "minscanlength", "maxscanlength"}) {
    if (!p.Number(key, 1, 0, 1u << 30, &number, error)) return false;
  }
  for (const char* key : {"core_workload_insertion_retry_limit", "core_workload_insertion_retry_interval"}) {
    if (!p.Number(key, 0, 0, 1u << 30, &number, error)) return false;
  }
  for (const char* key : {"readallfields", "readallfieldsbyname", "writeallfields",
                          "core_workload_insertion_keep_going_on_error"}) {
    if (!p.Flag(key, false, &flag, error)) return false;
  }
  static_cast<void>(p.Has("table"));
  static_cast<void>(p.Has("fieldnameprefix"));
  if (p.Has("limit.file")) {
    *error =
        p.Complaint("limit.file", "no file: a limit that changes during the run is not possible; use target");
    return false;
  }
  return p.Choice("scanlengthdistribution", "uniform", {"uniform", "zipfian"}, &text, error);
}

bool ParseKeyFiles(const Properties& p, uint64_t* records, WorkloadSpec* spec, std::string* error) {
  spec->load_file = p.Text("faster.load_file", "");
  spec->run_file = p.Text("faster.run_file", "");
  if (!spec->load_file.empty() && !CountKeys(spec->load_file, records, error)) return false;
  if (!spec->run_file.empty() && !CountKeys(spec->run_file, &spec->run_file_keys, error)) return false;
  return true;
}

bool ParseRecords(const Properties& p, WorkloadSpec* spec, std::string* error) {
  uint64_t in_file = 0;
  if (!ParseKeyFiles(p, &in_file, spec, error)) return false;
  if (!p.Number("recordcount", std::min(in_file, kMostRecords), 1, kMostRecords, &spec->record_count, error))
    return false;
  if (spec->record_count == 0) {
    *error = "recordcount is not set: say how many records there are, as with -p recordcount=1000000";
    return false;
  }
  if (in_file != 0 && spec->record_count > in_file) {
    *error = p.Complaint("recordcount",
                         "at most as many as " + spec->load_file + " has keys, " + std::to_string(in_file));
    return false;
  }
  if (!p.Number("insertstart", 0, 0, kMostRecords, &spec->insert_start, error)) return false;
  if (spec->insert_start >= spec->record_count) {
    *error = p.Complaint("insertstart", "less than recordcount (" + std::to_string(spec->record_count) + ")");
    return false;
  }
  const uint64_t rest = spec->record_count - spec->insert_start;
  return p.Number("insertcount", rest, 1, rest, &spec->insert_count, error);
}

bool ParsePace(const Properties& p, WorkloadSpec* spec, std::string* error) {
  uint64_t threads, status, limit_ops;
  if (!p.Number("operationcount", 0, 0, ~0ull, &spec->operation_count, error)) return false;
  if (!p.Number("threadcount", 1, 1, 100, &threads, error)) return false;
  if (!p.Number("limit.ops", 0, 0, ~0ull, &limit_ops, error)) return false;
  if (!p.Number("target", limit_ops, 0, ~0ull, &spec->target, error)) return false;
  if (!p.Number("maxexecutiontime", 0, 0, 1u << 30, &spec->max_seconds, error)) return false;
  if (!p.Number("status.interval", 10, 1, 1u << 20, &status, error)) return false;
  if (!p.Number("sleepafterload", 0, 0, 1u << 20, &spec->sleep_after_load, error)) return false;
  if (!p.Flag("faster.time_all", false, &spec->time_all, error)) return false;
  spec->threads = static_cast<uint32_t>(threads);
  spec->status_interval = status;
  return true;
}

bool ParseFieldLengths(const Properties& p, FieldLengths* fields, std::string* error) {
  std::string distribution = p.Text("field_len_dist", "constant");
  bool integrity;
  if (!p.Number("fieldcount", 10, 1, 1u << 16, &fields->fields, error) ||
      !p.Number("fieldlength", 100, 1, 1u << 24, &fields->most, error) ||
      !p.Number("minfieldlength", 1, 0, 1u << 24, &fields->least, error) ||
      !p.Flag("dataintegrity", false, &integrity, error)) {
    return false;
  }
  const char* const key = p.Has("fieldlengthdistribution") || !p.Has("field_len_dist")
                              ? "fieldlengthdistribution"
                              : "field_len_dist";
  if (!p.Choice(key, distribution, {"constant", "uniform", "zipfian", "histogram"}, &distribution, error))
    return false;
  fields->distribution = distribution;
  const std::string histogram = p.Text("fieldlengthhistogram", "hist.txt");
  if (distribution == "constant") return true;
  if (integrity) {
    *error = p.Complaint(key, "constant, for dataintegrity=true");
    return false;
  }
  if (distribution == "histogram") return LengthHistogram::Read(histogram, &fields->histogram, error);
  if (fields->least <= fields->most) return true;
  *error = p.Complaint("minfieldlength", "at most fieldlength (" + std::to_string(fields->most) + ")");
  return false;
}

bool ParseValue(const Properties& p, WorkloadSpec* spec, std::string* error) {
  FieldLengths fields;
  if (!ParseFieldLengths(p, &fields, error)) return false;
  uint64_t bytes = fields.longest();
  constexpr uint64_t kMost = uint64_t{1} << 30;  // a page of the log
  if (bytes >= kMost) {
    *error = "values of " + std::to_string(bytes) + " bytes (fieldcount " + std::to_string(fields.fields) +
             " x fieldlength " + std::to_string(bytes / fields.fields) +
             "): the largest page of the log has " + std::to_string(kMost);
    return false;
  }
  spec->value_lengths = MakeValueLengths(fields);
  if (spec->value_lengths != nullptr) bytes = spec->value_lengths->longest();
  spec->value_bytes = static_cast<uint32_t>(bytes);
  // The first word of a value says who wrote it. 100 bytes have 104 bytes of room in either layout.
  spec->stored_bytes =
      bytes == 100 && spec->value_lengths == nullptr ? 104 : std::max<uint32_t>(spec->value_bytes, 8);
  return true;
}

bool ParseMix(const Properties& p, WorkloadSpec* spec, std::string* error) {
  struct Part {
    const char* key;
    double fallback;
    Operation operation;
  };
  constexpr Part kParts[] = {{"readproportion", 0.95, Operation::kRead},
                             {"updateproportion", 0.05, Operation::kUpdate},
                             {"insertproportion", 0, Operation::kInsert},
                             {"readmodifywriteproportion", 0, Operation::kReadModifyWrite},
                             {"rmwproportion", 0, Operation::kRmw}};
  double scan;
  if (!p.Real("scanproportion", 0, 0, 1e9, &scan, error)) return false;
  if (scan > 0) {
    *error =
        "this workload scans (scanproportion > 0, as YCSB E does): a hash index has no order of keys to scan "
        "in";
    return false;
  }
  double inserts = 0;
  for (const Part& part : kParts) {
    double weight;
    if (!p.Real(part.key, part.fallback, 0, 1e9, &weight, error)) return false;
    spec->mix.Add(part.operation, weight);
    if (part.operation == Operation::kInsert) inserts = weight;
  }
  if (spec->mix.empty()) {
    *error = "all proportions are 0: there is nothing to do";
    return false;
  }
  spec->keys.expected_new_keys =
      static_cast<uint64_t>(static_cast<double>(spec->operation_count) * inserts * 2);
  // YCSB, too, goes on until the time is over.
  if (spec->operation_count == 0 && spec->max_seconds != 0) spec->operation_count = kUnlimited;
  if (inserts > 0 && !(spec->load_file + spec->run_file).empty()) {
    *error = "insertproportion: keys come from a file, which has none for records that are inserted";
    return false;
  }
  return true;
}

bool ParseKeys(const Properties& p, WorkloadSpec* spec, std::string* error) {
  std::string order;
  KeyOptions& keys = spec->keys;
  if (!ParseDistribution(p.Text("requestdistribution", "uniform"), &keys.distribution)) {
    *error = p.Complaint(
        "requestdistribution",
        "one of uniform, zipfian, zipf_raw, zipf_hashed, latest, hotspot, exponential, sequential");
    return false;
  }
  if (!p.Choice("insertorder", "hashed", {"hashed", "ordered"}, &order, error)) return false;
  spec->hashed_keys = order == "hashed";
  if (!p.Real("zipfian_const", kZipfianTheta, 0, 0.9999, &keys.theta, error) ||
      !p.Real("hotspotdatafraction", 0.2, 0, 1, &keys.hot_data, error) ||
      !p.Real("hotspotopnfraction", 0.8, 0, 1, &keys.hot_operations, error) ||
      !p.Real("exponential.percentile", 95, 0, 100, &keys.exponential_percentile, error) ||
      !p.Real("exponential.frac", 0.8571428571, 0, 1, &keys.exponential_fraction, error)) {
    return false;
  }
  keys.insert_start = spec->insert_start;
  keys.insert_count = spec->insert_count;
  if (spec->inserts() &&
      keys.expected_new_keys > kMostRecords * 2) {  // a run limited by time, not by its count
    keys.expected_new_keys = spec->record_count;
  }
  *error = CheckKeyOptions(keys);
  return error->empty();
}

uint64_t DefaultMemory(const WorkloadSpec& spec, bool with_checkpoints) {
  const uint64_t data = spec.record_count * spec.record_bytes();
  const uint64_t wanted = std::bit_ceil(std::max<uint64_t>(data * (with_checkpoints ? 8 : 2), 1 << 20));
  const uint64_t machine =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(wanted, std::bit_floor(machine / 2));
}

bool ParseEngine(const Properties& p, bool with_checkpoints, WorkloadSpec* spec, std::string* error) {
  constexpr uint64_t kMost = uint64_t{1} << 46;
  uint64_t page_bits, refresh, prefetch, grow_percent, open_segments;
  if (!p.Number("faster.memory", DefaultMemory(*spec, with_checkpoints), 2048, kMost, &spec->memory, error))
    return false;
  spec->memory = std::bit_floor(spec->memory);
  const uint64_t bits = std::clamp<uint64_t>(std::bit_width(spec->memory) - 1 - 6, 16, 25);
  if (!p.Number("faster.page_bits", std::min<uint64_t>(bits, std::bit_width(spec->memory) - 3), 9, 30,
                &page_bits, error)) {
    return false;
  }
  spec->page_bits = static_cast<uint32_t>(page_bits);
  if (spec->memory >> page_bits < 4) {
    *error =
        "faster.memory: " + std::to_string(spec->memory) +
        " bytes hold fewer than 4 pages of 2^faster.page_bits = " + std::to_string(uint64_t{1} << page_bits) +
        " bytes";
    return false;
  }
  const uint64_t records = spec->record_count;
  if (!p.Number("faster.index_buckets", std::bit_ceil(std::max<uint64_t>(records / 2, 1)), 1,
                uint64_t{1} << 40, &spec->index_buckets, error) ||
      !p.Number("faster.grow_percent", 0, 0, 1000, &grow_percent, error) ||
      !p.Number("faster.grow_to", 0, 0, uint64_t{1} << 40, &spec->grow_to, error) ||
      !p.Real("faster.mutable_fraction", 0.9, 0, 1, &spec->mutable_fraction, error) ||
      !p.Number("faster.block_bytes", 0, 0, uint64_t{1} << 30, &spec->block_bytes, error) ||
      !p.Number("faster.segment_bytes", uint64_t{1} << 30, 1, kMost, &spec->segment_bytes, error) ||
      !p.Number("faster.open_segments", 128, 1, 1u << 20, &open_segments, error) ||
      !p.Flag("faster.huge_pages", false, &spec->huge_pages, error) ||
      !p.Flag("faster.prefault", false, &spec->prefault, error) ||
      !p.Number("faster.refresh_interval", 64, 1, 1u << 20, &refresh, error) ||
      !p.Number("faster.keys_per_thread", std::clamp<uint64_t>(records * 2, 1 << 20, 1 << 24), 1,
                uint64_t{1} << 32, &spec->keys_per_thread, error) ||
      !p.Number("faster.prefetch", 0, 0, 64, &prefetch, error) ||
      !p.Number("faster.readcache", 0, 0, kMost, &spec->read_cache, error) ||
      !p.Flag("faster.readcache.second_chance", true, &spec->second_chance, error) ||
      !p.Flag("faster.copy_reads_to_tail", false, &spec->copy_reads_to_tail, error) ||
      !p.Number("faster.seed", 1, 0, ~0ull, &spec->seed, error)) {
    return false;
  }
  // No more keys than operations, up to the power of two that a ring needs.
  const uint64_t needed = std::max<uint64_t>(spec->operation_count / spec->threads, 1);
  spec->keys_per_thread = std::bit_ceil(std::min(spec->keys_per_thread, needed));
  spec->read_cache = std::bit_floor(spec->read_cache);
  spec->refresh_interval = static_cast<uint32_t>(refresh);
  spec->open_segments = static_cast<uint32_t>(open_segments);
  spec->prefetch = static_cast<uint32_t>(prefetch);
  spec->grow_percent = static_cast<uint32_t>(grow_percent);
  faster::Diagnosis why;
  if (spec->Store().Validate(spec->record_bytes(), &why) == faster::Status::kOk) return true;
  *error = "the store cannot be made like this: " + why.Text();
  return false;
}

}  // namespace

uint64_t WorkloadSpec::record_bytes() const {
  switch (fixed() ? stored_bytes : 0) {
    case 8:
      return faster::Record<uint64_t, Value<8>>::kBytes;
    case 104:
      return faster::Record<uint64_t, Value<104>>::kBytes;
    case 256:
      return faster::Record<uint64_t, Value<256>>::kBytes;
    default:
      return faster::VariableRecord::BytesFor(sizeof(uint64_t), stored_bytes);
  }
}

faster::StoreConfig WorkloadSpec::Store() const {
  faster::StoreConfig config;
  config.page_bits = page_bits;
  config.buffer_pages = static_cast<uint32_t>(std::min<uint64_t>(memory >> page_bits, 1u << 31));
  const double pages = std::floor(mutable_fraction * config.buffer_pages);
  config.mutable_pages = std::clamp<uint32_t>(static_cast<uint32_t>(pages), 1, config.buffer_pages - 2);
  const uint64_t usual = std::max<uint64_t>(4096, std::bit_ceil(record_bytes() + 8));
  config.block_bytes =
      static_cast<uint32_t>(std::min(block_bytes != 0 ? block_bytes : usual, config.page_bytes()));
  config.segment_pages =
      static_cast<uint32_t>(std::clamp<uint64_t>(segment_bytes >> page_bits, 1, uint64_t{1} << 31));
  config.index_buckets = index_buckets;
  config.grow_at_overflow_percent = grow_percent;
  config.huge_pages = huge_pages;
  config.prefault = prefault;
  config.shift = shift;
  config.guarantee = guarantee;
  config.overlap_index = overlap_index;
  config.open_segments = open_segments;
  config.refresh_interval = refresh_interval;
  config.read_cache_bytes = read_cache;
  config.read_cache_second_chance = second_chance;
  config.copy_reads_to_tail = copy_reads_to_tail;
  config.seed = seed;
  return config;
}

bool ParseSpec(const Properties& properties, bool with_checkpoints, WorkloadSpec* spec, std::string* error) {
  return CheckWorkload(properties, error) && CheckWithoutEffect(properties, error) &&
         ParseRecords(properties, spec, error) && ParsePace(properties, spec, error) &&
         ParseValue(properties, spec, error) && ParseMix(properties, spec, error) &&
         ParseKeys(properties, spec, error) && ParseEngine(properties, with_checkpoints, spec, error);
}

}  // namespace workloads::ycsb
