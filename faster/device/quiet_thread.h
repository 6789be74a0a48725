// StartQuietThread: a thread with all signals blocked, so that a program's handlers run on its own threads
// and a write beyond RLIMIT_FSIZE is an error (EFBIG) rather than a signal. Not thread-safe for one
// `threads`.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <thread>
#include <vector>

namespace faster {

// False if the system refuses a thread.
template <class Body>
bool StartQuietThread(std::vector<std::thread>* threads, Body body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = true;
  try {
    threads->emplace_back(body);
  } catch (const std::system_error&) {
    started = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

}  // namespace faster
