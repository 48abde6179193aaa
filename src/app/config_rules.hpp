#pragma once
// [[rule]] and [[rule.action]] of the configuration.

#include <string>
#include <vector>

#include <toml++/toml.h>

#include "app/config_draft.hpp"

namespace twinmq::app {

/// Reads the array of rules into the draft, or complains. Texts are taken as they are: ${…} in them belongs to
/// the rule.
void read_rules(ConfigDraft& draft, const toml::node& node, const std::string& file);

/// The rules as TOML that reads back.
std::string rules_text(const std::vector<RuleConfig>& rules);

}  // namespace twinmq::app
