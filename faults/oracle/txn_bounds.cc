#include "faults/oracle/txn_bounds.h"

#include <algorithm>

namespace faults {
namespace {

using Points = std::vector<uint64_t>;

class Bounds {
 public:
  Bounds(const TxnHistory& history, TxnVerdict* verdict) : history_(history), verdict_(verdict) {}

  bool Check() {
    by_client_.resize(history_.clients);
    Points start(history_.clients, 0);
    for (uint32_t life = 0; life <= history_.recoveries.size(); ++life) {
      if (!CheckLife(life, start)) return false;
      if (life == history_.recoveries.size() || !TxnReturned(history_.recoveries[life])) break;
      start = history_.recoveries[life].points;
    }
    return true;
  }

 private:
  bool Wrong(TxnFault fault, std::string what, std::vector<uint32_t> witness = {}) {
    verdict_->ok = false;
    verdict_->fault = fault;
    verdict_->what = std::move(what);
    verdict_->witness = std::move(witness);
    return false;
  }
  std::string Name(uint32_t transaction) const { return TxnName(history_.transactions[transaction]); }

  bool CheckLife(uint32_t life, const Points& start) {
    verdict_->incarnation = life;
    for (auto& list : by_client_) list.clear();
    for (uint32_t i = 0; i < history_.transactions.size(); ++i) {
      const Transaction& txn = history_.transactions[i];
      if (txn.incarnation == life && txn.serial != 0) by_client_[txn.client].push_back(i);
    }
    for (uint32_t c = 0; c < history_.clients; ++c) {
      if (by_client_[c].empty()) continue;
      const uint32_t first = by_client_[c][0];
      if (history_.transactions[first].serial != start[c] + 1)
        return Wrong(TxnFault::kSerials,
                     "client " + std::to_string(c) + " went on with " + Name(first) +
                         ", its commit point is " + std::to_string(start[c]),
                     {first});
    }
    Points promised = start;
    bool durable = false;
    for (uint32_t i = 0; i < history_.commits.size(); ++i) {
      const TxnCommit& commit = history_.commits[i];
      if (commit.incarnation != life || commit.callback == kNever) continue;
      if (commit.status != faster::Status::kOk) {
        if (!history_.faults_injected)
          return Wrong(TxnFault::kRefused, "commit " + std::to_string(i) + " failed without a fault: " +
                                               std::string(faster::StatusName(commit.status)));
        continue;
      }
      const std::string name = "commit " + std::to_string(i);
      if (!CheckPoints(name, commit.points, commit.requested, commit.callback, start)) return false;
      if (!NotBelow(name, commit.points, promised, "an earlier one")) return false;
      promised = commit.points;
      durable = true;
    }
    return CheckReports(life, start, &promised, &durable) &&
           (life == history_.recoveries.size() || CheckRecovery(life, start, promised, durable));
  }

  bool CheckReports(uint32_t life, const Points& start, Points* promised, bool* durable) {
    for (const TxnReport& report : history_.reports) {
      if (report.incarnation != life) continue;
      const uint64_t most = LastInvoked(report.client, report.time, start);
      if (report.serial > most)
        return Wrong(TxnFault::kBounds, "client " + std::to_string(report.client) + " was told that " +
                                            std::to_string(report.serial) +
                                            " is durable and had begun only " + std::to_string(most));
      (*promised)[report.client] = std::max((*promised)[report.client], report.serial);
      *durable |= report.serial > start[report.client];
    }
    return true;
  }

  bool CheckRecovery(uint32_t life, const Points& start, const Points& promised, bool durable) {
    const TxnRecovery& recovery = history_.recoveries[life];
    const std::string name = "recovery " + std::to_string(life);
    if (!TxnReturned(recovery)) return Wrong(TxnFault::kRefused, name + " was refused: " + recovery.why);
    const bool had = std::any_of(start.begin(), start.end(), [](uint64_t t) { return t > 0; });
    if (recovery.status == faster::Status::kNotFound && (durable || had))
      return Wrong(TxnFault::kRefused, name + " found nothing, and something was durable");
    uint64_t requested = 0;
    if (recovery.commit != kNoCommit) {
      const TxnCommit& commit = history_.commits[recovery.commit];
      requested = commit.requested;
      const bool reported = commit.callback != kNever && commit.status == faster::Status::kOk;
      if (reported && commit.points != recovery.points)
        return Wrong(TxnFault::kBounds,
                     name + " has other points than commit " + std::to_string(recovery.commit) + " reported");
    }
    return CheckPoints(name, recovery.points, requested, recovery.time, start) &&
           NotBelow(name, recovery.points, promised, "what was promised");
  }

  bool NotBelow(const std::string& name, const Points& points, const Points& least, const char* who) {
    for (uint32_t c = 0; c < history_.clients; ++c) {
      if (points[c] >= least[c]) continue;
      return Wrong(TxnFault::kBounds, name + " has the point " + std::to_string(points[c]) + " for client " +
                                          std::to_string(c) + ", below " + who + ": " +
                                          std::to_string(least[c]));
    }
    return true;
  }

  // Between what had ended at `requested` and what had begun at `reported`.
  bool CheckPoints(const std::string& name, const Points& points, uint64_t requested, uint64_t reported,
                   const Points& start) {
    for (uint32_t c = 0; c < history_.clients; ++c) {
      const std::vector<uint32_t>& list = by_client_[c];
      const auto ended = std::partition_point(list.begin(), list.end(), [&](uint32_t i) {
        return history_.transactions[i].responded < requested;
      });
      const uint64_t least = ended == list.begin() ? start[c] : history_.transactions[*(ended - 1)].serial;
      const uint64_t most = LastInvoked(c, reported, start);
      if (points[c] >= least && points[c] <= most) continue;
      const std::string text =
          name + " has the point " + std::to_string(points[c]) + " for client " + std::to_string(c);
      if (points[c] > most)
        return Wrong(TxnFault::kBounds, text + ", beyond the last one begun: " + std::to_string(most));
      std::vector<uint32_t> witness;
      if (ended != list.begin()) witness.push_back(*(ended - 1));
      return Wrong(TxnFault::kBounds,
                   text + ", but " + std::to_string(least) + " had ended when it was requested", witness);
    }
    return true;
  }

  uint64_t LastInvoked(uint32_t client, uint64_t before, const Points& start) const {
    const std::vector<uint32_t>& list = by_client_[client];
    const auto begun = std::partition_point(
        list.begin(), list.end(), [&](uint32_t i) { return history_.transactions[i].invoked < before; });
    return begun == list.begin() ? start[client] : history_.transactions[*(begun - 1)].serial;
  }

  const TxnHistory& history_;
  TxnVerdict* const verdict_;
  std::vector<std::vector<uint32_t>> by_client_;  // of the life at hand, by serial
};

}  // namespace

bool CheckTxnBounds(const TxnHistory& history, TxnVerdict* verdict) {
  if (!Bounds(history, verdict).Check()) return false;
  verdict->incarnation = 0;
  return true;
}

}  // namespace faults
