// Catalogue: all figures that there are, from experiments/figures/<paper>/<figure>.json. A definition that is
// wrong makes the whole catalogue unusable: its line names the place. Read once at start-up by one thread.
#pragma once

#include <string>
#include <vector>

#include "experiments/figures/definition.h"

namespace experiments::figures {

class Catalogue {
 public:
  // `folder` holds a folder for each paper. False: one line in *error.
  bool Read(const std::string& folder, std::string* error);
  const std::vector<Definition>& figures() const { return figures_; }  // cells before what shows them
  const Definition* Find(const std::string& figure) const;
  // "there is no figure ...; near: ..." for a name that is none.
  std::string Unknown(const std::string& figure) const;

 private:
  std::vector<Definition> figures_;
};

}  // namespace experiments::figures
