#pragma once
// The plugins of a broker: which of them answers for a name.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>

#include "plugins/plugin.hpp"
#include "sql/outside.hpp"

namespace twinmq::plugins {

/// Any thread, once opened.
class PluginSet final : public sql::OutsideFunctions {
 public:
  /// Loads them in the order of the configuration. Errors name the plugin: its file, what is wrong
  /// with it, or the name that another one has taken.
  static Result<std::shared_ptr<PluginSet>> open(const std::vector<PluginConfig>& configs,
                                                 const Log& log);

  const std::vector<std::shared_ptr<Plugin>>& plugins() const { return plugins_; }
  std::vector<PluginStatistics> statistics() const;

  Kind kind_of(std::string_view name) const override;
  json::Value call(std::string_view name, std::span<const json::Value> arguments,
                   json::Arena& arena) override;
  json::Value aggregate(std::string_view name, std::span<const json::Value> values,
                        json::Arena& arena) override;
  void submit(std::string_view name, std::string arguments,
              std::function<void(std::string)> done) override;

  /// Not case-sensitive.
  bool has_action(std::string_view name) const;

  /// A sink of the action of that name; `options` is a JSON object. A delivery without end after
  /// `timeout` is tried again later.
  Result<std::unique_ptr<Sink>> open_sink(std::string_view action, const std::string& options,
                                          Milliseconds timeout) const;

 private:
  template <typename Description>
  struct Owned {
    std::shared_ptr<Plugin> plugin;
    Description door;
  };
  template <typename Description>
  using ByName = std::map<std::string, Owned<Description>, std::less<>>;

  Result<void> take(const std::shared_ptr<Plugin>& plugin);

  std::vector<std::shared_ptr<Plugin>> plugins_;
  ByName<twinmq_function> functions_;
  ByName<twinmq_aggregate> aggregates_;
  ByName<twinmq_action> actions_;
};

}  // namespace twinmq::plugins
