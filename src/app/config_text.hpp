#pragma once
// A Config as TOML.

#include <string>

#include <twinmq/config_file.hpp>

namespace twinmq::app {

/// conf/twinmq.toml: every key at its default, with its sentence and what is allowed.
std::string documented_config();

}  // namespace twinmq::app
