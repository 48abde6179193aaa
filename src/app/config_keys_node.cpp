// The process itself: where it keeps what it has, its threads, its administrators, its log.

#include "app/config_key_rows.hpp"

namespace twinmq::app {

std::vector<ConfigKey> data_dir_keys() {
  return {
      key_of<&Config::data_dir>(
          "data_dir",
          "Directory of everything the broker keeps; empty: none, nothing outlives the process."),
  };
}

std::vector<ConfigKey> node_keys() {
  using N = NodeConfig;
  constexpr auto node = &Config::node;
  return {
      number<node, &N::shards>("node.shards", 0, 64,
                               "Event loops, one thread each; 0: one per core, at most 64."),
      key_of<node, &N::watch_config>(
          "node.watch_config",
          "Whether twinmqd reads its configuration file again when it changes, as on HUP."),
  };
}

std::vector<ConfigKey> admin_keys() {
  return {
      key_of<&Config::admin, &AdminConfig::enabled>(
          "admin.enabled", "Whether the daemon listens for the command twinmq on a local socket."),
      key_of<&Config::admin, &AdminConfig::socket>(
          "admin.socket",
          "Path of that socket, which only its owner may use; empty: twinmq.sock in data_dir, or "
          "$XDG_RUNTIME_DIR/twinmq-PORT.sock when nothing is kept there."),
      key_of<&Config::admin, &AdminConfig::principals>(
          "admin.principals",
          "Authenticated users who may manage over HTTP, rules for example; none: nobody."),
  };
}

std::vector<ConfigKey> log_keys() {
  return {
      key_of<&Config::log, &LogConfig::level>("log.level",
                                              "Least serious kind of line that is logged."),
      key_of<&Config::log, &LogConfig::json>("log.json",
                                             "Whether lines are JSON objects instead of text."),
      key_of<&Config::log, &LogConfig::file>("log.file",
                                             "File that is appended to; empty: standard error."),
  };
}

}  // namespace twinmq::app
