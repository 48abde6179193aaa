#pragma once
// [[rule]], [[rule.action]] and [[plugin]] of the configuration.

#include <string>
#include <vector>

#include <toml++/toml.h>

#include "app/config_draft.hpp"

namespace twinmq::app {

/// Reads the array of rules into the draft, or complains. Texts are taken as they are: ${…} in them
/// belongs to the rule.
void read_rules(ConfigDraft& draft, const toml::node& node, const std::string& file);

/// Reads one rule from a table of its keys, or from one with a single [[rule]].
RuleConfig read_rule(ConfigDraft& draft, const toml::table& table, const std::string& file);

/// The rules as TOML that reads back.
std::string rules_text(const std::vector<RuleConfig>& rules);

/// The same for plugins.
void read_plugins(ConfigDraft& draft, const toml::node& node, const std::string& file);
std::string plugins_text(const std::vector<PluginConfig>& plugins);

}  // namespace twinmq::app
