// What figure-txn-atomics counts: which instruction is an atomic change of which word, and which words are
// shared.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "experiments/figures/txn/atomics.h"
#include "experiments/figures/txn/locked_instruction.h"

namespace experiments::figures::txn {
namespace {

std::optional<uint64_t> Decode(std::vector<uint8_t> code, const Registers& registers = {}) {
  code.resize(16, 0x90);
  return LockedAddress(code.data(), 0x1000, registers);
}

Registers Numbered() {
  Registers registers;
  for (uint64_t i = 0; i < 16; ++i) registers.general[i] = 0x10000 * (i + 1);
  registers.fs_base = 0x7000000;
  return registers;
}

TEST(LockedInstruction, AddressesAreThoseOfTheEncoding) {
  const Registers r = Numbered();
  EXPECT_EQ(Decode({0xf0, 0x48, 0x0f, 0xb1, 0x0b}, r), 0x40000u);                 // lock cmpxchg %rcx,(%rbx)
  EXPECT_EQ(Decode({0xf0, 0x48, 0x0f, 0xc1, 0x46, 0xf8}, r), 0x70000u - 8);       // lock xadd %rax,-8(%rsi)
  EXPECT_EQ(Decode({0xf0, 0x49, 0x0f, 0xc1, 0x80, 0, 1, 0, 0}, r), 0x90100u);     // lock xadd %rax,0x100(%r8)
  EXPECT_EQ(Decode({0xf0, 0x48, 0xff, 0x04, 0xca}, r), 0x30000u + 8 * 0x20000u);  // lock incq (%rdx,%rcx,8)
  EXPECT_EQ(Decode({0xf0, 0x4a, 0xff, 0x44, 0xe0, 0x10}, r),
            0x10000u + 8 * 0xd0000u + 0x10);                                            // 0x10(%rax,%r12,8)
  EXPECT_EQ(Decode({0xf0, 0x48, 0xff, 0x04, 0x24}, r), 0x50000u);                       // (%rsp)
  EXPECT_EQ(Decode({0xf0, 0xff, 0x04, 0x25, 0x78, 0x56, 0x34, 0x12}, r), 0x12345678u);  // absolute
  EXPECT_EQ(Decode({0x64, 0xf0, 0xff, 0x03}, r), 0x7040000u);                           // %fs:(%rbx)
}

TEST(LockedInstruction, RelativeToTheNextInstruction) {
  EXPECT_EQ(Decode({0xf0, 0x48, 0xff, 0x05, 0x10, 0, 0, 0}), 0x1000u + 8 + 0x10);         // incq
  EXPECT_EQ(Decode({0xf0, 0x83, 0x05, 0x10, 0, 0, 0, 1}), 0x1000u + 8 + 0x10);            // addl $1
  EXPECT_EQ(Decode({0xf0, 0x81, 0x05, 0x10, 0, 0, 0, 1, 1, 1, 1}), 0x1000u + 11 + 0x10);  // addl, 32 bits
  EXPECT_EQ(Decode({0xf0, 0x66, 0x81, 0x05, 0x10, 0, 0, 0, 1, 1}), 0x1000u + 10 + 0x10);  // addw, 16 bits
  EXPECT_EQ(Decode({0xf0, 0x0f, 0xba, 0x2d, 0xf0, 0xff, 0xff, 0xff, 7}), 0x1000u + 9 - 0x10);  // btsl
}

TEST(LockedInstruction, ExchangeLocksByItself) {
  const Registers r = Numbered();
  EXPECT_EQ(Decode({0x48, 0x87, 0x03}, r), 0x40000u);            // xchg %rax,(%rbx)
  EXPECT_EQ(Decode({0x48, 0x87, 0xd8}, r), std::nullopt);        // xchg of registers
  EXPECT_EQ(Decode({0x48, 0x89, 0x03}, r), std::nullopt);        // mov %rax,(%rbx)
  EXPECT_EQ(Decode({0x0f, 0xae, 0xf0}, r), std::nullopt);        // mfence
  EXPECT_EQ(Decode({0x48, 0x0f, 0xb1, 0x0b}, r), std::nullopt);  // cmpxchg without LOCK
}

LockedAccess By(uint64_t address, uint32_t client) { return {address, client}; }

TEST(Atomics, AWordIsSharedIfTwoClientsChangeIt) {
  const AtomicsCount count =
      CountAccesses({By(8, 0), By(16, 0), By(8, 1), By(24, 1), By(24, 1), By(8, 0), By(32, 2)});
  EXPECT_EQ(count.shared, 3u);  // word 8
  EXPECT_EQ(count.shared_words, 1u);
  EXPECT_EQ(count.own, 4u);
}

TEST(Atomics, TheStepperSeesTheProcessorsAtomics) {
  static std::atomic<uint64_t> counter{0}, flag{0};
  static uint64_t plain = 0;
  Stepper stepper(100);
  std::string error;
  if (!Stepper::kSupported) {  // no trap flag, nothing to see: then it has to say so
    EXPECT_FALSE(stepper.Install(&error));
    EXPECT_EQ(error, "single steps need an x86-64 machine");
    return;
  }
  ASSERT_TRUE(stepper.Install(&error)) << error;
  for (uint32_t client = 0; client < 2; ++client) {
    stepper.Begin(client);
    counter.fetch_add(3);
    flag.exchange(client);
    counter.fetch_or(1);
    plain = counter.load();
    flag.store(plain, std::memory_order_release);
    stepper.End();
  }
  counter.fetch_add(1);  // not seen
  const std::vector<LockedAccess> seen = stepper.Accesses();
  const auto address = [](const void* of) { return reinterpret_cast<uint64_t>(of); };
  ASSERT_EQ(seen.size(), 6u);
  for (uint32_t client = 0; client < 2; ++client) {
    EXPECT_EQ(seen[3 * client].address, address(&counter));
    EXPECT_EQ(seen[3 * client + 1].address, address(&flag));
    EXPECT_EQ(seen[3 * client + 2].address, address(&counter));
    EXPECT_EQ(seen[3 * client].client, client);
  }
  EXPECT_FALSE(stepper.overflowed());
  EXPECT_GT(stepper.instructions(), 10u);
  Stepper second(1);
  EXPECT_FALSE(second.Install(&error));
}

}  // namespace
}  // namespace experiments::figures::txn
