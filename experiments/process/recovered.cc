#include "experiments/process/recovered.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

namespace experiments::process {

using nlohmann::json;

bool KilledStore::Recovered::Send(int fd) const {
  json sessions = json::array();
  for (const faster::SessionCommit& commit : result.sessions) {
    sessions.push_back({commit.session.Text(), commit.serial, commit.excluded});
  }
  const json all = {{"status", static_cast<int>(status)},
                    {"why", why},
                    {"token", result.log_token.Text()},
                    {"version", result.version},
                    {"undone", result.records_undone},
                    {"sessions", sessions},
                    {"keys", keys},
                    {"mismatches", mismatches},
                    {"witnesses", witnesses}};
  const std::string text = all.dump(-1, ' ', false, json::error_handler_t::replace);
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t wrote = write(fd, text.data() + sent, text.size() - sent);
    if (wrote <= 0) return false;
    sent += static_cast<size_t>(wrote);
  }
  return true;
}

bool KilledStore::Recovered::Parse(const std::string& text) {
  const json all = json::parse(text, nullptr, false);
  if (!all.is_object() || !all.contains("witnesses")) return false;
  status = static_cast<faster::Status>(all["status"].get<int>());
  why = all["why"];
  result.version = all["version"];
  result.records_undone = all["undone"];
  keys = all["keys"];
  mismatches = all["mismatches"];
  witnesses = all["witnesses"].get<std::vector<std::string>>();
  bool good = faster::Guid::Parse(all["token"].get<std::string>(), &result.log_token);
  for (const json& session : all["sessions"]) {
    faster::SessionCommit commit;
    good = good && faster::Guid::Parse(session[0].get<std::string>(), &commit.session);
    commit.serial = session[1];
    commit.excluded = session[2].get<std::vector<uint64_t>>();
    result.sessions.push_back(commit);
  }
  return good;
}

}  // namespace experiments::process
