// Client: one session of a store whose operations wait in a ReplayBuffer until they are durable; when that
// is full it waits, too. Whoever's buffer is filled as far as to want one asks for a commit.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "experiments/figures/buffer/replay_buffer.h"
#include "faster/store/faster_kv.h"
#include "workloads/ycsb/stream.h"
#include "workloads/ycsb/value.h"

namespace experiments::figures {

using BufferedStore = faster::FasterKv<uint64_t, workloads::ycsb::Value<8>, workloads::ycsb::AddWord<8>>;

// Shared by the clients.
struct Commits {
  faster::LogBackend backend = faster::LogBackend::kFoldOver;
  std::atomic<uint64_t> requested{0};
  std::atomic<bool> stop{false};
};

struct ClientResult {
  uint64_t operations = 0;
  double blocked_seconds = 0;  // its buffer was full
  uint64_t commits = 0;        // heard of
  std::string problem;         // "" or what must not be
};

class BufferedClient {
 public:
  BufferedClient(BufferedStore* store, std::unique_ptr<BufferedStore::SessionType> session, uint64_t entries,
                 double commit_at)
      : store_(store), session_(std::move(session)), buffer_(entries, commit_at) {}

  // Until commits->stop.
  ClientResult Run(const workloads::ycsb::OperationStream& stream, Commits* commits);

 private:
  void Perform(const workloads::ycsb::StreamElement& element);
  void Complete();
  void Look(Commits* commits);

  BufferedStore* const store_;
  const std::unique_ptr<BufferedStore::SessionType> session_;
  ReplayBuffer buffer_;
  ClientResult result_;
  uint64_t pending_ = 0;
  uint64_t sum_ = 0;  // of the words read
  std::vector<faster::CommitNotice> notices_;
};

}  // namespace experiments::figures
