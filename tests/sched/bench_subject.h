// Bodies of the scheduler's benchmark, in an instrumented library. Each does 1000 operations of its kind.
#pragma once

struct BenchData;

struct BenchTable {
  BenchData* (*make)();
  void (*loads)(void*);
  void (*adds)(void*);
  void (*shared_plain)(void*);
  void (*private_plain)(void*);
  void (*allocates)(void*);
  void (*clears)(void*);  // memset of 4 KiB, 1000 times
};
