#include "plugins/plugin_set.hpp"

#include <utility>

#include "json/read.hpp"
#include "json/write.hpp"
#include "plugins/plugin_sink.hpp"
#include "sql/aggregate.hpp"
#include "sql/functions.hpp"

namespace twinmq::plugins {

using json::Value;

Result<std::shared_ptr<PluginSet>> PluginSet::open(const std::vector<PluginConfig>& configs,
                                                   const Log& log) {
  auto set = std::make_shared<PluginSet>();
  for (const PluginConfig& config : configs) {
    auto plugin = Plugin::open(config, log);
    if (!plugin) return plugin.error();
    if (auto taken = set->take(*plugin); !taken) return taken.error();
    set->plugins_.push_back(std::move(*plugin));
  }
  return set;
}

Result<void> PluginSet::take(const std::shared_ptr<Plugin>& plugin) {
  const auto wrong = [&](const std::string& what) {
    return Error{ErrorCode::InvalidConfig, "plugin \"" + plugin->name() + "\": " + what};
  };
  for (const auto& [name, door] : plugin->offers().functions) {
    if (sql::find_function(name) != nullptr || sql::aggregate_of(name))
      return wrong(name + "() is a function of SQL");
    if (!functions_.emplace(name, Owned<twinmq_function>{plugin, door}).second)
      return wrong("another plugin has the function " + name + "()");
  }
  for (const auto& [name, door] : plugin->offers().aggregates) {
    if (sql::find_function(name) != nullptr || sql::aggregate_of(name))
      return wrong(name + "() is a function of SQL");
    if (functions_.contains(name) ||
        !aggregates_.emplace(name, Owned<twinmq_aggregate>{plugin, door}).second)
      return wrong("there is a function " + name + "() already");
  }
  for (const auto& [name, door] : plugin->offers().actions)
    if (!actions_.emplace(name, Owned<twinmq_action>{plugin, door}).second)
      return wrong("another plugin has the action " + name);
  return {};
}

std::vector<PluginStatistics> PluginSet::statistics() const {
  std::vector<PluginStatistics> all;
  for (const auto& plugin : plugins_) all.push_back(plugin->statistics());
  return all;
}

sql::OutsideFunctions::Kind PluginSet::kind_of(std::string_view name) const {
  if (const auto found = functions_.find(name); found != functions_.end())
    return (found->second.door.flags & TWINMQ_FAST) != 0 ? Kind::Fast : Kind::Pooled;
  return aggregates_.contains(name) ? Kind::Aggregate : Kind::None;
}

namespace {

// Undefined: the function failed.
Value run(Plugin& plugin, std::string_view name, const twinmq_function& door,
          std::span<const Value> arguments, json::Arena& arena) {
  auto* shown_arguments = arena.array<twinmq_value>(arguments.size());
  if (shown_arguments == nullptr) return {};
  for (std::size_t i = 0; i < arguments.size(); ++i)
    shown_arguments[i] = shown(arguments[i], arena);
  Answer answer(arena);
  const bool done = plugin.call_here(name, answer, [&] {
    door.call(door.context, shown_arguments, arguments.size(), answer.raw());
  });
  return done ? answer.value() : Value();
}

}  // namespace

Value PluginSet::call(std::string_view name, std::span<const Value> arguments, json::Arena& arena) {
  const auto found = functions_.find(name);
  if (found == functions_.end()) return {};
  return run(*found->second.plugin, name, found->second.door, arguments, arena);
}

Value PluginSet::aggregate(std::string_view name, std::span<const Value> values,
                           json::Arena& arena) {
  const auto found = aggregates_.find(name);
  if (found == aggregates_.end()) return {};
  const twinmq_aggregate& door = found->second.door;
  Answer answer(arena);
  const bool done = found->second.plugin->call_here(name, answer, [&] {
    void* group = door.begin(door.context);
    if (group == nullptr) return answer.raw()->fail(answer.raw(), shown("it could not begin"));
    for (const Value& value : values) {
      const twinmq_value each = shown(value, arena);
      door.add(group, &each);
    }
    door.finish(group, answer.raw());
    door.end(group);
  });
  return done ? answer.value() : Value();
}

void PluginSet::submit(std::string_view name, std::string arguments,
                       std::function<void(std::string)> done) {
  const auto found = functions_.find(name);
  if (found == functions_.end()) return done({});
  const auto plugin = found->second.plugin;
  plugin->call_later(
      plugin->deadline(),
      [plugin, name = found->first, door = found->second.door, arguments = std::move(arguments)] {
        json::Arena arena;
        const json::ReadResult read = json::read(arguments, arena);
        return std::make_shared<std::string>(
            json::text_of(run(*plugin, name, door, read.value.items(), arena)));
      },
      [done = std::move(done)](WorkerPool::End, const WorkerPool::Result& result) {
        done(result ? *std::static_pointer_cast<std::string>(result) : std::string());
      });
}

bool PluginSet::has_action(std::string_view name) const {
  return actions_.contains(sql::outside_name(name));
}

Result<std::unique_ptr<Sink>> PluginSet::open_sink(std::string_view action,
                                                   const std::string& options,
                                                   Milliseconds timeout) const {
  const auto found = actions_.find(sql::outside_name(action));
  if (found == actions_.end())
    return Error{ErrorCode::InvalidConfig,
                 "no plugin has the action \"" + std::string(action) + "\""};
  return PluginSink::open(found->second.plugin, found->first, found->second.door, options, timeout);
}

}  // namespace twinmq::plugins
