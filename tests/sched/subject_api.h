// What the scheduler's tests call in their instrumented subject: functions in one table, each a body for a
// fiber or a piece of set-up. Shared by the host (plain) and the subject (instrumented); holds no inline
// code.
#pragma once

#include <cstdint>

struct SubjectState;  // one test's shared data; lives in the arena

struct SubjectTable {
  SubjectState* (*make)();
  void (*destroy)(SubjectState*);
  uint64_t (*counter)(SubjectState*);
  uint64_t (*bad)(SubjectState*);  // what the bodies found wrong, a bit each

  void (*lost_update)(void*);    // load, store + 1
  void (*fetch_adds)(void*);     // fetch_add 10 times
  void (*thread_locals)(void*);  // counter and std::string of the fiber stay its own; counter += 1 and,
                                 // by the destructor of a thread_local object, 100
  void (*libc_use)(void*);       // malloc, snprintf, printf to /dev/null, exceptions
  void (*mutex_adds)(void*);     // plain counter under a mutex, with an overlap check
  void (*producer)(void*);       // condition variable, 5 items
  void (*consumer)(void*);
  void (*lock_ab)(void*);  // deadlock by order
  void (*lock_ba)(void*);
  void (*spin_forever)(void*);  // waits for a flag nobody sets
  void (*ping)(void*);          // two fibers that keep each other awake for ever
  void (*pong)(void*);
  void (*wait_flag)(void*);        // yields until the atomic flag is set
  void (*wait_plain_flag)(void*);  // the same by a plain field
  void (*set_flag)(void*);
  void (*set_flag_acked)(void*);  // sets both flags, then yields until two have seen it
  void (*wait_own_flag)(void*);   // waits for a plain field that only it has touched until then
  void (*set_own_flag)(void*);    // sets that, then yields until it was seen
  void (*free_block)(void*);      // frees what use_block reads
  void (*use_block)(void*);
  void (*overflow)(void*);        // writes one word past an allocation, before the next one
  void (*wild)(void*);            // writes far past all allocations
  void (*once)(void*);            // std::call_once: one initialiser runs, the others wait
  void (*store_buffer_0)(void*);  // x = 1; r0 = y
  void (*store_buffer_1)(void*);  // y = 1; r1 = x
  void (*copy_in)(void*);         // memcpy of 64 bytes of one letter into shared memory
  void (*copy_out)(void*);        // memcpy out: torn if letters differ
  void (*epoch_leave)(void*);     // lost wake-up whose window holds only a plain store
  void (*epoch_wait)(void*);
  void (*depth_writer)(void*);  // bug that needs two ordering constraints far apart
  void (*depth_reader)(void*);
  void (*makes_threads)(void*);  // std::thread, join, async sum
  void (*sleeps)(void*);         // sleep_for and steady_clock agree
  void (*timed_wait)(void*);     // wait_for ends by time
  void (*faults)(void*);         // writes through a null pointer
  void (*throws)(void*);
  void (*asserts)(void*);
  void (*shared_lock)(void*);  // std::shared_mutex readers and writers
  void (*atomic_wait)(void*);  // std::atomic::wait
  void (*atomic_notify)(void*);
  void (*wide_atomics)(void*);         // 16-byte compare-exchange
  void (*spins_without_yield)(void*);  // loads in a loop until the flag is set
  void (*weak_cas_once)(void*);        // bad if an uncontended weak compare-exchange failed
  void (*holds_lock_forever)(void*);   // for crash while held
  void (*takes_lock)(void*);
  void (*work)(void*);  // a bit of everything: allocation, lock, atomics
};
