#pragma once
// Faults put into the world around the core, to see that the checkers notice: a checker that never
// failed proves nothing.

#include <string>
#include <vector>

#include "base/prng.hpp"
#include "sim/sim_broker.hpp"
#include "sim/sim_store.hpp"

namespace twinmq::sim {

struct Plant {
  std::string name;
  std::string checker;   ///< which must notice it
  bool shadows = false;  ///< only in a world with shadows
};

/// The faults there are.
const std::vector<Plant>& plants();

/// Plants the fault of that name; nothing for the empty one.
void plant(const std::string& name, SimBroker& broker, SimStore& store, base::Prng& random);

}  // namespace twinmq::sim
