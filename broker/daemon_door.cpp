#include "daemon_door.hpp"

#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "app/admin_socket.hpp"
#include "exit_code.hpp"

namespace twinmq {

using Json = nlohmann::json;

void add_socket_option(CLI::App& command, std::string& socket) {
  command.add_option("--socket", socket, "the daemon's socket, twinmq.sock in its data directory")
      ->type_name("PATH")
      ->capture_default_str();
}

Result<Json> ask_daemon(const std::string& socket, const char* operation, Json arguments) {
  const auto answer = app::ask_admin_socket(
      socket, Json{{"operation", operation}, {"arguments", std::move(arguments)}}.dump(
                  -1, ' ', false, Json::error_handler_t::replace));
  if (!answer) return answer.error();
  const Json parsed = Json::parse(*answer, nullptr, false);
  if (parsed.is_object() && parsed.contains("result")) return parsed["result"];
  const Json detail =
      parsed.is_object() ? parsed.value("/error/detail"_json_pointer, Json()) : Json();
  const Json code = parsed.is_object() ? parsed.value("/error/code"_json_pointer, Json()) : Json();
  return Error{code == "invalid_argument" ? ErrorCode::InvalidConfig : ErrorCode::Internal,
               detail.is_string() ? detail.get<std::string>() : "the daemon's answer is no JSON"};
}

int refuse(const Error& error) {
  fmt::print(stderr, "twinmq: {}\n", error.detail);
  return error.code == ErrorCode::InvalidArgument ? kExitUsage : kExitFailure;
}

}  // namespace twinmq
