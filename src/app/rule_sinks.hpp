#pragma once
// The queues that file, http and plugin actions of rules need.

#include <memory>
#include <string>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>

#include "app/rule_secrets.hpp"
#include "plugins/plugin_set.hpp"

namespace twinmq::app {

/// A queue that an action of a rule needs, and where it leads.
struct RuleSink {
  std::string name;
  std::unique_ptr<Sink> sink;
  SinkOptions options;
};

/// Those of the rule; `secrets` are asked before each request. The error names the rule and why one cannot be used.
Result<std::vector<RuleSink>> open_rule_sinks(const RuleConfig& rule, const plugins::PluginSet& plugins,
                                              const std::shared_ptr<const RuleSecrets>& secrets);

/// The names of the same.
std::vector<std::string> rule_sink_names(const RuleConfig& rule);

}  // namespace twinmq::app
