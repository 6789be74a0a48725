// ByteBuffer: bytes in memory of whole words, kept when they become fewer; or a view on the bytes of others.
//
// The value that a client gets from a store of variable length, and the key and value of an operation on one.
// As long as it borrows, the bytes must outlive it; assigning it to another buffer copies them, so what is
// kept never points to what its client has freed. One that owns grows as needed and is then used again
// without an allocation. Not thread-safe.
//
// Below it, copies between bytes and shared words (words.h): keys and values lie in whole words in a record,
// the last one padded with zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "faster/core/words.h"

namespace faster {

constexpr size_t WordsFor(size_t bytes) { return bytes / 8 + (bytes % 8 != 0); }

class ByteBuffer {
 public:
  ByteBuffer() = default;
  explicit ByteBuffer(std::string_view bytes) { Assign(bytes); }
  ByteBuffer(const ByteBuffer& other) { Assign(other); }
  ByteBuffer(ByteBuffer&& other) noexcept { Take(other); }
  ByteBuffer& operator=(const ByteBuffer& other) {
    if (this != &other) Assign(other);
    return *this;
  }
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    if (this != &other) Take(other);
    return *this;
  }

  operator std::string_view() const { return {data_, size_}; }
  std::string_view Value() const { return {data_, size_}; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }

  void Assign(std::string_view bytes) {
    const size_t size = bytes.size();
    const char* const from = bytes.data();
    char* const to = Reserve(size);
    if (size != 0) std::memmove(to, from, size);
    Resize(size);
  }
  // From now on the bytes of somebody else; memory of its own is kept for later.
  void Borrow(std::string_view bytes) {
    data_ = bytes.data();
    size_ = bytes.size();
  }
  // Own memory for so many bytes, in whole words; what it holds is lost. Resize() says how many there are.
  char* Reserve(size_t bytes) {
    const size_t words = WordsFor(bytes);
    if (words > words_) {
      own_.reset(new uint64_t[words]);
      words_ = words;
    }
    data_ = reinterpret_cast<const char*>(own_.get());
    return reinterpret_cast<char*>(own_.get());
  }
  void Resize(size_t bytes) { size_ = bytes; }
  // The other one's memory, without what is in it.
  void TakeMemory(ByteBuffer& other) {
    other.Borrow({});
    Take(other);
    Borrow({});
  }

 private:
  void Take(ByteBuffer& other) {
    if (other.size_ != 0 && other.data_ != reinterpret_cast<const char*>(other.own_.get())) {
      Assign(other);  // it only borrows
      return;
    }
    std::swap(own_, other.own_);
    std::swap(words_, other.words_);
    data_ = reinterpret_cast<const char*>(own_.get());
    size_ = other.size_;
    other.Borrow({});
  }

  const char* data_ = nullptr;
  size_t size_ = 0;
  std::unique_ptr<uint64_t[]> own_;
  size_t words_ = 0;  // of own_
};

// Word `i` of `bytes` as a record holds it.
inline uint64_t WordOf(std::string_view bytes, size_t i) {
  uint64_t word = 0;
  const size_t left = bytes.size() - 8 * i;
  if (left >= 8) [[likely]]
    std::memcpy(&word, bytes.data() + 8 * i, 8);
  else
    std::memcpy(&word, bytes.data() + 8 * i, left);
  return word;
}
inline void BytesToShared(uint64_t* to, std::string_view bytes) {
  for (size_t i = 0; i < WordsFor(bytes.size()); ++i) StoreWord(to + i, WordOf(bytes, i));
}
inline bool SharedIs(const uint64_t* shared, std::string_view bytes) {
  for (size_t i = 0; i < WordsFor(bytes.size()); ++i) {
    if (LoadWord(shared + i) != WordOf(bytes, i)) return false;
  }
  return true;
}

}  // namespace faster
