#include <cstdio>

#include "faster/cpr/metadata_fields.h"

namespace faster {

static MaybeProblem Check(const IndexMetadata& m) {
  if (m.token.IsNull()) return Problem{"token", "a token that is not null", m.token.Text()};
  if (auto p = OutOfRange("version", m.version, 0, kMaxVersion)) return p;
  if (auto p = NotPowerOfTwo("table_size", m.table_size, 1, kMaxBuckets)) return p;
  if (auto p = OutOfRange("num_buckets", m.overflow_buckets, 0, kMaxBuckets)) return p;
  if (auto p = OutOfRange("num_entries", m.entries, 0, 7 * (m.table_size + m.overflow_buckets))) return p;
  if (auto p =
          Misordered("checkpoint_start_address", "log_begin_address", m.begin_address, m.checkpoint_start))
    return p;
  if (auto p = Misordered("checkpoint_final_address", "checkpoint_start_address", m.checkpoint_start,
                          m.checkpoint_final))
    return p;
  if (m.generation == 0) return Problem{"generation", "a generation that is not 0", "0"};
  return std::nullopt;
}

static MaybeProblem CheckGeometry(const LogMetadata& m) {
  if (auto p = OutOfRange("version_bits", m.version_bits, 1, 32)) return p;
  if (auto p = OutOfRange("page_bits", m.page_bits, 9, 40)) return p;
  const uint64_t page = 1ull << m.page_bits;
  if (auto p = NotPowerOfTwo("block_bytes", m.block_bytes, 64, page)) return p;
  if (auto p = OutOfRange("segment_pages", m.segment_pages, 1, kAddressLimit >> m.page_bits)) return p;
  // Records of variable length have no sizes to tell.
  const uint64_t least = m.variable_records ? 0 : 1, most = m.variable_records ? 0 : page;
  if (auto p = OutOfRange("key_bytes", m.key_bytes, least, most)) return p;
  if (auto p = OutOfRange("value_bytes", m.value_bytes, least, most)) return p;
  return NotPowerOfTwo("table_size", m.table_size, 1, kMaxBuckets);
}

static MaybeProblem CheckAddresses(const LogMetadata& m) {
  if (auto p = Misordered("start_logical_address", "begin_address", m.begin_address, m.start_address))
    return p;
  if (auto p = Misordered("final_address", "start_logical_address", m.start_address, m.final_address))
    return p;
  if (m.final_address % m.block_bytes != 0)
    return Problem{"final_address", "a multiple of block_bytes " + std::to_string(m.block_bytes),
                   std::to_string(m.final_address)};
  if (auto p = OutOfRange("head_address", m.head_address, 0, kAddressLimit - 1)) return p;
  // The snapshot file holds the blocks of [flushed_until, final); a fold-over checkpoint has flushed to its
  // end.
  if (!m.use_snapshot_file)
    return OutOfRange("flushed_until_address", m.flushed_until, m.final_address, kAddressLimit - 1);
  if (m.flushed_until % m.block_bytes != 0)
    return Problem{"flushed_until_address", "a multiple of block_bytes " + std::to_string(m.block_bytes),
                   std::to_string(m.flushed_until)};
  return OutOfRange("flushed_until_address", m.flushed_until, 0, m.final_address);
}

static MaybeProblem CheckLists(const LogMetadata& m) {
  for (size_t i = 0; i < m.sessions.size(); ++i) {
    const SessionCommit& s = m.sessions[i];
    if (s.session.IsNull())
      return Problem{"session_states", "session ids that are not null", s.session.Text()};
    if (i != 0 && !(m.sessions[i - 1].session < s.session))
      return Problem{"session_states", "sessions in ascending order, each once",
                     s.session.Text() + " after " + m.sessions[i - 1].session.Text()};
    if (auto p = OutOfRange("session_states", s.serial, 0, ~0ull - 1)) return p;
    for (size_t x = 0; x < s.excluded.size(); ++x) {
      if (s.excluded[x] <= (x == 0 ? 0 : s.excluded[x - 1]) || s.excluded[x] > s.serial)
        return Problem{"excluded_serials",
                       "ascending serials from 1 to serial_num " + std::to_string(s.serial),
                       std::to_string(s.excluded[x])};
    }
  }
  for (const DeadRange& d : m.dead_ranges) {
    if (d.from > d.to || d.to > m.final_address)
      return Problem{"dead_ranges", "ranges in order that end by final_address",
                     "[" + std::to_string(d.from) + ", " + std::to_string(d.to) + ")"};
  }
  if (m.generations.empty()) return Problem{"generations", "at least one generation", "none"};
  if (auto p = OutOfRange("generations", m.generations.front().from, 0, m.begin_address)) return p;
  for (size_t i = 0; i < m.generations.size(); ++i) {
    const Generation& g = m.generations[i];
    if (g.generation == 0) return Problem{"generations", "generations that are not 0", "0"};
    if (auto p = OutOfRange("generations", g.from, i == 0 ? 0 : m.generations[i - 1].from, m.final_address))
      return p;
    if (g.until != 0)
      if (auto p = OutOfRange("generations", g.until, g.from, m.final_address)) return p;
    if (i != 0 && GenerationOrdinal(g.generation) <= GenerationOrdinal(m.generations[i - 1].generation))
      return Problem{"generations", "generations of ascending ordinal, each once",
                     HexWord(g.generation) + " after " + HexWord(m.generations[i - 1].generation)};
  }
  return std::nullopt;
}

static MaybeProblem CheckIncremental(const LogMetadata& m) {
  if (!m.is_incremental) return std::nullopt;
  if (!m.use_snapshot_file)
    return Problem{"is_incremental", "false with a log that is all in the main log", "true"};
  if (m.previous.IsNull() || m.previous == m.token)
    return Problem{"prev_snapshot_token", "another checkpoint", m.previous.Text()};
  return OutOfRange("delta_tail_address", m.delta_bytes, 1, kMaxVersion);
}

static MaybeProblem Check(const LogMetadata& m) {
  if (m.token.IsNull()) return Problem{"token", "a token that is not null", m.token.Text()};
  if (auto p = OutOfRange("version", m.version, 0, kMaxVersion)) return p;
  if (auto p = CheckGeometry(m)) return p;
  if (auto p = CheckAddresses(m)) return p;
  if (auto p = CheckIncremental(m)) return p;
  return CheckLists(m);
}

static void Take(const Json& object, MaybeProblem* problem, IndexMetadata* m) {
  Fields f(object, problem);
  m->token = f.Id("token");
  m->version = f.NumberOr("version", 0);
  m->table_size = f.Number("table_size");
  m->overflow_buckets = f.Number("num_buckets");
  m->entries = f.Number("num_entries");
  m->begin_address = f.NumberOr("log_begin_address", 0);
  m->checkpoint_start = f.NumberOr("checkpoint_start_address", m->begin_address);  // replays all
  m->checkpoint_final = f.Number("checkpoint_final_address");
  m->generation = f.Number("generation");
  m->data_bytes = f.Number("data_bytes");
  m->data_checksum = f.Hex("data_checksum");
  f.Derived("num_ht_bytes", m->table_size * 64);
  f.Derived("num_ofb_bytes", m->overflow_buckets * 64);
  m->unknown = Unknown(object, {"token", "version", "table_size", "num_ht_bytes", "num_ofb_bytes",
                                "num_buckets", "num_entries", "log_begin_address", "checkpoint_start_address",
                                "checkpoint_final_address", "generation", "data_bytes", "data_checksum"});
}

static void TakeLists(Fields& f, MaybeProblem* problem, LogMetadata* m) {
  const Json* sessions = f.Has("session_states") ? f.Array("session_states") : nullptr;
  if (sessions != nullptr) {
    m->sessions.reserve(sessions->size());
    for (const Json& element : *sessions) {
      Fields s(element, problem);
      const Guid id = s.Id("guid");
      SessionCommit& session = m->sessions.emplace_back(SessionCommit{id, s.Number("serial_num")});
      if (!element.is_object() || !element.contains("excluded_serials")) continue;
      const Json* excluded = s.Array("excluded_serials");
      for (size_t i = 0; excluded != nullptr && i < excluded->size(); ++i) {
        session.excluded.push_back(s.Element("excluded_serials", (*excluded)[i]));
      }
    }
  }
  if (const Json* ranges = f.Array("dead_ranges")) {
    m->dead_ranges.reserve(ranges->size());
    for (const Json& element : *ranges) {
      Fields r(element, problem);
      const LogAddress from = r.Number("from");
      const LogAddress to = r.Number("to");
      m->dead_ranges.push_back({from, to, r.Number32("version")});
    }
  }
  if (const Json* generations = f.Array("generations")) {
    m->generations.reserve(generations->size());
    for (const Json& element : *generations) {
      Fields g(element, problem);
      const LogAddress from = g.Number("from");
      const uint64_t generation = g.Number("generation");
      m->generations.push_back({from, generation, g.Number("until")});
    }
  }
}

static void Take(const Json& object, MaybeProblem* problem, LogMetadata* m) {
  Fields f(object, problem);
  m->token = f.Id("token");
  m->use_snapshot_file = f.BoolOr("use_snapshot_file", false);
  m->version = f.Number("version", kMaxVersion);
  m->version_bits = f.Number32("version_bits");
  m->page_bits = f.Number32("page_bits");
  m->block_bytes = f.Number32("block_bytes");
  m->segment_pages = f.Number32("segment_pages");
  m->variable_records = f.Layout("record_layout");
  m->key_bytes = f.Number32("key_bytes");
  m->value_bytes = f.Number32("value_bytes");
  m->table_size = f.Number("table_size");
  m->begin_address = f.Number("begin_address");
  m->start_address = f.Number("start_logical_address");
  m->final_address = f.Number("final_address");
  m->flushed_until = f.Number("flushed_until_address");
  m->head_address = f.NumberOr("head_address", 0);
  m->is_incremental = f.BoolOr("is_incremental", false);
  if (m->is_incremental) {
    m->previous = f.Id("prev_snapshot_token");
    m->delta_bytes = f.Number("delta_tail_address", kMaxVersion);
  }
  TakeLists(f, problem, m);
  f.Derived("next_version", m->version + 1);
  f.Derived("num_threads", m->sessions.size());
  if (!problem->has_value() && f.BoolOr("use_object_log", false))
    *problem = Problem{"use_object_log", "false", "true"};
  m->unknown = Unknown(object, {"token",
                                "use_snapshot_file",
                                "version",
                                "next_version",
                                "num_threads",
                                "begin_address",
                                "start_logical_address",
                                "final_address",
                                "flushed_until_address",
                                "head_address",
                                "use_object_log",
                                "version_bits",
                                "page_bits",
                                "block_bytes",
                                "segment_pages",
                                "key_bytes",
                                "value_bytes",
                                "table_size",
                                "session_states",
                                "dead_ranges",
                                "generations",
                                "record_layout",
                                "is_incremental",
                                "prev_snapshot_token",
                                "delta_tail_address"});
}

std::string HexWord(uint64_t word) {
  char digits[kDigits + 1];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(word));
  return digits;
}

Status ValidateMetadata(const IndexMetadata& metadata, Diagnosis* why) { return Validate(metadata, why); }
Status ValidateMetadata(const LogMetadata& metadata, Diagnosis* why) { return Validate(metadata, why); }

std::string FormatMetadata(const IndexMetadata& m) {
  Json json{{"format_version", kFormatVersion},
            {"token", m.token.Text()},
            {"version", m.version},
            {"table_size", m.table_size},
            {"num_ht_bytes", m.table_size * 64},
            {"num_ofb_bytes", m.overflow_buckets * 64},
            {"num_buckets", m.overflow_buckets},
            {"num_entries", m.entries},
            {"log_begin_address", m.begin_address},
            {"checkpoint_start_address", m.checkpoint_start},
            {"checkpoint_final_address", m.checkpoint_final},
            {"generation", m.generation},
            {"data_bytes", m.data_bytes},
            {"data_checksum", HexWord(m.data_checksum)}};
  AddUnknown(m.unknown, &json);
  return Seal(json);
}

std::string FormatMetadata(const LogMetadata& m) {
  Json sessions = Json::array();
  for (const SessionCommit& s : m.sessions) {
    Json& session = sessions.emplace_back(Json{{"guid", s.session.Text()}, {"serial_num", s.serial}});
    if (!s.excluded.empty()) session["excluded_serials"] = s.excluded;
  }
  Json dead_ranges = Json::array();
  for (const DeadRange& d : m.dead_ranges)
    dead_ranges.push_back(Json{{"from", d.from}, {"to", d.to}, {"version", d.version}});
  Json generations = Json::array();
  for (const Generation& g : m.generations)
    generations.push_back(Json{{"from", g.from}, {"generation", g.generation}, {"until", g.until}});
  Json json{{"format_version", kFormatVersion},
            {"token", m.token.Text()},
            {"use_snapshot_file", m.use_snapshot_file},
            {"version", m.version},
            {"next_version", m.version + 1},
            {"num_threads", m.sessions.size()},
            {"begin_address", m.begin_address},
            {"start_logical_address", m.start_address},
            {"final_address", m.final_address},
            {"flushed_until_address", m.flushed_until},
            {"head_address", m.head_address},
            {"use_object_log", false},
            {"version_bits", m.version_bits},
            {"page_bits", m.page_bits},
            {"block_bytes", m.block_bytes},
            {"segment_pages", m.segment_pages},
            {"key_bytes", m.key_bytes},
            {"value_bytes", m.value_bytes},
            {"table_size", m.table_size},
            {"session_states", std::move(sessions)},
            {"dead_ranges", std::move(dead_ranges)},
            {"generations", std::move(generations)}};
  if (m.variable_records) json["record_layout"] = "variable";
  if (m.is_incremental) {
    json["is_incremental"] = true;
    json["prev_snapshot_token"] = m.previous.Text();
    json["delta_tail_address"] = m.delta_bytes;
  }
  AddUnknown(m.unknown, &json);
  return Seal(json);
}

Status ParseMetadata(std::string_view text, std::string_view file, IndexMetadata* metadata, Diagnosis* why) {
  return Parse(text, file, metadata, why);
}
Status ParseMetadata(std::string_view text, std::string_view file, LogMetadata* metadata, Diagnosis* why) {
  return Parse(text, file, metadata, why);
}

}  // namespace faster
