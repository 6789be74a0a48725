// The texts of delta.meta and incremental.info.
#include <set>

#include "faster/cpr/metadata_fields.h"

namespace faster {
namespace {

constexpr uint64_t kMaxDeltas = 1 << 16;

}  // namespace

static MaybeProblem Check(const DeltaMetadata& m) {
  if (m.token.IsNull()) return Problem{"token", "a token that is not null", m.token.Text()};
  if (m.base.IsNull() || m.base == m.token)
    return Problem{"base_snapshot_token", "another checkpoint", m.base.Text()};
  if (m.previous.IsNull() || m.previous == m.token)
    return Problem{"previous_token", "another checkpoint", m.previous.Text()};
  if (auto p = OutOfRange("version", m.version, 0, kMaxVersion)) return p;
  if (auto p = OutOfRange("delta_tail_address", m.bytes, 1, kMaxVersion)) return p;
  return Misordered("current_final_address", "prev_snapshot_final_address", m.previous_final,
                    m.final_address);
}

static MaybeProblem Check(const DeltaChain& m) {
  if (m.base.IsNull()) return Problem{"base_snapshot_token", "a token that is not null", m.base.Text()};
  if (auto p = OutOfRange("incremental_tokens", m.deltas.size(), 1, kMaxDeltas)) return p;
  std::set<Token> seen = {m.base};
  for (const Token& token : m.deltas) {
    if (!token.IsNull() && seen.insert(token).second) continue;
    return Problem{"incremental_tokens", "tokens that are not null, each once", token.Text()};
  }
  return std::nullopt;
}

static void Take(const Json& object, MaybeProblem* problem, DeltaMetadata* m) {
  Fields f(object, problem);
  m->token = f.Id("token");
  m->base = f.Id("base_snapshot_token");
  m->previous = f.Id("previous_token");
  m->version = f.Number("version", kMaxVersion);
  m->bytes = f.Number("delta_tail_address");
  m->previous_final = f.Number("prev_snapshot_final_address");
  m->final_address = f.Number("current_final_address");
  m->entries = f.Number("num_entries");
  m->header_checksum = f.Hex("header_checksum");
  m->unknown = Unknown(
      object, {"token", "base_snapshot_token", "previous_token", "version", "delta_tail_address",
               "prev_snapshot_final_address", "current_final_address", "num_entries", "header_checksum"});
}

static void Take(const Json& object, MaybeProblem* problem, DeltaChain* m) {
  Fields f(object, problem);
  m->base = f.Id("base_snapshot_token");
  if (const Json* tokens = f.Array("incremental_tokens")) {
    for (const Json& token : *tokens) {
      const Json wrapped = {{"incremental_tokens", token}};
      m->deltas.push_back(Fields(wrapped, problem).Id("incremental_tokens"));
    }
  }
  m->total_entries = f.Number("total_delta_entries");
  const bool complete = f.Bool("is_complete");
  if (!complete && !problem->has_value()) *problem = Problem{"is_complete", "true", "false"};
  m->unknown =
      Unknown(object, {"base_snapshot_token", "incremental_tokens", "total_delta_entries", "is_complete"});
}

Status ValidateMetadata(const DeltaMetadata& metadata, Diagnosis* why) { return Validate(metadata, why); }
Status ValidateMetadata(const DeltaChain& metadata, Diagnosis* why) { return Validate(metadata, why); }

std::string FormatMetadata(const DeltaMetadata& m) {
  Json json{{"format_version", kFormatVersion},
            {"token", m.token.Text()},
            {"base_snapshot_token", m.base.Text()},
            {"previous_token", m.previous.Text()},
            {"version", m.version},
            {"delta_tail_address", m.bytes},
            {"prev_snapshot_final_address", m.previous_final},
            {"current_final_address", m.final_address},
            {"num_entries", m.entries},
            {"header_checksum", HexWord(m.header_checksum)}};
  AddUnknown(m.unknown, &json);
  return Seal(json);
}

std::string FormatMetadata(const DeltaChain& m) {
  Json tokens = Json::array();
  for (const Token& token : m.deltas) tokens.push_back(token.Text());
  Json json{{"format_version", kFormatVersion},
            {"base_snapshot_token", m.base.Text()},
            {"incremental_tokens", std::move(tokens)},
            {"total_delta_entries", m.total_entries},
            {"is_complete", true}};
  AddUnknown(m.unknown, &json);
  return Seal(json);
}

Status ParseMetadata(std::string_view text, std::string_view file, DeltaMetadata* metadata, Diagnosis* why) {
  return Parse(text, file, metadata, why);
}
Status ParseMetadata(std::string_view text, std::string_view file, DeltaChain* metadata, Diagnosis* why) {
  return Parse(text, file, metadata, why);
}

}  // namespace faster
