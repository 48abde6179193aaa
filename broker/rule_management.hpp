#pragma once
// twinmq rule list, show, create, …, and twinmq sink …: what asks a running daemon.

#include <memory>

namespace CLI {
class App;
}

namespace twinmq {

class RuleManagement;

/// Adds commands below `rule`, and `sink` to the command line.
std::shared_ptr<RuleManagement> add_rule_management(CLI::App& app, CLI::App& rule);

/// Runs what was asked for; false: it was none of these.
bool run_rule_management(const RuleManagement& commands, int& exit_code);

}  // namespace twinmq
