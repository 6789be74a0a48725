#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "faults/device/shared_storage.h"

namespace faults {

// Everything here is shared between processes and read after one of them died: lock-free atomics only.
struct SharedJournal::Header {
  std::atomic<uint32_t> ready;
  std::atomic<uint32_t> overflowed;
  std::atomic<uint32_t> active;         // half
  std::atomic<uint64_t> half_bytes[2];  // published
  std::atomic<uint64_t> name_bytes;     // published
  std::atomic<uint64_t> sequence;
};

static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free);

namespace {

constexpr uint64_t kPage = 4096;
uint64_t RoundUp(uint64_t bytes, uint64_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

std::unique_ptr<SharedJournal> SharedJournal::Create(const SharedJournalOptions& options,
                                                     std::string* error) {
  const uint64_t header = RoundUp(sizeof(Header), kPage);
  const uint64_t synced = RoundUp(uint64_t{options.max_files} * sizeof(uint64_t), kPage);
  const uint64_t names = RoundUp(options.name_bytes, kPage);
  const uint64_t half = RoundUp(options.bytes / 2, kPage);
  const uint64_t total = header + synced + names + 2 * half;
  void* memory =
      ::mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    *error =
        "journal: cannot map " + std::to_string(total) + " bytes of shared memory: " + std::strerror(errno);
    return nullptr;
  }
  std::unique_ptr<SharedJournal> journal(new SharedJournal);
  uint8_t* at = static_cast<uint8_t*>(memory);
  journal->memory_ = memory;
  journal->memory_bytes_ = total;
  journal->header_ = new (at) Header{};
  journal->synced_ = reinterpret_cast<std::atomic<uint64_t>*>(at + header);
  journal->names_ = at + header + synced;
  journal->name_capacity_ = names;
  journal->halves_[0] = journal->names_ + names;
  journal->halves_[1] = journal->halves_[0] + half;
  journal->half_capacity_ = half;
  journal->max_files_ = options.max_files;
  return journal;
}

SharedJournal::~SharedJournal() { ::munmap(memory_, memory_bytes_); }

void SharedJournal::Restart() {
  // Gives the memory back; what is mapped reads as zeros, which is the empty journal.
  if (::madvise(memory_, memory_bytes_, MADV_REMOVE) != 0)
    std::memset(memory_, 0, RoundUp(sizeof(Header), kPage));
  new (header_) Header{};
  for (uint32_t i = 0; i < max_files_; ++i) {
    if (synced_[i].load(std::memory_order_relaxed) != 0) synced_[i].store(0, std::memory_order_relaxed);
  }
}

bool SharedJournal::overflowed() const { return header_->overflowed.load() != 0; }
bool SharedJournal::ready() const { return header_->ready.load() != 0; }
void SharedJournal::MarkReady() { header_->ready.store(1); }
uint64_t SharedJournal::NextSequence() { return header_->sequence.fetch_add(1) + 1; }
uint64_t SharedJournal::NameBytes() const { return header_->name_bytes.load(std::memory_order_acquire); }
const uint8_t* SharedJournal::ActiveHalf() const {
  return halves_[header_->active.load(std::memory_order_acquire)];
}
uint64_t SharedJournal::used_bytes() const {
  return header_->half_bytes[header_->active.load(std::memory_order_acquire)].load(std::memory_order_acquire);
}
uint64_t SharedJournal::Synced(uint32_t file) const { return synced_[file].load(std::memory_order_acquire); }
void SharedJournal::SetSynced(uint32_t file, uint64_t sequence) {
  synced_[file].store(sequence, std::memory_order_release);
}

// Copies the live entries to the other half and makes that one the journal. True if this made room.
bool SharedJournal::Compact() {
  const uint32_t from = header_->active.load();
  const uint32_t to = 1 - from;
  uint64_t used = 0;
  ForEachLive([&](const Entry& entry, const uint8_t*) {
    std::memcpy(halves_[to] + used, &entry, entry.bytes);
    used += entry.bytes;
  });
  const uint64_t before = header_->half_bytes[from].load();
  header_->half_bytes[to].store(used, std::memory_order_release);
  header_->active.store(to, std::memory_order_release);
  header_->half_bytes[from].store(0, std::memory_order_release);
  (void)::madvise(halves_[from], RoundUp(before, kPage), MADV_REMOVE);  // advice: memory use only
  return used < before;
}

bool SharedJournal::Append(const Entry& entry, const void* saved) {
  const uint64_t bytes = RoundUp(sizeof(Entry) + entry.saved, 8);
  if (used_bytes() + bytes > half_capacity_ && (!Compact() || used_bytes() + bytes > half_capacity_)) {
    header_->overflowed.store(1);
    return false;
  }
  const uint32_t half = header_->active.load();
  const uint64_t used = header_->half_bytes[half].load();
  Entry* target = reinterpret_cast<Entry*>(halves_[half] + used);
  *target = entry;
  target->bytes = bytes;
  if (entry.saved > 0) std::memcpy(target + 1, saved, entry.saved);
  header_->half_bytes[half].store(used + bytes, std::memory_order_release);  // from here on it counts
  return true;
}

bool SharedJournal::AppendName(NameOperation operation, std::string_view path, std::string_view second) {
  const uint64_t bytes = RoundUp(sizeof(Name) + path.size() + second.size(), 8);
  const uint64_t used = header_->name_bytes.load();
  if (used + bytes > name_capacity_) {
    header_->overflowed.store(1);
    return false;
  }
  Name* target = reinterpret_cast<Name*>(names_ + used);
  *target = {static_cast<uint32_t>(bytes), operation, static_cast<uint32_t>(path.size()),
             static_cast<uint32_t>(second.size())};
  char* text = reinterpret_cast<char*>(target + 1);
  std::memcpy(text, path.data(), path.size());
  if (!second.empty()) std::memcpy(text + path.size(), second.data(), second.size());
  header_->name_bytes.store(used + bytes, std::memory_order_release);
  return true;
}

}  // namespace faults
