// Session, part 4: truncation, the operation that lets the log begin later.
//
// Two steps, so that nobody brings back what somebody saw gone: first no update starts from a record below
// the new begin any more (HybridLog::AnnounceBegin), and everyone who may have started from one has left;
// only then do reads see it gone. In between a checkpoint does not pass from Prepare to InProgress, so that
// the operation is of one version, the session's.
#pragma once

#include "faster/store/session.h"

namespace faster {

template <class K, class V, class F>
Status Session<K, V, F>::ShiftBeginAddress(LogAddress to, LogAddress* begin) {
  Enter();
  to = std::min(to, log_.head()) & ~LogAddress{log_.block_bytes() - 1};
  if (checkpointer_.AnnounceTruncation(to) != Status::kOk) {
    *begin = log_.begin();
    return Answer(Status::kAborted);
  }
  Leave();
  epoch_->AwaitOthers();
  Enter();
  checkpointer_.Truncate(to);
  *begin = log_.begin();
  return Answer(Status::kOk);
}

}  // namespace faster
