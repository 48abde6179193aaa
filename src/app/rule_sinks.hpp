#pragma once
// The queues that file, http and plugin actions of rules need.

#include <memory>
#include <mutex>
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

/// What http actions ask before each request, of the configuration in force. Any thread.
class RuleReach {
 public:
  void set(const RulesConfig& config);
  /// Whether rules.http_targets allow the address.
  Result<void> admit(const std::string& url) const;
  const RuleSecrets& secrets() const { return secrets_; }

 private:
  RuleSecrets secrets_;
  mutable std::mutex mutex_;
  std::vector<std::string> http_targets_;
};

/// Those of the rule; files lie where `config` allows, `reach` is asked at use. The error names the
/// rule and why one cannot be used.
Result<std::vector<RuleSink>> open_rule_sinks(const RuleConfig& rule, const RulesConfig& config,
                                              const plugins::PluginSet& plugins,
                                              const std::shared_ptr<const RuleReach>& reach);

/// The names of the same.
std::vector<std::string> rule_sink_names(const RuleConfig& rule);

}  // namespace twinmq::app
