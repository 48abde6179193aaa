#pragma once
// The queues that file and http actions of rules need.

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>

namespace twinmq::app {

/// Errors name the rule and why its sink cannot be used.
Result<void> add_rule_sinks(const Config& config, SinkQueues& queues);

}  // namespace twinmq::app
