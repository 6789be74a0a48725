// The picture of a run: throughput over time, checkpoints as shaded spans from request to durable.
//
// Drawn from the result folder's throughput.csv (seconds, operations, mops) and checkpoints.csv (kind,
// backend, requested, durable, status; may be missing), so that a picture can always be drawn again from what
// was kept. The y axis begins at 0. Colours are Okabe and Ito's, which people of any colour vision can tell
// apart. Uses gnuplot, which must be installed; blocking, some 0.3 s.
#pragma once

#include <string>

namespace plots {

// Writes FOLDER/throughput.svg and FOLDER/throughput.png. False and one line in *error otherwise.
bool DrawThroughput(const std::string& folder, const std::string& title, std::string* error);

}  // namespace plots
