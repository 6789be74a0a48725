// Child: one forked process, from fork to its end. Dies with its parent (PR_SET_PDEATHSIG). Used by one
// thread; the parent must be single-threaded when it forks.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace experiments::process {

class Child {
 public:
  using Stop = std::function<bool()>;  // asked now and then while waiting: give up?

  Child() = default;
  ~Child() { Kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool Fork(std::string* error);  // returns in both processes
  bool is_child() const { return is_child_; }
  bool Ended();                                  // without waiting
  void Sleep(double seconds, const Stop& stop);  // or until it has ended
  void Kill();                                   // SIGKILL, and waits for the end; nothing if it has ended
  void Wait();
  bool killed_by_us() const;    // it lived until Kill()
  std::string EndText() const;  // "signal 11 (Segmentation fault)"
  // Everything from `fd` until the other end is closed. False after `seconds`, or when told to stop.
  bool ReadAll(int fd, double seconds, const Stop& stop, std::string* text);

 private:
  pid_t pid_ = -1;
  bool is_child_ = false;
  bool ended_ = false;
  bool we_killed_ = false;
  int status_ = 0;
};

}  // namespace experiments::process
