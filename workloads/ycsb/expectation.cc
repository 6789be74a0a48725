#include "workloads/ycsb/expectation.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

#include "workloads/ycsb/driver.h"

namespace workloads::ycsb {
namespace {

uint32_t IncarnationOf(uint64_t word) { return static_cast<uint32_t>(word >> kSerialBits) & 0xff; }

std::string Hex(uint64_t word) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(word));
  return text;
}

}  // namespace

Expectation::Expectation(const WorkloadSpec& spec, uint32_t sessions, bool loaded)
    : spec_(spec),
      sessions_(sessions),
      loaded_(loaded),
      additive_(spec.mix.Contains(Operation::kRmw)),
      first_(spec.insert_start) {
  for (uint32_t session = 0; session < sessions; ++session)
    records_.push_back(ThreadKeys(spec, session, false));
  if (additive_) {
    sums_.resize(spec.insert_count);
    added_.resize(spec.insert_count);
  } else {
    last_.assign(sessions, std::vector<uint64_t>(spec.insert_count));
  }
}

void Expectation::Commit(uint32_t session, uint32_t incarnation, uint64_t from, uint64_t to,
                         const std::vector<uint64_t>& pended, const std::vector<uint64_t>& excluded) {
  const OperationStream stream(spec_.mix, ThreadSeed(spec_, session), &records_[session]);
  const uint64_t writer = WriterWord(session, incarnation, 0);
  const std::unordered_set<uint64_t> went_pending(pended.begin(), pended.end());
  const auto commit = [&](const StreamElement& at, uint64_t serial) {
    if (serial > to || std::binary_search(excluded.begin(), excluded.end(), serial)) return;
    Apply(session, at.operation, at.key - first_, writer | serial);
    if (!went_pending.empty() && went_pending.contains(serial))
      pended_.emplace(at.key - first_, writer | serial);
  };
  if (spec_.batch > 1) {  // within each batch those of one kind follow each other (ClientOf::RunBatches)
    for (uint64_t batch = from; batch < to; batch += spec_.batch) {
      uint64_t serial = batch;
      for (const Operation kind : {Operation::kRead, Operation::kUpdate, Operation::kRmw}) {
        for (uint64_t element = batch; element < batch + spec_.batch; ++element) {
          const StreamElement at = stream.At(element);
          if (at.operation != kind) continue;
          ++serial;
          if (kind != Operation::kRead) commit(at, serial);
        }
      }
    }
    return;
  }
  const bool two_serials = spec_.mix.Contains(Operation::kReadModifyWrite);
  for (uint64_t serial = from, element = from; serial < to; ++element) {
    const StreamElement at = stream.At(element);
    ++serial;
    if (at.operation == Operation::kRead) continue;
    if (two_serials && at.operation == Operation::kReadModifyWrite && ++serial > to) break;
    commit(at, serial);
  }
}

void Expectation::Apply(uint32_t session, Operation operation, uint64_t record, uint64_t writer) {
  if (operation == Operation::kRmw) {
    sums_[record] += OperandOf(writer);
    ++added_[record];
  } else {
    last_[session][record] = writer;
  }
}

std::string Expectation::WordText(uint64_t word) {
  if (SessionOf(word) == kLoader - 1)
    return "the loaded value of record " + std::to_string(SerialOf(word) - 1);
  return "the write with serial " + std::to_string(SerialOf(word)) + " of session " +
         std::to_string(SessionOf(word)) + " in incarnation " + std::to_string(IncarnationOf(word));
}

bool Expectation::CheckAdditive(uint64_t index, uint64_t found, std::string* expected) const {
  const uint64_t wanted = Initial(first_ + index) + sums_[index];
  if (found == wanted) return true;
  *expected = Hex(wanted) + ", the sum of " + std::to_string(added_[index]) + " committed RMWs" +
              (loaded_ ? " and the loaded value" : "");
  return false;
}

bool Expectation::CheckLastWriter(uint64_t index, uint64_t found, std::string* expected) const {
  uint32_t newest = 0;
  bool written = false;
  for (const std::vector<uint64_t>& last : last_) {
    if (last[index] == 0) continue;
    written = true;
    newest = std::max(newest, IncarnationOf(last[index]));
  }
  if (!written) {
    if (found == Initial(first_ + index)) return true;
    *expected = loaded_ ? "the loaded value, as no update of the key is committed" : "nothing";
    return false;
  }
  for (const std::vector<uint64_t>& last : last_) {
    if (last[index] == 0 || IncarnationOf(last[index]) != newest) continue;
    if (found == last[index]) return true;
    *expected += (expected->empty() ? "" : ", or ") + WordText(last[index]);
  }
  const auto [from, to] = pended_.equal_range(index);
  for (auto at = from; at != to; ++at) {
    if (at->second == found && IncarnationOf(found) == newest) return true;
  }
  return false;
}

bool Expectation::Check(uint64_t record, faster::Status status, uint64_t word, bool whole,
                        Mismatch* mismatch) const {
  const uint64_t index = record - first_;
  const bool missing = status == faster::Status::kNotFound;
  mismatch->record = record;
  mismatch->expected.clear();
  if (status != faster::Status::kOk && !missing) {
    mismatch->expected = "a value";
    mismatch->found = std::string(StatusName(status));
    return false;
  }
  if (!missing && !whole) {
    mismatch->expected = "a whole value";
    mismatch->found = "one put together from different writes, first word " + Hex(word);
    return false;
  }
  const uint64_t found = missing ? 0 : word;
  const bool absent_is_right = !loaded_ && (additive_ ? added_[index] == 0 : true);
  if (missing && additive_ && !absent_is_right) {
    mismatch->expected = "the sum of " + std::to_string(added_[index]) + " committed RMWs";
    mismatch->found = "nothing";
    return false;
  }
  if (!missing && additive_ && !loaded_ && added_[index] == 0) {
    mismatch->expected = "nothing";
    mismatch->found = Hex(word);
    return false;
  }
  const bool good = additive_ ? CheckAdditive(index, found, &mismatch->expected)
                              : CheckLastWriter(index, found, &mismatch->expected);
  if (!good) mismatch->found = missing ? "nothing" : additive_ ? Hex(word) : WordText(word);
  return good;
}

}  // namespace workloads::ycsb
