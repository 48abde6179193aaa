#pragma once
// Which rules there are: those of the configuration, and those made at run time, which lie in the
// store. One change at a time; each is checked, stored, and put in force on every shard before its
// caller gets an answer.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/log.hpp>
#include <twinmq/rules.hpp>
#include <twinmq/store.hpp>

#include "app/rule_sinks.hpp"
#include "modules/rules/rules_service.hpp"
#include "plugins/plugin_set.hpp"
#include "sinks/durable_queues.hpp"

namespace twinmq::app {

/// What a RuleBook needs of the running broker. The first two wait.
struct RuleBookDoors {
  /// False: the changes may not be safe.
  std::function<bool(const Batch& changes)> commit;
  /// Calls `errand` on every shard's thread; they run beside each other, and perhaps later
  /// than the return. False: not every shard answered.
  using Errand = std::function<void(rules::RulesService&, std::uint32_t shard)>;
  std::function<bool(const Errand& errand)> on_every_shard;
  std::function<WallTime()> wall;
  std::function<void(LogLevel, std::string_view event, const std::string& detail)> log;
};

/// A line for each of its warnings.
void log_warnings(
    const rules::CompiledRule& rule,
    const std::function<void(LogLevel, std::string_view event, const std::string& detail)>& log);

class RuleBook final : public Rules {
 public:
  RuleBook(RuleBookDoors doors, std::shared_ptr<plugins::PluginSet> plugins)
      : doors_(std::move(doors)), plugins_(std::move(plugins)) {}

  // --- On the thread that starts and stops the broker

  /// Reads what the store holds beside the rules of the configuration, and opens the queues of
  /// both. The error names a name that stands in both.
  Result<void> begin(const Config& config, Store& store,
                     std::shared_ptr<sinks::DurableQueues> queues);
  void end();

  /// Rules of a configuration that is about to be loaded again, checked; no other change happens
  /// while it lives.
  struct Reload;
  /// Nothing changes yet. The error names what is wrong.
  Result<std::shared_ptr<Reload>> prepare(const Config& config);
  /// Puts them in force.
  void apply(Reload& reload);

  /// What a shard starts with. Any thread.
  std::vector<rules::PlacedRule> placed() const;

  // --- Rules
  std::vector<RuleStatus> list() const override;
  Result<RuleStatus> get(std::string_view name) const override;
  Result<void> create(RuleConfig rule) override;
  Result<void> replace(RuleConfig rule) override;
  Result<void> enable(std::string_view name, bool enabled) override;
  Result<void> erase(std::string_view name) override;
  Result<RuleStatistics> statistics(std::string_view name) const override;
  std::vector<SinkStatistics> sinks() const override;
  Result<std::uint64_t> replay(std::string_view sink) override;

 private:
  using Compiled = std::shared_ptr<const rules::CompiledRule>;
  struct Entry {
    RuleStatus status;
    Compiled compiled;  ///< null: it does not run
    std::size_t place = 0;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;
  /// Rules of the store see a message after those of the configuration.
  static constexpr std::size_t kStoredPlace = SIZE_MAX;

  static Error not_found(std::string_view name);
  Result<void> read_stored(Store& store, Entries& entries);
  /// Whether it can run within the limits.
  Result<Compiled> judge(const RuleConfig& rule, const RulesConfig& limits) const;
  RulesConfig limits() const;
  /// Judges a stored rule again; the queues it needs are opened.
  void judge_again(Entry& entry, const RulesConfig& limits) const;
  Result<void> check_rights(const rules::CompiledRule& rule) const;
  /// Everything of a change but who may make it; `before`: what it replaces, null: nothing.
  Result<void> put(RuleConfig rule, const Entry* before);
  /// Nothing: it is there and may be changed.
  Result<Entry> changeable(std::string_view name) const;
  Result<void> ready() const;
  std::shared_ptr<sinks::DurableQueues> queues() const;

  const RuleBookDoors doors_;
  const std::shared_ptr<plugins::PluginSet> plugins_;
  const std::shared_ptr<RuleReach> reach_ = std::make_shared<RuleReach>();
  std::mutex change_;  ///< held during a change, waits included
  mutable std::mutex mutex_;
  bool open_ = false;
  RulesConfig limits_;
  Entries entries_;
  std::shared_ptr<sinks::DurableQueues> queues_;
};

}  // namespace twinmq::app
