#include "faults/oracle/history_json.h"

#include <array>
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

namespace faults {
namespace {

using faster::SessionCommit;
using nlohmann::json;
using State = std::vector<std::pair<uint64_t, uint64_t>>;

constexpr uint64_t kFormat = 1;
constexpr size_t kLongestFound = 60;  // bytes of a wrong line that an error shows
constexpr std::array<std::string_view, 6> kTypes = {"read", "upsert", "rmw", "delete", "insert", "truncate"};
constexpr std::array<std::string_view, 4> kOutcomes = {"ok", "fail", "unknown", "error"};
constexpr std::array<std::string_view, 5> kKinds = {"full", "index", "log", "grow", "incremental"};
constexpr std::array<std::string_view, 2> kBackends = {"foldover", "snapshot"};
constexpr uint8_t kStatuses = static_cast<uint8_t>(faster::Status::kTooLarge) + 1;

std::string Hex(uint64_t word) {
  char text[19];
  std::snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(word));
  return text;
}

bool HasOperand(OpType type) {
  return type == OpType::kUpsert || type == OpType::kRmw || type == OpType::kInsert;
}

json StateJson(const State& state) {
  json list = json::array();
  for (const auto& [key, word] : state) list.push_back({key, Hex(word)});
  return list;
}

json CommitsJson(const std::vector<SessionCommit>& commits) {
  json list = json::array();
  for (const SessionCommit& commit : commits) {
    list.push_back({commit.session.Text(), commit.serial});
    if (!commit.excluded.empty()) list.back().push_back(commit.excluded);
  }
  return list;
}

json OperationJson(const Operation& op) {
  json line = {{"event", "operation"},
               {"session", op.session},
               {"incarnation", op.incarnation},
               {"serial", op.serial},
               {"type", kTypes[static_cast<int>(op.type)]},
               {"key", op.key},
               {"outcome", kOutcomes[static_cast<int>(op.outcome)]},
               {"invoked", op.invoked}};
  if (HasOperand(op.type)) line["operand"] = Hex(op.operand);
  if (op.type == OpType::kTruncate) line["mark"] = op.mark;
  if (op.result != 0) line["result"] = Hex(op.result);
  if (op.responded != kNever) line["responded"] = op.responded;
  if (op.went_pending) line["pending"] = true;
  if (op.phase >= 0) line["phase"] = op.phase;
  return line;
}

json CheckpointJson(const CheckpointEvent& event) {
  json line = {{"event", "checkpoint"},
               {"incarnation", event.incarnation},
               {"token", event.token.Text()},
               {"kind", kKinds[static_cast<int>(event.kind)]},
               {"backend", kBackends[static_cast<int>(event.backend)]},
               {"requested", event.requested},
               {"reported", CommitsJson(event.reported)}};
  if (event.callback != kNever) {
    line["callback"] = event.callback;
    line["status"] = faster::StatusName(event.status);
  }
  return line;
}

json RecoveryJson(const Recovery& recovery) {
  json line = {{"event", "recovery"},
               {"incarnation", recovery.incarnation},
               {"status", faster::StatusName(recovery.status)},
               {"commits", CommitsJson(recovery.commits)},
               {"state", StateJson(recovery.state)},
               {"time", recovery.time}};
  if (recovery.named) line["requested"] = recovery.requested.Text();
  if (!recovery.log_token.IsNull()) line["token"] = recovery.log_token.Text();
  if (!recovery.why.empty()) line["why"] = recovery.why;
  if (recovery.has_scan) line["scanned"] = StateJson(recovery.scanned);
  return line;
}

// Reads the fields of one line; remembers the first thing that is wrong.
class LineReader {
 public:
  LineReader(const json& line, HistoryError* error) : line_(line), error_(error) {}

  bool ok() const { return ok_; }
  bool Has(const char* field) const { return line_.contains(field); }

  // Every field must be one of these.
  void Only(std::initializer_list<std::string_view> fields) {
    for (const auto& item : line_.items()) {
      bool known = item.key() == "event";
      for (std::string_view field : fields) known |= item.key() == field;
      if (!known) Wrong("no field \"" + item.key() + "\" in this event", std::string());
    }
  }
  uint64_t Number(const char* field, uint64_t most = std::numeric_limits<uint64_t>::max() - 1) {
    const json* value = Get(field);
    if (value == nullptr) return 0;
    if (!value->is_number_unsigned() || value->get<uint64_t>() > most) {
      Wrong(std::string(field) + ": an integer from 0 to " + std::to_string(most), *value);
      return 0;
    }
    return value->get<uint64_t>();
  }
  bool Flag(const char* field) {
    const json* value = Get(field);
    if (value != nullptr && !value->is_boolean()) Wrong(std::string(field) + ": true or false", *value);
    return value != nullptr && value->is_boolean() && value->get<bool>();
  }
  std::string Text(const char* field) {
    const json* value = Get(field);
    if (value != nullptr && !value->is_string()) Wrong(std::string(field) + ": a string", *value);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
  }
  template <size_t N>
  uint8_t Choice(const char* field, const std::array<std::string_view, N>& names) {
    const std::string text = Text(field);
    for (size_t i = 0; ok_ && i < N; ++i)
      if (names[i] == text) return static_cast<uint8_t>(i);
    std::string expected = std::string(field) + ": one of";
    for (std::string_view name : names) expected += " " + std::string(name);
    Wrong(expected, text);
    return 0;
  }
  faster::Status Status(const char* field) {
    const std::string text = Text(field);
    for (uint8_t i = 0; ok_ && i < kStatuses; ++i)
      if (faster::StatusName(static_cast<faster::Status>(i)) == text) return static_cast<faster::Status>(i);
    Wrong(std::string(field) + ": the name of a status", text);
    return faster::Status::kOk;
  }
  faster::Guid Guid(const char* field) {
    faster::Guid guid;
    const std::string text = Text(field);
    if (ok_ && !faster::Guid::Parse(text, &guid))
      Wrong(std::string(field) + ": an identity 8-4-4-4-12", text);
    return guid;
  }
  uint64_t Word(const char* field) {
    const json* value = Get(field);
    uint64_t word = 0;
    if (value != nullptr && !ParseWord(*value, &word))
      Wrong(std::string(field) + ": a word \"0x...\"", *value);
    return word;
  }
  State Pairs(const char* field) {
    State state;
    const json* list = List(field);
    for (size_t i = 0; list != nullptr && ok_ && i < list->size(); ++i) {
      const json& item = (*list)[i];
      uint64_t word = 0;
      if (!item.is_array() || item.size() != 2 || !item[0].is_number_unsigned() ||
          !ParseWord(item[1], &word)) {
        Wrong(std::string(field) + ": [key, \"0x...\"]", item);
        break;
      }
      state.emplace_back(item[0].get<uint64_t>(), word);
    }
    return state;
  }
  std::vector<SessionCommit> Commits(const char* field) {
    std::vector<SessionCommit> commits;
    const json* list = List(field);
    for (size_t i = 0; list != nullptr && ok_ && i < list->size(); ++i) {
      const json& item = (*list)[i];
      SessionCommit commit;
      if (!item.is_array() || item.size() < 2 || item.size() > 3 || !item[1].is_number_unsigned() ||
          !item[0].is_string() || !faster::Guid::Parse(item[0].get<std::string>(), &commit.session) ||
          (item.size() == 3 && !ParseSerials(item[2], &commit.excluded))) {
        Wrong(std::string(field) + ": [session identity, serial] or with a third, the excluded serials",
              item);
        break;
      }
      commit.serial = item[1].get<uint64_t>();
      commits.push_back(commit);
    }
    return commits;
  }
  std::vector<uint64_t> Serials(const char* field) {
    std::vector<uint64_t> serials;
    const json* value = Get(field);
    if (value != nullptr && !ParseSerials(*value, &serials))
      Wrong(std::string(field) + ": a list of serials", *value);
    return serials;
  }
  void Wrong(std::string expected, const json& found) {
    std::string text = found.is_string() ? found.get<std::string>()
                                         : found.dump(-1, ' ', false, json::error_handler_t::replace);
    Wrong(std::move(expected), text);
  }
  void Wrong(std::string expected, const std::string& found) {
    if (!ok_) return;
    ok_ = false;
    error_->expected = std::move(expected);
    error_->found = found.substr(0, kLongestFound) + (found.size() > kLongestFound ? "..." : "");
  }

 private:
  const json* Get(const char* field) {
    const auto found = line_.find(field);
    if (found != line_.end()) return &*found;
    Wrong("a field \"" + std::string(field) + "\"", std::string());
    return nullptr;
  }
  const json* List(const char* field) {
    const json* value = Get(field);
    if (value != nullptr && value->is_array()) return value;
    if (value != nullptr) Wrong(std::string(field) + ": a list", *value);
    return nullptr;
  }
  static bool ParseSerials(const json& list, std::vector<uint64_t>* serials) {
    if (!list.is_array()) return false;
    for (const json& serial : list) {
      if (!serial.is_number_unsigned()) return false;
      serials->push_back(serial.get<uint64_t>());
    }
    return true;
  }
  static bool ParseWord(const json& value, uint64_t* word) {
    if (!value.is_string()) return false;
    const std::string& text = value.get_ref<const std::string&>();
    if (text.size() < 3 || text.size() > 18 || text[0] != '0' || text[1] != 'x') return false;
    for (size_t i = 2; i < text.size(); ++i) {
      const char c = text[i];
      const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
      if (digit < 0) return false;
      *word = *word << 4 | static_cast<uint64_t>(digit);
    }
    return true;
  }

  const json& line_;
  HistoryError* error_;
  bool ok_ = true;
};

constexpr uint64_t kMost32 = std::numeric_limits<uint32_t>::max() - 1;

void ReadHeader(LineReader* line, History* history) {
  line->Only({"format", "faults_survivable", "faults_injected", "relaxed", "refresh_every_operation",
              "quiesced", "phases"});
  if (line->Number("format") != kFormat) line->Wrong("format 1", std::string("another"));
  history->faults_survivable = line->Flag("faults_survivable");
  history->faults_injected = line->Flag("faults_injected");
  if (line->Has("relaxed")) history->relaxed = line->Flag("relaxed");
  history->refresh_every_operation = line->Flag("refresh_every_operation");
  history->quiesced = line->Flag("quiesced");
}

void ReadOperation(LineReader* line, History* history) {
  line->Only({"session", "incarnation", "serial", "type", "key", "outcome", "invoked", "operand", "result",
              "responded", "pending", "phase", "mark"});
  Operation op;
  op.session = static_cast<uint32_t>(line->Number("session", kMost32));
  op.incarnation = static_cast<uint32_t>(line->Number("incarnation", kMost32));
  op.serial = line->Number("serial");
  op.type = static_cast<OpType>(line->Choice("type", kTypes));
  op.key = line->Number("key", std::numeric_limits<uint64_t>::max());
  op.outcome = static_cast<OpOutcome>(line->Choice("outcome", kOutcomes));
  op.invoked = line->Number("invoked");
  if (HasOperand(op.type)) op.operand = line->Word("operand");
  if (op.type == OpType::kTruncate) op.mark = line->Number("mark");
  if (line->Has("result")) op.result = line->Word("result");
  if (line->Has("responded")) op.responded = line->Number("responded");
  if (line->Has("pending")) op.went_pending = line->Flag("pending");
  if (line->Has("phase")) op.phase = static_cast<int8_t>(line->Number("phase", 126));
  if (op.session >= history->sessions.size())
    line->Wrong("session: the index of a session above", std::to_string(op.session));
  history->operations.push_back(op);
}

void ReadCheckpoint(LineReader* line, History* history) {
  line->Only({"incarnation", "token", "kind", "backend", "requested", "reported", "callback", "status"});
  CheckpointEvent event;
  event.incarnation = static_cast<uint32_t>(line->Number("incarnation", kMost32));
  event.token = line->Guid("token");
  event.kind = static_cast<faster::CheckpointKind>(line->Choice("kind", kKinds));
  event.backend = static_cast<faster::LogBackend>(line->Choice("backend", kBackends));
  event.requested = line->Number("requested");
  event.reported = line->Commits("reported");
  if (line->Has("callback")) {
    event.callback = line->Number("callback");
    event.status = line->Status("status");
  }
  history->checkpoints.push_back(std::move(event));
}

void ReadReport(LineReader* line, History* history) {
  line->Only({"session", "incarnation", "token", "serial", "time", "excluded", "called"});
  SessionReport report;
  report.session = static_cast<uint32_t>(line->Number("session", kMost32));
  report.incarnation = static_cast<uint32_t>(line->Number("incarnation", kMost32));
  if (line->Has("token")) report.token = line->Guid("token");
  report.serial = line->Number("serial");
  report.time = line->Has("time") ? line->Number("time") : kNever;
  if (line->Has("excluded")) report.excluded = line->Serials("excluded");
  if (line->Has("called")) report.called = line->Number("called");
  if (report.session >= history->sessions.size())
    line->Wrong("session: the index of a session above", std::to_string(report.session));
  history->reports.push_back(report);
}

void ReadRecovery(LineReader* line, History* history) {
  line->Only({"incarnation", "requested", "status", "why", "token", "commits", "state", "scanned", "time"});
  Recovery recovery;
  recovery.incarnation = static_cast<uint32_t>(line->Number("incarnation", kMost32));
  recovery.named = line->Has("requested");
  if (recovery.named) recovery.requested = line->Guid("requested");
  recovery.status = line->Status("status");
  if (line->Has("why")) recovery.why = line->Text("why");
  if (line->Has("token")) recovery.log_token = line->Guid("token");
  recovery.commits = line->Commits("commits");
  recovery.state = line->Pairs("state");
  recovery.has_scan = line->Has("scanned");
  if (recovery.has_scan) recovery.scanned = line->Pairs("scanned");
  recovery.time = line->Number("time");
  history->recoveries.push_back(std::move(recovery));
}

void ReadLine(LineReader* line, History* history) {
  const std::string event = line->Text("event");
  if (event == "operation") {
    ReadOperation(line, history);
  } else if (event == "session") {
    line->Only({"id", "opened"});
    history->sessions.push_back(line->Guid("id"));
    history->session_opened.push_back(line->Number("opened"));
  } else if (event == "checkpoint") {
    ReadCheckpoint(line, history);
  } else if (event == "report") {
    ReadReport(line, history);
  } else if (event == "recovery") {
    ReadRecovery(line, history);
  } else if (event == "final") {
    line->Only({"state"});
    history->final_state = line->Pairs("state");
  } else {
    line->Wrong("event: one of history session operation checkpoint report recovery final", event);
  }
}

}  // namespace

void WriteHistory(const History& history, std::ostream* out) {
  auto write = [&](const json& line) {
    *out << line.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
  };
  write({{"event", "history"},
         {"format", kFormat},
         {"faults_survivable", history.faults_survivable},
         {"faults_injected", history.faults_injected},
         {"relaxed", history.relaxed},
         {"refresh_every_operation", history.refresh_every_operation},
         {"quiesced", history.quiesced},
         {"phases", history.phases}});
  for (size_t i = 0; i < history.sessions.size(); ++i)
    write({{"event", "session"}, {"id", history.sessions[i].Text()}, {"opened", history.session_opened[i]}});
  for (const CheckpointEvent& event : history.checkpoints) write(CheckpointJson(event));
  for (const SessionReport& report : history.reports) {
    json line = {{"event", "report"},
                 {"session", report.session},
                 {"incarnation", report.incarnation},
                 {"serial", report.serial}};
    if (report.time != kNever) line["time"] = report.time;
    if (!report.excluded.empty()) line["excluded"] = report.excluded;
    if (report.called != 0) line["called"] = report.called;
    if (!report.token.IsNull()) line["token"] = report.token.Text();
    write(line);
  }
  for (const Recovery& recovery : history.recoveries) write(RecoveryJson(recovery));
  for (const Operation& op : history.operations) write(OperationJson(op));
  if (history.quiesced) write({{"event", "final"}, {"state", StateJson(history.final_state)}});
}

bool ReadHistory(std::istream* in, History* history, HistoryError* error) {
  *history = History{};
  *error = HistoryError{};
  bool final = false;
  for (std::string text; std::getline(*in, text);) {
    ++error->line;
    const json parsed = json::parse(text, nullptr, false);
    LineReader line(parsed, error);
    if (parsed.is_discarded() || !parsed.is_object()) {
      line.Wrong("a JSON object", text);
      return false;
    }
    if (error->line == 1) {
      if (line.Text("event") != "history") line.Wrong("the event history first", text);
      ReadHeader(&line, history);
      if (line.ok() && line.Has("phases")) {
        const json& phases = parsed["phases"];
        if (!phases.is_array()) line.Wrong("phases: a list of strings", phases);
        for (size_t i = 0; line.ok() && i < phases.size(); ++i) {
          if (!phases[i].is_string())
            line.Wrong("phases: a list of strings", phases[i]);
          else
            history->phases.push_back(phases[i].get<std::string>());
        }
      }
    } else {
      ReadLine(&line, history);
      final |= parsed.contains("event") && parsed["event"] == "final";
    }
    if (!line.ok()) return false;
  }
  if (in->bad() || error->line == 0 || (history->quiesced && !final)) {
    error->expected = in->bad()          ? "a readable file"
                      : error->line == 0 ? "the event history"
                                         : "the event final";
    error->found = in->bad() ? "an I/O error" : "the end of the file";
    ++error->line;
    return false;
  }
  return true;
}

}  // namespace faults
