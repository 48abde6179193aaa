#pragma once
// One rule as an administrator writes it: TOML as in the configuration, or JSON with the same keys.

#include <string>
#include <string_view>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>

namespace twinmq::app {

/// Reads the keys of a rule; its statement is not looked at. `file` stands for the text in
/// complaints, each with its place. The name may be missing.
Result<RuleConfig> read_rule_definition(std::string_view text, const std::string& file);

/// TOML that a configuration takes too.
std::string rule_definition(const RuleConfig& rule);
/// The same as a JSON object.
std::string rule_definition_json(const RuleConfig& rule);

}  // namespace twinmq::app
