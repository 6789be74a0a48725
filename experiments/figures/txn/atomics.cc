#include "experiments/figures/txn/atomics.h"

#include <csignal>
#include <map>
#include <memory>

#include "experiments/figures/txn/locked_instruction.h"

#if defined(__x86_64__)
#include <sys/ucontext.h>
#include <ucontext.h>
#endif

namespace experiments::figures::txn {

using faster::Status;
using faster::StatusName;
using workloads::txn::Client;
using workloads::txn::Transaction;
using workloads::txn::TxnStore;

namespace {

Stepper* current = nullptr;  // of the signal's handler

#if defined(__x86_64__)
Registers RegistersOf(const greg_t* from) {
  constexpr int kOrder[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  Registers registers;
  for (int i = 0; i < 16; ++i) registers.general[i] = static_cast<uint64_t>(from[kOrder[i]]);
  // What is relative to a segment is the thread's own: its distance from there tells it apart.
  return registers;
}
#endif

// Access i of all that a client makes writes.
bool Writes(uint64_t i, double share) {
  return static_cast<uint64_t>(static_cast<double>(i + 1) * share + 1e-9) >
         static_cast<uint64_t>(static_cast<double>(i) * share + 1e-9);
}

}  // namespace

Stepper::~Stepper() {
  if (!installed_) return;
  static_cast<void>(std::signal(SIGTRAP, SIG_DFL));
  current = nullptr;
}

void Stepper::OnTrap(int, void*, void* context) {
#if defined(__x86_64__)
  Stepper* const stepper = current;
  const greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const uint64_t next = static_cast<uint64_t>(registers[REG_RIP]);  // it runs when the handler returns
  ++stepper->instructions_;
  const auto address = LockedAddress(reinterpret_cast<const uint8_t*>(next), next, RegistersOf(registers));
  if (!address) return;
  if (stepper->seen_ < stepper->accesses_.size())
    stepper->accesses_[stepper->seen_] = {*address, stepper->client_};
  ++stepper->seen_;
#else
  static_cast<void>(context);
#endif
}

bool Stepper::Install(std::string* error) {
  if (!kSupported || current != nullptr) {
    *error = kSupported ? "a stepper is installed already" : "single steps need an x86-64 machine";
    return false;
  }
  struct sigaction action = {};
  action.sa_sigaction = reinterpret_cast<void (*)(int, siginfo_t*, void*)>(&Stepper::OnTrap);
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGTRAP, &action, nullptr) != 0) {
    *error = "SIGTRAP cannot be handled";
    return false;
  }
  current = this;
  installed_ = true;
  return true;
}

void Stepper::Begin(uint32_t client) {
  client_ = client;
#if defined(__x86_64__)
  __asm__ volatile("sub $128, %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n add $128, %%rsp" ::
                       : "cc", "memory");
#endif
}

void Stepper::End() {
#if defined(__x86_64__)
  __asm__ volatile("sub $128, %%rsp\n pushfq\n andq $~0x100, (%%rsp)\n popfq\n add $128, %%rsp" ::
                       : "cc", "memory");
#endif
}

std::vector<LockedAccess> Stepper::Accesses() const {
  return {accesses_.begin(), accesses_.begin() + static_cast<std::ptrdiff_t>(seen_)};
}

AtomicsCount CountAccesses(const std::vector<LockedAccess>& accesses) {
  struct Word {
    uint32_t first_client;
    bool shared = false;
    uint64_t changes = 0;
  };
  std::map<uint64_t, Word> words;
  for (const LockedAccess& access : accesses) {
    Word& word = words.try_emplace(access.address, Word{access.client}).first->second;
    word.shared = word.shared || word.first_client != access.client;
    ++word.changes;
  }
  AtomicsCount count;
  for (const auto& [address, word] : words) {
    (word.shared ? count.shared : count.own) += word.changes;
    count.shared_words += word.shared ? 1 : 0;
  }
  return count;
}

bool CountAtomics(const AtomicsPlan& plan, TxnStore* store, AtomicsCount* count, std::string* error) {
  std::vector<std::unique_ptr<Client>> clients(plan.clients);
  for (uint32_t c = 0; c < plan.clients; ++c) {
    const Status status = store->StartClient(c + 1, &clients[c]);
    if (status == Status::kOk) continue;
    *error = "client " + std::to_string(c + 1) + ": " + std::string(StatusName(status));
    return false;
  }
  Stepper stepper(plan.keys() * 64);
  if (!stepper.Install(error)) return false;
  uint64_t writing = 0;
  // The first transaction of each client has it get its memory, and is not counted.
  for (uint32_t i = 0; i <= plan.transactions; ++i) {
    for (uint32_t c = 0; c < plan.clients; ++c) {
      const double share = i == 0 ? 1 : plan.write_share;
      const uint64_t first = uint64_t{i} * plan.keys_per_transaction;
      bool writes = false;
      const auto body = [&](Transaction& transaction) {
        for (uint64_t access = first; access < first + plan.keys_per_transaction; ++access) {
          const uint64_t key = access * plan.clients + c;
          if (Writes(access, share)) {
            uint64_t* const value = transaction.Write(0, key);
            if (value == nullptr) return false;
            ++*value;
            writes = true;
          } else if (transaction.Read(0, key) == nullptr) {
            return false;
          }
        }
        return true;
      };
      if (i != 0) stepper.Begin(c);
      const auto result = clients[c]->Execute(body);
      if (i != 0) stepper.End();
      if (!result.committed()) {
        *error =
            "a transaction that nothing disturbs did not commit: " + std::string(StatusName(result.status));
        return false;
      }
      writing += writes && i != 0 ? 1 : 0;
    }
  }
  if (stepper.overflowed()) {
    *error = "more atomic operations than there is room for";
    return false;
  }
  *count = CountAccesses(stepper.Accesses());
  count->transactions = uint64_t{plan.clients} * plan.transactions;
  count->writing = writing;
  count->instructions = stepper.instructions();
  return true;
}

}  // namespace experiments::figures::txn
