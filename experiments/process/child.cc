#include "experiments/process/child.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "experiments/common/progress.h"

namespace experiments::process {

bool Child::Fork(std::string* error) {
  std::fflush(nullptr);  // or the child would print it again
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) {
    *error = std::string("cannot fork: ") + std::strerror(errno);
    ended_ = true;
    return false;
  }
  if (pid_ != 0) return true;
  is_child_ = true;
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C is the parent's to answer
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  return true;
}

bool Child::Ended() {
  if (!ended_ && waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return ended_;
}

void Child::Sleep(double seconds, const Stop& stop) {
  const double end = MonotonicSeconds() + seconds;
  for (double left; (left = end - MonotonicSeconds()) > 0 && !Ended() && !stop();) {
    usleep(static_cast<useconds_t>(std::min(left, 0.005) * 1e6));
  }
}

void Child::Kill() {
  if (is_child_ || pid_ <= 0 || Ended()) return;
  we_killed_ = true;
  kill(pid_, SIGKILL);
  Wait();
}

void Child::Wait() {
  while (!ended_) {
    if (waitpid(pid_, &status_, 0) == pid_ || errno != EINTR) ended_ = true;
  }
}

bool Child::killed_by_us() const {
  return we_killed_ && WIFSIGNALED(status_) && WTERMSIG(status_) == SIGKILL;
}

std::string Child::EndText() const {
  if (WIFSIGNALED(status_)) {
    return "signal " + std::to_string(WTERMSIG(status_)) + " (" + strsignal(WTERMSIG(status_)) + ")";
  }
  return "exit status " + std::to_string(WEXITSTATUS(status_));
}

bool Child::ReadAll(int fd, double seconds, const Stop& stop, std::string* text) {
  const double end = MonotonicSeconds() + seconds;
  while (MonotonicSeconds() < end && !stop()) {
    pollfd one = {fd, POLLIN, 0};
    if (poll(&one, 1, 50) <= 0) continue;
    char buffer[4096];
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got == 0) return true;
    if (got > 0)
      text->append(buffer, static_cast<size_t>(got));
    else if (errno != EINTR)
      return false;
  }
  return false;
}

}  // namespace experiments::process
