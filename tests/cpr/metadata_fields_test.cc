// Fields of the metadata texts one by one: those that may be missing and what they are then, those that may
// not, those that repeat others, and those that we do not know.
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/cpr/samples.h"

namespace faster {
namespace {

using OrderedJson = nlohmann::ordered_json;

// The text of `metadata` after `change`, with a checksum that fits: what another writer could leave.
template <class Metadata>
std::string Rewritten(const Metadata& metadata, const std::function<void(OrderedJson*)>& change) {
  OrderedJson json = OrderedJson::parse(FormatMetadata(metadata));
  json.erase("checksum");
  change(&json);
  std::string text = json.dump(2);
  text.resize(text.size() - 2);
  return text + ",\n  \"checksum\": \"" + HexWord(Checksum(text.data(), text.size())) + "\"\n}\n";
}

PairMetadata SamplePair() {
  PairMetadata m;
  m.token = SampleToken(7);
  m.index = SampleToken(8);
  m.chunks = 4;
  m.chunk_entries = 32;
  m.page_bits = 12;
  m.block_bytes = 512;
  m.segment_pages = 4;
  m.begin_address = 64;
  m.final_address = 2048;
  m.generations = {{0, MakeGeneration(1, 0xabc), 0}};
  return m;
}

template <class Metadata>
void ExpectUnknownMembersAreKept(const Metadata& metadata) {
  const std::string text = Rewritten(metadata, [](OrderedJson* json) {
    (*json)["timestamp"] = 1700000000;
    (*json)["tool"] = {{"name", "x"}, {"list", {1, 2}}};
  });
  Metadata read;
  Diagnosis why;
  ASSERT_EQ(ParseMetadata(text, "f", &read, &why), Status::kOk) << why.Text();
  EXPECT_EQ(FormatMetadata(read), text);
  read.unknown.clear();
  EXPECT_EQ(FormatMetadata(read), FormatMetadata(metadata));
}

TEST(UnknownMembers, OfIndexMetaAreKept) { ExpectUnknownMembersAreKept(SampleIndex()); }
TEST(UnknownMembers, OfLogMetaAreKept) { ExpectUnknownMembersAreKept(SampleLog()); }
TEST(UnknownMembers, OfPairMetaAreKept) { ExpectUnknownMembersAreKept(SamplePair()); }

TEST(UnknownMembers, TakeNoFieldsPlace) {
  LogMetadata log = SampleLog();
  log.unknown = R"({"version":9,"more":1})";
  LogMetadata read;
  Diagnosis why;
  ASSERT_EQ(ParseMetadata(FormatMetadata(log), "f", &read, &why), Status::kOk) << why.Text();
  EXPECT_EQ(read.version, log.version);
  EXPECT_EQ(read.unknown, R"({"more":1})");
}

template <class Metadata>
void ExpectDefault(const Metadata& metadata, const std::string& field,
                   const std::function<void(Metadata*)>& defaulted) {
  Metadata expected = metadata, read;
  defaulted(&expected);
  const auto drop = [&](OrderedJson* json) { ASSERT_EQ(json->erase(field), 1u) << field; };
  Diagnosis why;
  ASSERT_EQ(ParseMetadata(Rewritten(metadata, drop), "f", &read, &why), Status::kOk) << why.Text();
  EXPECT_TRUE(Same(read, expected)) << field;
}

TEST(MissingFields, OfIndexMetaHaveDefaults) {
  using M = IndexMetadata;
  ExpectDefault<M>(SampleIndex(), "version", [](M* m) { m->version = 0; });
  ExpectDefault<M>(SampleIndex(), "log_begin_address", [](M* m) { m->begin_address = 0; });
  ExpectDefault<M>(SampleIndex(), "checkpoint_start_address", [](M* m) { m->checkpoint_start = 64; });
  ExpectDefault<M>(SampleIndex(), "num_ht_bytes", [](M*) {});
  ExpectDefault<M>(SampleIndex(), "num_ofb_bytes", [](M*) {});
}

TEST(MissingFields, OfLogMetaHaveDefaults) {
  using M = LogMetadata;
  for (const char* derived : {"next_version", "num_threads", "use_object_log"})
    ExpectDefault<M>(SampleLog(), derived, [](M*) {});
  ExpectDefault<M>(SampleLog(), "use_snapshot_file", [](M* m) { m->use_snapshot_file = false; });
  ExpectDefault<M>(SampleLog(), "head_address", [](M* m) { m->head_address = 0; });
  LogMetadata alone = SampleLog();
  alone.sessions.clear();
  ExpectDefault<M>(alone, "session_states", [](M*) {});
}

// A list that is gone does not pass for an empty one where another field says how long it was.
TEST(MissingFields, SessionsThatWereCountedAreMissed) {
  LogMetadata read;
  Diagnosis why;
  const std::string text = Rewritten(SampleLog(), [](OrderedJson* json) { json->erase("session_states"); });
  EXPECT_EQ(ParseMetadata(text, "f", &read, &why), Status::kCorruption);
  EXPECT_NE(why.expected.find("num_threads"), std::string::npos) << why.Text();
}

// Every field of the text but those with a default is asked for by name.
template <class Metadata>
void ExpectRequired(const Metadata& metadata, const std::set<std::string>& optional, size_t required) {
  size_t named = 0;
  const OrderedJson whole = OrderedJson::parse(FormatMetadata(metadata));
  for (const auto& [name, value] : whole.items()) {
    if (name == "checksum" || optional.contains(name)) continue;
    const std::string text = Rewritten(metadata, [field = name](OrderedJson* json) { json->erase(field); });
    Metadata read;
    Diagnosis why;
    EXPECT_EQ(ParseMetadata(text, "f", &read, &why), Status::kCorruption) << name;
    EXPECT_EQ(why.expected, name + " to be a field of this name") << name;
    EXPECT_TRUE(Same(read, Metadata())) << name;
    ++named;
  }
  EXPECT_EQ(named, required);
}

TEST(MissingFields, WithoutADefaultAreNamed) {
  ExpectRequired(
      SampleIndex(),
      {"version", "log_begin_address", "checkpoint_start_address", "num_ht_bytes", "num_ofb_bytes"}, 9);
  ExpectRequired(SampleLog(),
                 {"next_version", "num_threads", "use_object_log", "use_snapshot_file", "head_address",
                  "session_states"},
                 16);
}

void ExpectContradiction(const char* field, const OrderedJson& value) {
  LogMetadata read;
  Diagnosis why;
  const std::string text = Rewritten(SampleLog(), [&](OrderedJson* json) { (*json)[field] = value; });
  EXPECT_EQ(ParseMetadata(text, "f", &read, &why), Status::kCorruption) << field;
  EXPECT_EQ(why.expected.substr(0, std::string(field).size()), field) << why.Text();
}

TEST(DerivedFields, MustNotContradictOthers) {
  ExpectContradiction("next_version", 5);
  ExpectContradiction("num_threads", 2);
  ExpectContradiction("use_object_log", true);
  ExpectContradiction("use_object_log", 0);
  ExpectContradiction("record_layout", "wide");
  IndexMetadata read;
  Diagnosis why;
  const std::string text = Rewritten(SampleIndex(), [](OrderedJson* json) { (*json)["num_ht_bytes"] = 64; });
  EXPECT_EQ(ParseMetadata(text, "f", &read, &why), Status::kCorruption);
  EXPECT_EQ(why.expected, "num_ht_bytes to be 128");
}

}  // namespace
}  // namespace faster
