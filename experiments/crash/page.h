// Pages: a campaign, and one execution, as HTML files that open from disk and need nothing else.
//
// Numbers and text come from results; everything is escaped. Light and dark follow the reader's system.
#pragma once

#include <string>

#include "experiments/crash/campaign.h"

namespace experiments {

std::string CampaignPage(const CampaignOptions& options, const SubjectLibrary& library,
                         const CampaignResult& result);

// One execution: lanes for sessions, device and checkpoint phases over steps, the verdict, what was expected.
std::string ExecutionPage(const StoredExecution& stored, const ExecutionResult& result, Execution& execution);

std::string EscapeHtml(std::string_view text);

}  // namespace experiments
