// Drawing: from the cells of a store to the picture of its definition: medians over the rounds, with the
// least and the greatest around them.
#pragma once

#include <string>

#include "experiments/figures/store.h"
#include "plots/figure.h"

namespace experiments::figures {

// Of the cells that there are. False: one line in *error (a table that cannot be read, nothing measured).
bool MakePicture(const FigureStore& store, plots::Figure* figure, std::string* error);

// picture.json and the pictures, into the store's folder.
bool DrawPicture(const FigureStore& store, std::string* error);

}  // namespace experiments::figures
