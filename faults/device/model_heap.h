// ModelHeap: memory for the storage model that has nothing to do with the heap of the code under test.
//
// While a fiber runs, malloc and operator new serve the fiber's arena, which forgets everything when an
// execution begins; the disk outlives executions' crashes and must not depend on which heap is in force. So
// the model takes pages from the kernel and keeps blocks of powers of two in free lists. Memory is never
// given back: a campaign's use is flat after its largest execution. Under AddressSanitizer and
// ThreadSanitizer, where there are no fibers, it is plain malloc, so that their checks apply.
//
// Thread-safe (one spin lock; holders never block and never reach a scheduling point). Cost: ~10 ns. Memory
// exhaustion ends the process with a message: a model that loses data silently would be worse.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace faults {

void* ModelAllocate(size_t bytes);
void ModelFree(void* block, size_t bytes);  // `bytes` as in ModelAllocate

template <class T>
struct ModelAllocator {
  using value_type = T;
  ModelAllocator() = default;
  template <class U>
  ModelAllocator(const ModelAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(ModelAllocate(n * sizeof(T))); }
  void deallocate(T* block, size_t n) { ModelFree(block, n * sizeof(T)); }
  template <class U>
  bool operator==(const ModelAllocator<U>&) const {
    return true;
  }
};

template <class T>
using ModelVector = std::vector<T, ModelAllocator<T>>;
using ModelString = std::basic_string<char, std::char_traits<char>, ModelAllocator<char>>;

}  // namespace faults
