#include "experiments/figures/txn/locked_instruction.h"

#include <cstring>

namespace experiments::figures::txn {

namespace {

struct Prefixes {
  bool lock = false, operand_16 = false, address_32 = false;
  uint64_t segment_base = 0;
  uint8_t rex = 0;
};

// Moves *code to the opcode.
Prefixes ReadPrefixes(const uint8_t** code, const Registers& registers) {
  Prefixes prefixes;
  for (;; ++*code) {
    switch (**code) {
      case 0xf0:
        prefixes.lock = true;
        continue;
      case 0x66:
        prefixes.operand_16 = true;
        continue;
      case 0x67:
        prefixes.address_32 = true;
        continue;
      case 0x64:
        prefixes.segment_base = registers.fs_base;
        continue;
      case 0x65:
        prefixes.segment_base = registers.gs_base;
        continue;
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0x26:
      case 0xf2:
      case 0xf3:
        continue;
      default:
        break;
    }
    break;
  }
  if ((**code & 0xf0) == 0x40) prefixes.rex = *(*code)++;
  return prefixes;
}

// Bytes of immediate operand of those that can be locked.
int Immediate(uint8_t opcode, bool two_bytes, bool operand_16) {
  if (two_bytes) return opcode == 0xba ? 1 : 0;
  if (opcode == 0x80 || opcode == 0x83) return 1;
  return opcode == 0x81 ? (operand_16 ? 2 : 4) : 0;
}

template <class T>
T ReadAs(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

uint64_t Displaced(uint64_t base, int64_t by) { return base + static_cast<uint64_t>(by); }

// The memory operand whose ModRM byte is at `modrm`.
uint64_t Operand(const uint8_t* modrm, const Prefixes& prefixes, const Registers& registers,
                 uint64_t after_operand, int immediate) {
  const int mod = *modrm >> 6, rm = *modrm & 7;
  const int base_bit = (prefixes.rex & 1) << 3, index_bit = (prefixes.rex & 2) << 2;
  const uint8_t* at = modrm + 1;
  uint64_t address = 0;
  bool displacement_32 = mod == 2;
  if (rm == 4) {
    const uint8_t sib = *at++;
    const int index = (sib >> 3 & 7) | index_bit, base = sib & 7;
    if (index != 4) address = registers.general[index] << (sib >> 6);
    if (base == 5 && mod == 0)
      displacement_32 = true;
    else
      address += registers.general[base | base_bit];
  } else if (rm == 5 && mod == 0) {  // relative to the next instruction
    const uint64_t next = after_operand + static_cast<uint64_t>(at + 4 - modrm) + uint64_t(immediate);
    return prefixes.segment_base + Displaced(next, ReadAs<int32_t>(at));
  } else {
    address = registers.general[rm | base_bit];
  }
  if (mod == 1) address = Displaced(address, ReadAs<int8_t>(at));
  if (displacement_32) address = Displaced(address, ReadAs<int32_t>(at));
  if (prefixes.address_32) address &= 0xffffffff;
  return prefixes.segment_base + address;
}

}  // namespace

std::optional<uint64_t> LockedAddress(const uint8_t* code, uint64_t at, const Registers& registers) {
  const uint8_t* const start = code;
  const Prefixes prefixes = ReadPrefixes(&code, registers);
  const bool two_bytes = *code == 0x0f;
  if (two_bytes) ++code;
  const uint8_t opcode = *code++;
  const bool exchange = !two_bytes && (opcode == 0x86 || opcode == 0x87);
  if (!prefixes.lock && !exchange) return {};
  if (*code >> 6 == 3) return {};  // registers only
  return Operand(code, prefixes, registers, at + static_cast<uint64_t>(code - start),
                 Immediate(opcode, two_bytes, prefixes.operand_16));
}

}  // namespace experiments::figures::txn
