#include "app/plugin_functions.hpp"

#include <utility>

#include "plugins/plugin_set.hpp"

namespace twinmq::app {

Result<std::shared_ptr<sql::OutsideFunctions>> open_plugin_functions(
    const Config& config,
    std::function<void(LogLevel, std::string_view event, const std::string& detail)> log) {
  auto plugins = plugins::PluginSet::open(config.plugin, std::move(log));
  if (!plugins) return plugins.error();
  return std::shared_ptr<sql::OutsideFunctions>(std::move(*plugins));
}

}  // namespace twinmq::app
