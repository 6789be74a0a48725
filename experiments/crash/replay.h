// Replay: one stored execution again, choice by choice, and its story.
//
// It runs in a child process, since the execution may be one that kills its process. The trace hash must be
// the recorded one; otherwise the harness, the build or the machine differs, and that is said instead of a
// verdict.
#pragma once

#include <string>

#include "experiments/crash/finding.h"

namespace experiments {

struct ReplayOptions {
  std::string path;     // a finding's folder or scenario file
  std::string subject;  // instead of the recorded one; "" = recorded
  bool subject_given = false;
  std::string html;    // also write the page of the execution here
  bool quiet = false;  // the verdict line only
  bool json = false;
};

// Exit status: 0 it passed (as recorded), 1 a violation, 2 bad input, 3 not the same execution.
int RunReplay(const ReplayOptions& options);

// The text timeline of an execution.
std::string StoryText(const StoredExecution& stored, const ExecutionResult& result, Execution& execution);

// story.txt and page.html into a finding's folder, made by a child process; `verdict`: also verdict.json and
// history.jsonl. False: *error says why there is none.
bool WriteStory(const std::string& folder, const SubjectLibrary& library, bool verdict, std::string* error);

// The engine that is named in `options`, else the recorded one if it is still there.
bool LoadSubjectOf(const ReplayOptions& options, const StoredExecution& stored, SubjectLibrary* library,
                   std::string* error);

}  // namespace experiments
