#include "faster/interop/oxifaster_metadata.h"

#include <algorithm>

#include "faster/cpr/metadata_fields.h"
#include "faster/interop/oxifaster_format.h"

namespace faster::oxifaster {
namespace {

constexpr uint64_t kMostVersion = 0xffffffff;

// A field that may be missing or null.
bool Has(const Json& object, const char* field) {
  return object.is_object() && object.contains(field) && !object[field].is_null();
}

MaybeProblem NullToken(const char* field, const Token& token) {
  if (!token.IsNull()) return std::nullopt;
  return Problem{field, "a token that is not null", token.Text()};
}

// Unlike Misordered of our own texts: addresses end where those of the read cache begin.
MaybeProblem BadAddress(const char* field, LogAddress address) {
  return OutOfRange(field, address, 0, kAddressEnd - 1);
}

MaybeProblem Check(const IndexInfo& info) {
  if (auto p = NullToken("token", info.token)) return p;
  return NotPowerOfTwo("table_size", info.table_size, 1, kMostTable);
}

MaybeProblem Check(const LogInfo& info) {
  if (auto p = NullToken("token", info.token)) return p;
  if (auto p = BadAddress("final_address", info.final_address)) return p;
  if (auto p = Misordered("final_address", "begin_address", info.begin, info.final_address)) return p;
  if (auto p = OutOfRange("session_states", info.sessions.size(), 0, kMostSessions)) return p;
  for (size_t i = 0; i < info.sessions.size(); ++i) {
    const SessionCommit& session = info.sessions[i];
    if (session.session.IsNull())
      return Problem{"session_states", "guids that are not null", session.session.Text()};
    if (i != 0 && info.sessions[i - 1].session == session.session)
      return Problem{"session_states", "each session once", session.session.Text()};
    if (auto p = OutOfRange("serial_num", session.serial, 0, ~uint64_t{0} - 1)) return p;
  }
  if (!info.incremental) return std::nullopt;
  if (auto p = NullToken("prev_snapshot_token", info.base)) return p;
  if (info.base == info.token) return Problem{"prev_snapshot_token", "another checkpoint", info.base.Text()};
  if (!info.snapshot) return Problem{"use_snapshot_file", "true in an incremental checkpoint", "false"};
  return Misordered("final_address", "start_logical_address", info.start, info.final_address);
}

MaybeProblem Check(const DeltaInfo& info) {
  if (auto p = NullToken("token", info.token)) return p;
  if (auto p = NullToken("base_snapshot_token", info.base)) return p;
  if (auto p = BadAddress("current_final_address", info.final_address)) return p;
  return Misordered("current_final_address", "prev_snapshot_final_address", info.previous_final,
                    info.final_address);
}

void Take(const Json& object, MaybeProblem* problem, IndexInfo* info) {
  Fields f(object, problem);
  info->token = f.Id("token");
  info->table_size = f.Number("table_size");
  info->used_buckets = f.Number("num_buckets");
  info->entries = f.Number("num_entries");
}

void TakeSessions(const Json& object, MaybeProblem* problem, LogInfo* info) {
  Fields f(object, problem);
  const Json* const sessions = Has(object, "session_states") ? f.Array("session_states") : nullptr;
  for (size_t i = 0; sessions != nullptr && i < sessions->size() && !problem->has_value(); ++i) {
    Fields s((*sessions)[i], problem);
    const Guid guid = s.Id("guid");
    info->sessions.push_back({guid, s.Number("serial_num")});
  }
  std::sort(info->sessions.begin(), info->sessions.end(),
            [](const SessionCommit& a, const SessionCommit& b) { return a.session < b.session; });
  const uint64_t threads = Has(object, "num_threads") ? f.Number("num_threads", kMostVersion) : 0;
  if (!problem->has_value() && threads != info->sessions.size())
    *problem = Problem{"num_threads", std::to_string(info->sessions.size()) + ", as there are session_states",
                       std::to_string(threads)};
}

void Take(const Json& object, MaybeProblem* problem, LogInfo* info) {
  Fields f(object, problem);
  info->token = f.Id("token");
  if (Has(object, "use_snapshot_file")) info->snapshot = f.Bool("use_snapshot_file");
  info->version = f.Number32("version");
  info->begin = f.Number("begin_address");
  info->final_address = f.Number("final_address");
  info->flushed = f.Number("flushed_until_address");
  info->object_log = f.Bool("use_object_log");
  if (Has(object, "is_incremental")) info->incremental = f.Bool("is_incremental");
  if (info->incremental) {
    info->base = f.Id("prev_snapshot_token");
    if (Has(object, "start_logical_address")) info->start = f.Number("start_logical_address");
  }
  TakeSessions(object, problem, info);
}

void Take(const Json& object, MaybeProblem* problem, DeltaInfo* info) {
  Fields f(object, problem);
  info->token = f.Id("token");
  info->base = f.Id("base_snapshot_token");
  info->version = f.Number32("version");
  info->tail = f.Number("delta_tail_address", (uint64_t{1} << 63) - 1);
  info->previous_final = f.Number("prev_snapshot_final_address");
  info->final_address = f.Number("current_final_address");
  info->entries = f.Number("num_entries");
}

template <typename Info>
Status ParseInfo(std::string_view text, std::string_view file, Info* info, Diagnosis* why) {
  return ReadJson(text, file, why, [&] {
    const Json object = Json::parse(text.begin(), text.end());
    Info result;
    MaybeProblem problem;
    Take(object, &problem, &result);
    if (!problem) problem = Check(result);
    if (problem) return Blame(*problem, text, file, why);
    *info = std::move(result);
    return Status::kOk;
  });
}

}  // namespace

Status Parse(std::string_view text, std::string_view file, IndexInfo* info, Diagnosis* why) {
  return ParseInfo(text, file, info, why);
}
Status Parse(std::string_view text, std::string_view file, LogInfo* info, Diagnosis* why) {
  return ParseInfo(text, file, info, why);
}
Status Parse(std::string_view text, std::string_view file, DeltaInfo* info, Diagnosis* why) {
  return ParseInfo(text, file, info, why);
}

std::string Format(const IndexInfo& info) {
  return Json{{"token", info.token.Text()},
              {"version", 0},  // of their two tables, the one in use
              {"table_size", info.table_size},
              {"num_ht_bytes", info.table_size * kEntries * 8},
              {"num_ofb_bytes", 0},
              {"num_buckets", info.used_buckets},
              {"num_entries", info.entries},
              {"log_begin_address", 0},
              {"checkpoint_start_address", 0}}
      .dump(2);
}

std::string Format(const LogInfo& info) {
  Json sessions = Json::array();
  for (const SessionCommit& s : info.sessions)
    sessions.push_back(Json{{"guid", s.session.Text()}, {"serial_num", s.serial}});
  return Json{{"token", info.token.Text()},
              {"use_snapshot_file", info.snapshot},
              {"version", info.version},
              {"num_threads", info.sessions.size()},
              {"begin_address", info.begin},
              {"final_address", info.final_address},
              {"flushed_until_address", info.flushed},
              {"use_object_log", false},
              {"session_states", std::move(sessions)},
              {"delta_tail_address", -1},
              {"prev_snapshot_token", nullptr},
              {"is_incremental", false},
              {"snapshot_final_address", 0},
              {"start_logical_address", 0},
              {"head_address", 0},
              {"next_version", 0},
              {"snapshot_start_flushed_address", 0}}
      .dump(2);
}

}  // namespace faster::oxifaster
