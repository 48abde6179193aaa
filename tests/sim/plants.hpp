#pragma once
// Faults put into the world around the core, to see that the checkers notice: a checker that never failed proves
// nothing.

#include <string>
#include <vector>

#include "base/prng.hpp"
#include "sim/sim_broker.hpp"
#include "sim/sim_store.hpp"

namespace twinmq::sim {

/// The faults there are.
const std::vector<std::string>& plant_names();

/// Plants the fault of that name; nothing for the empty one.
void plant(const std::string& name, SimBroker& broker, SimStore& store, base::Prng& random);

}  // namespace twinmq::sim
