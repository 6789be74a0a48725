#include "faster/inspect/self_check.h"

#include <algorithm>
#include <map>

#include "faster/cpr/delta_log.h"

namespace faster {
namespace {

bool Holds(const std::vector<Token>& tokens, const Token& token) {
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

class SelfCheck {
 public:
  SelfCheck(Storage* storage, std::string_view directory, const CheckpointSelfCheckOptions& options,
            CheckpointSelfCheckReport* report, Diagnosis* why)
      : storage_(storage), directory_(directory), options_(options), report_(*report), why_(*why) {}

  Status Run() {
    std::unique_ptr<DirectoryLock> lock;
    Status status = storage_->Lock(directory_, &lock);
    if (status != Status::kOk) {
      why_ = {directory_, 0, "a store that no process has open",
              status == Status::kBusy ? "a lock" : std::string(StatusName(status))};
      return status;
    }
    if ((status = ReadStoreView(*storage_, directory_, &view_, &why_)) != Status::kOk) return status;
    if (view_.latest_status == Status::kOk) report_.latest_before = view_.latest;
    if ((status = Judge()) != Status::kOk) return status;
    if (report_.total == 0) {
      why_ = view_.latest_why;
      return Status::kNotFound;
    }
    Plan();
    if (options_.repair && (status = Apply()) != Status::kOk) return status;
    return report_.issues.empty() || report_.repaired ? Status::kOk : Status::kCorruption;
  }

 private:
  // --- which are broken ---

  Status Judge() {
    work_ = view_;
    total_bytes_ = 0;
    for (size_t i = 0; i < work_.entries.size(); ++i) {
      CatalogEntry& entry = work_.entries[i];
      total_bytes_ += BytesToValidate(view_, view_.entries[i]);
      if (entry.empty()) report_.incomplete.push_back(entry.token);
      report_.total += !entry.empty();
      if (entry.log.broken()) Blame(entry.token, entry.log.why)->log = true;
      if (work_.pairs[i].broken()) Blame(entry.token, work_.pairs[i].why)->log = true;
      if (entry.index.broken()) Blame(entry.token, entry.index.why)->index = true;
      if (entry.log.broken() || work_.pairs[i].broken()) entry.log.status = Status::kNotFound;
      if (entry.index.broken()) entry.index.status = Status::kNotFound;
      work_.pairs[i].status = entry.log.valid() ? work_.pairs[i].status : Status::kNotFound;
    }
    for (CatalogEntry& entry : work_.entries) {
      if (entry.empty()) continue;
      if (const Status status = JudgeEntry(&entry); status != Status::kOk) return status;
    }
    report_.invalid = static_cast<uint32_t>(issues_.size());
    report_.valid = report_.total - report_.invalid;
    work_.ChooseLatest();
    if (work_.latest_status == Status::kOk) report_.latest = work_.latest;
    return Status::kOk;
  }

  Status Validate(const StoreView& view, const CatalogEntry& entry, CheckpointReport* found) {
    ValidateOptions options = options_.validate;
    if (options.on_progress) {
      options.on_progress = [&](const InspectProgress& now) {
        options_.validate.on_progress({now.step, done_bytes_ + now.bytes, total_bytes_});
      };
    }
    const Status status = ValidateEntry(storage_, directory_, view, entry, options, found);
    done_bytes_ += found->bytes_read;
    if (status == Status::kOutOfMemory)
      why_ = {directory_, 0, "memory for the check of " + entry.token.Text(), "none"};
    return status == Status::kCorruption ? Status::kOk : status;
  }

  // An index that is broken goes, and the log is looked at again with what a recovery would use then.
  Status JudgeEntry(CatalogEntry* entry) {
    for (;;) {
      CheckpointReport found;
      Status status = Validate(work_, *entry, &found);
      if (status != Status::kOk || found.sound()) return status;
      if (DropIndexes(found)) {
        if (entry->empty()) return Status::kOk;
        continue;
      }
      if (entry->log.valid() && OnlyLinks(found) && !found.index.IsNull()) {
        StoreView without = work_;
        PartOf(&without, found.index)->index.status = Status::kNotFound;
        CheckpointReport again;
        status = Validate(without, *without.Find(entry->token), &again);
        if (status != Status::kOk) return status;
        if (again.sound()) {
          Blame(found.index, found)->index = true;
          work_ = std::move(without);
          return Status::kOk;
        }
      }
      Blame(entry->token, found)->log = true;
      entry->log.status = Status::kNotFound;
      work_.pairs[static_cast<size_t>(entry - work_.entries.data())].status = Status::kNotFound;
      return Status::kOk;
    }
  }

  CatalogEntry* PartOf(StoreView* view, const Token& token) {
    return const_cast<CatalogEntry*>(view->Find(token));
  }

  static bool OnlyLinks(const CheckpointReport& found) {
    return found.total_findings == found.findings.size() &&
           std::all_of(found.findings.begin(), found.findings.end(), [](const Finding& one) {
             return one.check == Check::kChain || one.check == Check::kReach;
           });
  }

  // Those whose own files have findings. False: none.
  bool DropIndexes(const CheckpointReport& found) {
    bool dropped = false;
    for (CatalogEntry& entry : work_.entries) {
      if (!entry.index.valid()) continue;
      CheckpointReport own;
      const std::string below = TokenDirectory(directory_, entry.token) + "/";
      for (const Finding& one : found.findings) {
        if (one.part == CheckpointPart::kIndex && one.what.file.starts_with(below))
          own.findings.push_back(one);
      }
      if (own.findings.empty()) continue;
      own.total_findings = own.findings.size();
      Blame(entry.token, own)->index = true;
      entry.index.status = Status::kNotFound;
      dropped = true;
    }
    return dropped;
  }

  CheckpointIssue* Blame(const Token& token, const Diagnosis& what) {
    CheckpointReport report;
    report.findings.push_back({Check::kMetadata, CheckpointPart::kStore, what});
    report.total_findings = 1;
    return Blame(token, report);
  }
  CheckpointIssue* Blame(const Token& token, const CheckpointReport& found) {
    CheckpointIssue& issue = issues_[token];
    issue.token = token;
    issue.findings.insert(issue.findings.end(), found.findings.begin(), found.findings.end());
    issue.total_findings += found.total_findings;
    if (issue.reason.empty()) issue.reason = found.findings.front().what.Text();
    return &issue;
  }

  // --- what becomes of them ---

  void Plan() {
    std::map<Token, Token> needed;  // by whose chain
    for (const CatalogEntry& entry : work_.entries) {
      if (!entry.log.valid()) continue;
      for (const Token& token : RequiredBy(entry.log.metadata)) needed.emplace(token, entry.token);
    }
    for (const CatalogEntry& entry : view_.entries) {  // in the order of the list
      const auto found = issues_.find(entry.token);
      if (found == issues_.end()) continue;
      CheckpointIssue issue = std::move(found->second);
      const auto need = needed.find(entry.token);
      PlanIssue(entry, need == needed.end() ? Token{} : need->second, &issue);
      report_.issues.push_back(std::move(issue));
    }
    if (view_.has_cold && report_.latest) PlanCold();
    for (const CheckpointIssue& issue : report_.issues) report_.planned += issue.kept.empty();
  }

  void PlanIssue(const CatalogEntry& entry, const Token& needed_by, CheckpointIssue* issue) {
    if (!report_.latest) {
      issue->kept = "no checkpoint of the store is good";
      return;
    }
    const CatalogEntry& left = *work_.Find(entry.token);
    const bool needed = !needed_by.IsNull();
    const bool whole_log = issue->log && !needed;
    const bool whole_index = issue->index || entry.index.status == Status::kNotFound;
    if (whole_log && whole_index) return;  // the directory
    if (!issue->log && issue->index && !left.log.valid() && !needed) return;
    std::vector<std::string> names;
    if (issue->index) names = {std::string(kIndexMetaName), std::string(kIndexDataName)};
    // A chain reads no log.meta; as it is, it stops a recovery of the latest.
    const bool stops = entry.log.broken() || view_.PairOf(entry).broken();
    if (issue->log && (whole_log || stops)) names.emplace_back(kLogMetaName);
    if (whole_log) {
      for (const auto& name :
           {kPairMetaName, kLogSnapshotName, kDeltaLogName, kDeltaMetaName, kIncrementalInfoName})
        names.emplace_back(name);
    }
    std::vector<CheckpointFile> there;
    Diagnosis unused;
    const Status listed = ListFiles(*storage_, directory_, entry.token, &there, &unused);
    for (const std::string& name : names) {
      const bool exists = std::any_of(there.begin(), there.end(),
                                      [&](const CheckpointFile& file) { return file.name == name; });
      if (listed == Status::kOk && exists) issue->files.push_back(name);
    }
    if (issue->files.empty()) issue->kept = "its files are part of the chain of " + needed_by.Text();
  }

  // Of the cold index: what broken pairs name, and texts that do not verify, unless a good pair needs them.
  void PlanCold() {
    const std::string cold = JoinPath(directory_, kColdIndexDirectory);
    StoreView view;
    Diagnosis why;
    if (ReadStoreView(*storage_, cold, &view, &why) != Status::kOk) return;  // then no pair is good
    std::vector<Token> needed, broken;
    for (size_t i = 0; i < work_.entries.size(); ++i) {
      const bool good = work_.entries[i].log.valid();
      if (!view_.pairs[i].valid()) continue;
      const Token& index = view_.pairs[i].metadata.index;
      (good ? needed : broken).push_back(index);
      const CatalogEntry* const entry = good ? view.Find(index) : nullptr;
      const CatalogEntry* const chosen = entry == nullptr ? nullptr : view.IndexFor(*entry);
      if (chosen != nullptr) needed.push_back(chosen->token);
    }
    for (const CatalogEntry& entry : view.entries) {
      const bool text = entry.log.broken() || entry.index.broken();
      if (Holds(needed, entry.token) || (!text && !Holds(broken, entry.token))) continue;
      CheckpointIssue& issue = report_.issues.emplace_back();
      issue.token = entry.token;
      issue.in_cold_index = true;
      issue.log = issue.index = true;
      issue.reason = entry.log.broken()     ? entry.log.why.Text()
                     : entry.index.broken() ? entry.index.why.Text()
                                            : "the cold half of a broken pair";
    }
  }

  // --- the repair ---

  Status Apply() {
    const std::string cold = JoinPath(directory_, kColdIndexDirectory);
    for (CheckpointIssue& issue : report_.issues) {
      if (!issue.kept.empty()) continue;
      SetAsideMove move = {issue.in_cold_index ? cold : directory_, issue.token, issue.files, ""};
      const Status status = SetAside(storage_, options_.label, &move, &why_);
      if (status != Status::kOk) return status;
      issue.moved_to = move.to;
      ++report_.set_aside;
    }
    if (!report_.latest) return Status::kOk;  // nothing went
    StoreView after;
    const Status status = ReadStoreView(*storage_, directory_, &after, &why_);
    if (status != Status::kOk) return status;
    if (after.latest_status != Status::kOk || after.latest != *report_.latest) {
      why_ = after.latest_status != Status::kOk
                 ? after.latest_why
                 : Diagnosis{directory_, 0, "checkpoint " + report_.latest->Text() + " as the latest",
                             after.latest.Text()};
      return Status::kCorruption;
    }
    report_.repaired = true;
    return Status::kOk;
  }

  Storage* const storage_;
  const std::string directory_;
  const CheckpointSelfCheckOptions& options_;
  CheckpointSelfCheckReport& report_;
  Diagnosis& why_;
  StoreView view_;  // as it is
  StoreView work_;  // without what is broken
  std::map<Token, CheckpointIssue> issues_;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;
};

}  // namespace

Status CheckpointSelfCheck(Storage* storage, std::string_view directory,
                           const CheckpointSelfCheckOptions& options, CheckpointSelfCheckReport* report,
                           Diagnosis* why) {
  *report = {};
  report->dry_run = !options.repair;
  return SelfCheck(storage, directory, options, report, why).Run();
}

}  // namespace faster
