#pragma once
// Rules and their queues as administrators see them: JSON of what the host's door tells, and the
// operations on it.

#include <string>

#include <nlohmann/json.hpp>

#include <twinmq/broker.hpp>
#include <twinmq/result.hpp>
#include <twinmq/rules.hpp>

namespace twinmq::app {

nlohmann::json json_of(const RuleStatus& status);
nlohmann::json json_of(const RuleStatistics& statistics);
nlohmann::json json_of(const SinkStatistics& sink);

/// The rule of a definition for that name; `file` stands for the definition in complaints. An empty
/// name: the definition's.
Result<RuleConfig> rule_of_definition(const std::string& definition, const std::string& name,
                                      const std::string& file);

using AdminRun = Result<nlohmann::json> (*)(Broker& broker, const nlohmann::json& arguments);

// Operations; arguments have been checked.
Result<nlohmann::json> list_rules(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> show_rule(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> create_rule(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> replace_rule(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> enable_rule(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> disable_rule(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> delete_rule(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> tell_rule_statistics(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> explain_rule(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> list_sinks(Broker& broker, const nlohmann::json& arguments);
Result<nlohmann::json> replay_sink(Broker& broker, const nlohmann::json& arguments);

}  // namespace twinmq::app
