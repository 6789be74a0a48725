// CountingStorage: a PosixStorage that counts the bytes handed to its files, and those asked of them: what a
// checkpoint wrote, what an operation costs the device. Thread-safe as every storage; the counts are exact
// once the transfers have completed. Cost: one addition a transfer.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

#include "faster/device/posix_storage.h"

namespace experiments::bench {

class CountingFile final : public faster::File {
 public:
  using Status = faster::Status;
  CountingFile(std::unique_ptr<faster::File> file, std::atomic<uint64_t>* written,
               std::atomic<uint64_t>* read)
      : file_(std::move(file)), written_(written), read_(read) {}
  void ReadAsync(uint64_t offset, void* buffer, uint64_t length, faster::IoCallback done,
                 void* context) override {
    read_->fetch_add(length, std::memory_order_relaxed);
    file_->ReadAsync(offset, buffer, length, done, context);
  }
  void WriteAsync(uint64_t offset, const void* buffer, uint64_t length, faster::IoCallback done,
                  void* context) override {
    written_->fetch_add(length, std::memory_order_relaxed);
    file_->WriteAsync(offset, buffer, length, done, context);
  }
  Status Read(uint64_t offset, void* buffer, uint64_t length, uint64_t* bytes) override {
    read_->fetch_add(length, std::memory_order_relaxed);
    return file_->Read(offset, buffer, length, bytes);
  }
  Status Write(uint64_t offset, const void* buffer, uint64_t length, uint64_t* bytes) override {
    written_->fetch_add(length, std::memory_order_relaxed);
    return file_->Write(offset, buffer, length, bytes);
  }
  Status Sync() override { return file_->Sync(); }
  Status Size(uint64_t* bytes) override { return file_->Size(bytes); }
  Status Truncate(uint64_t bytes) override { return file_->Truncate(bytes); }

 private:
  const std::unique_ptr<faster::File> file_;
  std::atomic<uint64_t>* const written_;
  std::atomic<uint64_t>* const read_;
};

class CountingStorage final : public faster::PosixStorage {
 public:
  using PosixStorage::PosixStorage;
  faster::Status Open(std::string_view path, faster::OpenMode mode,
                      std::unique_ptr<faster::File>* file) override {
    std::unique_ptr<faster::File> plain;
    const faster::Status status = PosixStorage::Open(path, mode, &plain);
    if (status == faster::Status::kOk)
      *file = std::make_unique<CountingFile>(std::move(plain), &written_, &read_);
    return status;
  }
  uint64_t written() const { return written_.load(std::memory_order_relaxed); }
  uint64_t read() const { return read_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> written_{0}, read_{0};
};

}  // namespace experiments::bench
