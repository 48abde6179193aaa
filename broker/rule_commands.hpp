#pragma once
// twinmq rule …, and twinmq sink ….

#include <memory>

namespace CLI {
class App;
}

namespace twinmq {

class RuleCommands;

/// Adds `rule` and `sink` to the command line.
std::shared_ptr<RuleCommands> add_rule_commands(CLI::App& app);

/// Runs what was asked for; false: it was none of these.
bool run_rule_command(const RuleCommands& commands, int& exit_code);

}  // namespace twinmq
