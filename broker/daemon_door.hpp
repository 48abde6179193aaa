#pragma once
// Asking a running twinmqd, and telling what it refused.

#include <string>

#include <nlohmann/json.hpp>

#include <twinmq/result.hpp>

namespace CLI {
class App;
}

namespace twinmq {

constexpr const char* kDefaultSocket = "./twinmq-data/twinmq.sock";

/// Adds --socket to the command.
void add_socket_option(CLI::App& command, std::string& socket);

/// The result, or what the daemon refused it with; InvalidConfig: it cannot read an argument.
Result<nlohmann::json> ask_daemon(const std::string& socket, const char* operation,
                                  nlohmann::json arguments = nlohmann::json::object());

/// Prints the error; the exit code it means.
int refuse(const Error& error);

}  // namespace twinmq
