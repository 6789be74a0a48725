#include "experiments/figures/log/measure.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <thread>

#include "experiments/common/progress.h"
#include "experiments/common/storage_choice.h"
#include "experiments/figures/log/engines.h"
#include "faster/core/variable_record.h"
#include "faster/device/null_storage.h"

namespace experiments::figures {

using faster::Status;
using workloads::ycsb::Engine;
using workloads::ycsb::LogState;
using workloads::ycsb::PhaseResult;
using workloads::ycsb::WorkloadSpec;

namespace {

constexpr uint64_t kBlockBytes = 4096;

uint64_t RecordBytes(const LogSettings& settings, const WorkloadSpec& spec) {
  const bool variable = settings.engine == "in-place" || settings.engine == "append-only";
  return variable ? faster::VariableRecord::BytesFor(sizeof(uint64_t), settings.work.value_bytes)
                  : spec.record_bytes();
}

std::unique_ptr<faster::Storage> OpenStorage(const LogSettings& settings, const std::string& folder,
                                             std::string* problem) {
  if (settings.storage == "null") return std::make_unique<faster::NullStorage>();
  StorageChoice choice;
  choice.name = settings.storage;
  choice.direct = settings.direct;
  choice.read_limit = settings.read_limit;
  choice.write_limit = settings.write_limit;
  *problem = CheckStorage(choice, folder);
  return problem->empty() ? MakeStorage(choice, folder) : nullptr;
}

// What was measured between two looks at the log.
void Report(const PhaseResult& result, const LogState& before, const LogState& after, uint64_t record_bytes,
            Output* output) {
  const double operations = static_cast<double>(result.operations);
  const double grown = static_cast<double>(after.tail - before.tail);
  output->Metric("ops_per_second", operations / result.seconds);
  output->Metric("log_bytes_per_second", grown / result.seconds);
  output->Metric("log_bytes_per_operation", grown / operations);
  output->Metric("appended_percent", 100 * grown / operations / static_cast<double>(record_bytes));
  output->Metric("written_bytes_per_second",
                 static_cast<double>(after.flushed - before.flushed) / result.seconds);
  output->Metric("fuzzy_percent", 100 * static_cast<double>(result.fuzzy) / operations);
  output->Metric("seconds", result.seconds);
}

// The same bytes in order, in pieces of 4 MiB of which two are always under way, through the same storage
// with its limits.
bool MeasureDevice(faster::Storage* storage, double store_rate, uint64_t bytes, Output* output,
                   std::string* problem) {
  constexpr uint64_t kPiece = uint64_t{4} << 20;
  std::unique_ptr<faster::File> file;
  const std::unique_ptr<void, void (*)(void*)> piece(std::aligned_alloc(kBlockBytes, kPiece), std::free);
  std::atomic<Status> status = Status::kOutOfMemory;
  if (piece != nullptr) {
    workloads::Random noise(1);  // what no device makes smaller
    for (uint64_t i = 0; i < kPiece / 8; ++i) static_cast<uint64_t*>(piece.get())[i] = noise.Next();
    status.store(storage->Open("sequential", faster::OpenMode::kTruncate, &file));
  }
  bytes = std::max(bytes, kPiece) & ~(kPiece - 1);
  std::atomic<uint64_t> next{0};
  const auto write = [&] {
    for (uint64_t at; status.load() == Status::kOk && (at = next.fetch_add(kPiece)) < bytes;) {
      const Status wrote = faster::WriteFully(*file, at, piece.get(), kPiece);
      if (wrote != Status::kOk) status.store(wrote);
    }
  };
  const double start = MonotonicSeconds();
  std::thread other(write);
  write();
  other.join();
  if (status.load() == Status::kOk) status.store(file->Sync());
  const double rate = static_cast<double>(bytes) / (MonotonicSeconds() - start);
  if (status.load() != Status::kOk) {
    *problem = "cannot write to the device in order: " + std::string(StatusName(status.load()));
    return false;
  }
  output->Metric("device_bytes_per_second", rate);
  output->Metric("share_of_device", store_rate / rate);
  return true;
}

Outcome MeasureStore(const LogSettings& settings, const WorkloadSpec& spec, uint64_t record_bytes,
                     const std::string& folder, Output* output, std::string* problem) {
  const std::unique_ptr<faster::Storage> storage = OpenStorage(settings, folder, problem);
  if (storage == nullptr) return Outcome::kRefused;
  const std::unique_ptr<Engine> engine = MakeLogEngine(settings.engine, spec.stored_bytes);
  faster::Diagnosis why;
  const Status status = engine->Create(spec.Store(), storage.get(), nullptr, &why);
  if (status != Status::kOk) {
    *problem = "cannot make the store: " + std::string(StatusName(status)) + ": " + why.Text();
    return Outcome::kRefused;
  }
  Worker worker(settings.work, spec, engine.get());
  PhaseResult result;
  LogState before = engine->Log();
  bool good = worker.Load(problem) && worker.WarmUp(problem) && worker.Run(&result, &before, problem);
  const LogState after = engine->Log();
  if (settings.storage == "null" && after.head > spec.record_bytes() + 8) {
    *problem = "memory: expected room for the whole log with storage null, which keeps nothing";
    return Outcome::kRefused;
  }
  if (!good) return Outcome::kViolated;
  Report(result, before, after, record_bytes, output);
  if (!settings.device) return Outcome::kMeasured;
  const uint64_t written = after.flushed - before.flushed;
  good =
      MeasureDevice(storage.get(), static_cast<double>(written) / result.seconds, written, output, problem);
  return good ? Outcome::kMeasured : Outcome::kRefused;
}

}  // namespace

void LogSettings::AddTo(Program* program) {
  work.AddTo(program);
  program->AddChoice("engine", "how the store treats its records (engines.h)", &engine, LogEngines());
  program->AddNumber("memory", "bytes of log buffer, a power of two", &memory, 1 << 16, uint64_t{1} << 40);
  program->AddNumber("page_bits", "pages of 2 to the power of this bytes", &page_bits, 12, 30);
  program->AddReal("mutable", "share that is updated in place", &mutable_share, 0, 1);
  program->AddChoice("mutable_of", "the share is of the memory, or of the log after the load", &mutable_of,
                     {"memory", "data"});
  program->AddChoice("storage", "where the log goes; null: nowhere, so the memory has to hold it all",
                     &storage, {"null", "posix", "uring"});
  program->AddFlag("direct", "uring: past the page cache", &direct);
  program->AddNumber("read_limit", "MB read per second, 0: no limit", &read_limit, 0, 1'000'000);
  program->AddNumber("write_limit", "MB written per second, 0: no limit", &write_limit, 0, 1'000'000);
  program->AddFlag("device", "also write as much in order, without a store", &device);
}

uint64_t DataPages(uint64_t records, uint64_t record_bytes, uint64_t block_bytes, uint64_t page_bytes) {
  const uint64_t in_block = (block_bytes - 8) / record_bytes;
  const uint64_t in_page = in_block * (page_bytes / block_bytes);
  return (records + in_page - 1) / in_page;
}

uint32_t MutablePages(const LogSettings& settings, uint64_t record_bytes, std::string* problem) {
  const uint64_t page_bytes = uint64_t{1} << settings.page_bits;
  const uint64_t in_memory = settings.memory / page_bytes;
  if (!std::has_single_bit(settings.memory) || in_memory < 4) {
    *problem =
        "memory: expected a power of two of at least 4 pages, found " + std::to_string(settings.memory);
    return 0;
  }
  const bool of_data = settings.mutable_of == "data";
  const uint64_t data = DataPages(settings.work.records, record_bytes, kBlockBytes, page_bytes);
  // All of the data: the page that is being filled, too.
  const uint64_t whole =
      of_data ? data + (settings.mutable_share == 1 ? settings.work.threads : 0) : in_memory;
  const double wanted = std::round(settings.mutable_share * static_cast<double>(whole));
  const uint64_t pages = std::max<uint64_t>(static_cast<uint64_t>(wanted), 1);
  if (of_data && pages > in_memory - 2) {
    *problem = "mutable: expected at most " + std::to_string(in_memory - 2) + " pages, as memory has " +
               std::to_string(in_memory) + ", found " + std::to_string(pages);
    return 0;
  }
  return static_cast<uint32_t>(std::min(pages, in_memory - 2));
}

Outcome MeasureLog(const LogSettings& settings, const Cell& cell, Output* output, std::string* problem) {
  *problem = CheckLogEngine(settings.engine, settings.work.value_bytes,
                            settings.work.updates == "upsert" && settings.work.read_percent < 100);
  WorkloadSpec spec;
  if (!problem->empty() || !settings.work.Spec(cell, &spec, problem)) return Outcome::kRefused;
  const uint64_t record_bytes = RecordBytes(settings, spec);
  const uint32_t pages = MutablePages(settings, record_bytes, problem);
  if (pages == 0) return Outcome::kRefused;
  spec.block_bytes = kBlockBytes;
  const double in_memory = static_cast<double>(settings.memory >> settings.page_bits);
  Work::SetLog(settings.memory, static_cast<uint32_t>(settings.page_bits), (pages + 0.5) / in_memory, &spec);
  faster::Diagnosis why;
  if (spec.Store().Validate(record_bytes, &why) != Status::kOk) {
    *problem = "the store cannot be made like this: " + why.Text();
    return Outcome::kRefused;
  }
  std::string folder;
  if (!output->WorkFolder(&folder, problem)) return Outcome::kRefused;
  output->Threads(settings.work.threads);
  return MeasureStore(settings, spec, record_bytes, folder, output, problem);
}

}  // namespace experiments::figures
