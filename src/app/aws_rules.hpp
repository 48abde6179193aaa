#pragma once
// Rules in the JSON of AWS IoT's API (CreateTopicRule, GetTopicRule, ListTopicRules).

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>
#include <twinmq/rules.hpp>

namespace twinmq::app {

/// The rule of a TopicRulePayload. Actions that this broker does not have are refused by name; its
/// own may stand beside AWS's, with the keys of the configuration.
Result<RuleConfig> rule_of_aws(std::string_view payload, const std::string& name);

/// What GetTopicRule answers.
nlohmann::json aws_of_rule(const RuleStatus& status);
/// An entry of what ListTopicRules answers.
nlohmann::json aws_list_entry(const RuleStatus& status);

}  // namespace twinmq::app
