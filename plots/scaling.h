// The picture of the scaling benchmark: cost against size, both axes logarithmic, a panel for each part.
//
// Drawn from the result folder's scaling.csv (panel, series, x, y; panels throughput, memory, checkpoint,
// recovery), so that it can always be drawn again. A straight line of slope 1 is linear growth. Uses gnuplot,
// which must be installed; blocking, some 0.3 s.
#pragma once

#include <string>

namespace plots {

// Writes FOLDER/scaling.svg and FOLDER/scaling.png. False and one line in *error otherwise.
bool DrawScaling(const std::string& folder, std::string* error);

}  // namespace plots
