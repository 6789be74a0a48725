// PipeGuard: while it lives, writing to a program that is not there (gnuplot) is an error, not the end of
// this process (SIGPIPE). One thread at a time.
#pragma once

#include <csignal>

namespace plots {

class PipeGuard {
 public:
  PipeGuard() : before_(std::signal(SIGPIPE, SIG_IGN)) {}
  ~PipeGuard() {
    if (before_ != SIG_ERR) std::signal(SIGPIPE, before_);
  }
  PipeGuard(const PipeGuard&) = delete;
  PipeGuard& operator=(const PipeGuard&) = delete;

 private:
  void (*const before_)(int);
};

}  // namespace plots
