#pragma once
// The commands of twinmq that speak to a running daemon, or look into its data while it does not
// run.

#include <memory>

namespace CLI {
class App;
}

/// The options live as long as the application is parsed and run.
struct AdminCommands;
std::shared_ptr<AdminCommands> add_admin_commands(CLI::App& app);

/// Whether one of them was given; then `code` is the exit code of having carried it out.
bool run_admin_command(AdminCommands& commands, int& code);
