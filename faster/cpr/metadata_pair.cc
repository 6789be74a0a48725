// The text of pair.meta.
#include "faster/cpr/metadata_fields.h"

namespace faster {

static MaybeProblem Check(const PairMetadata& m) {
  if (m.token.IsNull()) return Problem{"token", "a token that is not null", m.token.Text()};
  if (m.index.IsNull()) return Problem{"index_token", "a token that is not null", m.index.Text()};
  if (auto p = NotPowerOfTwo("chunks", m.chunks, 1, kMaxBuckets)) return p;
  if (auto p = NotPowerOfTwo("chunk_entries", m.chunk_entries, 1, 1 << 14)) return p;
  if (auto p = OutOfRange("page_bits", m.page_bits, 9, 40)) return p;
  if (auto p = NotPowerOfTwo("block_bytes", m.block_bytes, 64, 1ull << m.page_bits)) return p;
  if (auto p = OutOfRange("segment_pages", m.segment_pages, 1, kAddressLimit >> m.page_bits)) return p;
  if (auto p = Misordered("final_address", "begin_address", m.begin_address, m.final_address)) return p;
  if (m.final_address % m.block_bytes != 0)
    return Problem{"final_address", "a multiple of block_bytes " + std::to_string(m.block_bytes),
                   std::to_string(m.final_address)};
  if (m.generations.empty()) return Problem{"generations", "at least one generation", "none"};
  if (auto p = OutOfRange("generations", m.generations.front().from, 0, m.begin_address)) return p;
  for (size_t i = 0; i < m.generations.size(); ++i) {
    const Generation& g = m.generations[i];
    if (g.generation == 0) return Problem{"generations", "generations that are not 0", "0"};
    if (auto p = OutOfRange("generations", g.from, i == 0 ? 0 : m.generations[i - 1].from, m.final_address))
      return p;
  }
  return std::nullopt;
}

static void Take(const Json& object, MaybeProblem* problem, PairMetadata* m) {
  Fields f(object, problem);
  m->token = f.Id("token");
  m->index = f.Id("index_token");
  m->chunks = f.Number("chunks");
  m->chunk_entries = f.Number32("chunk_entries");
  m->page_bits = f.Number32("page_bits");
  m->block_bytes = f.Number32("block_bytes");
  m->segment_pages = f.Number32("segment_pages");
  m->begin_address = f.Number("begin_address");
  m->final_address = f.Number("final_address");
  const Json* generations = f.Array("generations");
  for (size_t i = 0; generations != nullptr && i < generations->size() && !problem->has_value(); ++i) {
    Fields g((*generations)[i], problem);
    m->generations.push_back({g.Number("from"), g.Number("generation"), 0});
  }
  m->unknown = Unknown(object, {"token", "index_token", "chunks", "chunk_entries", "page_bits", "block_bytes",
                                "segment_pages", "begin_address", "final_address", "generations"});
}

Status ValidateMetadata(const PairMetadata& metadata, Diagnosis* why) { return Validate(metadata, why); }

std::string FormatMetadata(const PairMetadata& m) {
  Json generations = Json::array();
  for (const Generation& g : m.generations)
    generations.push_back({{"from", g.from}, {"generation", g.generation}});
  Json json{{"format_version", kFormatVersion},     {"token", m.token.Text()},
            {"index_token", m.index.Text()},        {"chunks", m.chunks},
            {"chunk_entries", m.chunk_entries},     {"page_bits", m.page_bits},
            {"block_bytes", m.block_bytes},         {"segment_pages", m.segment_pages},
            {"begin_address", m.begin_address},     {"final_address", m.final_address},
            {"generations", std::move(generations)}};
  AddUnknown(m.unknown, &json);
  return Seal(json);
}

Status ParseMetadata(std::string_view text, std::string_view file, PairMetadata* metadata, Diagnosis* why) {
  return Parse(text, file, metadata, why);
}

}  // namespace faster
