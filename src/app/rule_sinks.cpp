#include "app/rule_sinks.hpp"

#include <memory>
#include <string>
#include <utility>

#include "modules/rules/compiled_rule.hpp"
#include "sinks/file_sink.hpp"
#include "sinks/http_sink.hpp"
#include "sinks/http_target.hpp"

namespace twinmq::app {
namespace {

SinkOptions options_of(const RuleActionConfig& action) {
  SinkOptions options;
  options.batch_entries_max = static_cast<std::size_t>(action.batch_max);
  options.batch_bytes_max = static_cast<std::size_t>(action.batch_bytes_max);
  options.linger = Milliseconds(action.linger_milliseconds);
  options.entries_max = action.queue_max;
  options.bytes_max = action.queue_bytes_max;
  if (action.queue_full == "drop_oldest") options.full = SinkFull::DropOldest;
  if (action.queue_full == "drop_newest") options.full = SinkFull::DropNewest;
  return options;
}

Result<std::unique_ptr<Sink>> open_file(const RuleActionConfig& action, const RulesConfig& config) {
  sinks::FileSinkOptions options;
  options.path = action.path;
  options.rotate_bytes = action.rotate_bytes;
  options.rotate_seconds = static_cast<std::uint32_t>(action.rotate_seconds);
  options.files_max = static_cast<std::uint32_t>(action.files_max);
  options.columns = action.columns;
  options.directories = config.file_directories;
  return sinks::FileSink::open(std::move(options));
}

Result<std::unique_ptr<Sink>> open_sink(const RuleActionConfig& action, const RulesConfig& config,
                                        const plugins::PluginSet& plugins,
                                        const std::shared_ptr<const RuleReach>& reach) {
  if (action.kind == RuleActionKind::Plugin)
    return plugins.open_sink(action.plugin, action.plugin_options,
                             Milliseconds(action.timeout_milliseconds));
  if (action.kind == RuleActionKind::File) return open_file(action, config);
  using Body = sinks::HttpSinkOptions::Body;
  sinks::HttpSinkOptions options;
  options.url = action.url;
  for (const std::string& header : action.headers)
    if (!rules::depends_on_message(header)) options.headers.push_back(rules::header_parts(header));
  options.fill = [reach](std::string_view text) { return reach->secrets().fill(text); };
  options.admit = [reach](const std::string& url) { return reach->admit(url); };
  options.one_topic = !action.batch_across_topics;
  options.body = action.body == "array"   ? Body::Array
                 : action.body == "lines" ? Body::Lines
                                          : Body::Single;
  options.gzip = action.gzip;
  options.timeout = Milliseconds(action.timeout_milliseconds);
  options.ca_file = action.ca_file;
  return sinks::HttpSink::open(std::move(options));
}

}  // namespace

void RuleReach::set(const RulesConfig& config) {
  secrets_.set(config.secrets);
  const std::scoped_lock lock(mutex_);
  http_targets_ = config.http_targets;
}

Result<void> RuleReach::admit(const std::string& url) const {
  std::vector<std::string> targets;
  {
    const std::scoped_lock lock(mutex_);
    targets = http_targets_;
  }
  return sinks::check_http_address(url, targets);
}

Result<std::vector<RuleSink>> open_rule_sinks(const RuleConfig& rule, const RulesConfig& config,
                                              const plugins::PluginSet& plugins,
                                              const std::shared_ptr<const RuleReach>& reach) {
  std::vector<RuleSink> all;
  for (const auto* actions : {&rule.actions, &rule.error_actions}) {
    for (std::size_t i = 0; i < actions->size(); ++i) {
      const RuleActionConfig& action = (*actions)[i];
      if (!rules::leaves_process(action.kind)) continue;
      auto sink = open_sink(action, config, plugins, reach);
      if (!sink)
        return Error{sink.error().code, "rule \"" + rule.name + "\": " + sink.error().detail};
      all.push_back({rules::sink_name(rule.name, actions == &rule.error_actions, i),
                     std::move(*sink), options_of(action)});
    }
  }
  return all;
}

std::vector<std::string> rule_sink_names(const RuleConfig& rule) {
  std::vector<std::string> all;
  for (const auto* actions : {&rule.actions, &rule.error_actions})
    for (std::size_t i = 0; i < actions->size(); ++i)
      if (rules::leaves_process((*actions)[i].kind))
        all.push_back(rules::sink_name(rule.name, actions == &rule.error_actions, i));
  return all;
}

}  // namespace twinmq::app
