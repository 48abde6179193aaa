#pragma once
// The queues that file, http and plugin actions of rules need.

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>

#include "plugins/plugin_set.hpp"

namespace twinmq::app {

/// Errors name the rule and why its sink cannot be used.
Result<void> add_rule_sinks(const Config& config, const plugins::PluginSet& plugins, SinkQueues& queues);

}  // namespace twinmq::app
