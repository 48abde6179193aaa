#pragma once
// Functions of plugins for programs that run statements without a broker.

#include <functional>
#include <memory>
#include <string>

#include <twinmq/config.hpp>
#include <twinmq/log.hpp>
#include <twinmq/result.hpp>

#include "sql/outside.hpp"

namespace twinmq::app {

/// Loads the plugins that the configuration names. The error names the one that cannot be loaded.
Result<std::shared_ptr<sql::OutsideFunctions>> open_plugin_functions(
    const Config& config,
    std::function<void(LogLevel, std::string_view event, const std::string& detail)> log);

}  // namespace twinmq::app
