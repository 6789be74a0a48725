#include "experiments/figures/buffer/client.h"

#include <thread>

#include "experiments/common/progress.h"

namespace experiments::figures {

using faster::Status;
using workloads::Operation;
using workloads::ycsb::Value;

namespace {
constexpr uint64_t kLookEvery = 64;  // operations
constexpr uint64_t kMostPending = 1024;
}  // namespace

void BufferedClient::Perform(const workloads::ycsb::StreamElement& element) {
  const bool reads = element.operation == Operation::kRead;
  const uint64_t word = reads ? 0 : buffer_.issued() + 1;
  buffer_.Add(element.key, word);
  Status status;
  if (reads) {
    Value<8> value;
    status = session_->Read(element.key, &value);
    if (status == Status::kOk) sum_ += value.word[0];
  } else {
    status = session_->Upsert(element.key, Value<8>::Of(word));
  }
  ++result_.operations;
  if (status == Status::kOk) [[likely]]
    return;
  if (status == Status::kPending) {
    if (++pending_ >= kMostPending) Complete();
  } else if (result_.problem.empty()) {
    result_.problem = "an operation ended with: " + std::string(StatusName(status));
  }
}

void BufferedClient::Complete() {
  session_->CompletePending(false, [this](const auto& op) {
    --pending_;
    if (op.result != Status::kOk && result_.problem.empty())
      result_.problem = "an operation ended with: " + std::string(StatusName(op.result));
  });
}

// What has become durable, and whether more should.
void BufferedClient::Look(Commits* commits) {
  if (pending_ != 0) Complete();
  notices_.clear();
  session_->TakeCommits(&notices_);
  for (const faster::CommitNotice& notice : notices_) {
    ++result_.commits;
    if (!buffer_.Release(notice.serial))
      result_.problem = "a commit point at " + std::to_string(notice.serial) + " of operations " +
                        std::to_string(buffer_.durable()) + " to " + std::to_string(buffer_.issued());
  }
  if (!buffer_.WantsCommit()) return;
  faster::Token token;
  const Status status = store_->Checkpoint(faster::CheckpointKind::kLogOnly, commits->backend, &token);
  if (status == Status::kOk)
    commits->requested.fetch_add(1);
  else if (status != Status::kBusy)
    result_.problem = "a checkpoint could not begin: " + std::string(StatusName(status));
}

ClientResult BufferedClient::Run(const workloads::ycsb::OperationStream& stream, Commits* commits) {
  result_ = {};
  const uint64_t first = buffer_.issued();
  double blocked_since = 0;
  while (result_.problem.empty()) {
    const bool full = buffer_.Full();
    if (full || result_.operations % kLookEvery == 0) {
      if (commits->stop.load(std::memory_order_relaxed)) break;
      Look(commits);
    }
    if (!full) {
      Perform(stream.At(first + result_.operations));
      continue;
    }
    if (blocked_since == 0) blocked_since = MonotonicSeconds();
    session_->Refresh();
    if (!buffer_.Full()) {
      result_.blocked_seconds += MonotonicSeconds() - blocked_since;
      blocked_since = 0;
    } else {
      std::this_thread::yield();
    }
  }
  if (blocked_since != 0) result_.blocked_seconds += MonotonicSeconds() - blocked_since;
  while (pending_ != 0) {
    Complete();
    std::this_thread::yield();
  }
  return result_;
}

}  // namespace experiments::figures
