// Progress: one line that tells a waiting person how far a long command is. On a terminal the line is
// rewritten a few times a second; elsewhere (a log) a new line appears every ten seconds. Used by one thread.
#pragma once

#include <string>

namespace experiments {

class Progress {
 public:
  explicit Progress(bool quiet = false);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  bool Due() const;                    // is it time for the next Show()?
  void Show(const std::string& line);  // cut to the width of the terminal
  void Clear();                        // before anything else is printed

 private:
  bool quiet_;
  bool terminal_;
  bool shown_ = false;
  double last_ = -1;
  double interval_;
};

double MonotonicSeconds();

// "1:02:03", "4:05", "12 s".
std::string DurationText(double seconds);
// 1234567 -> "1,234,567".
std::string Grouped(unsigned long long number);

}  // namespace experiments
