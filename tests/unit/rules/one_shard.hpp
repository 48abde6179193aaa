#pragma once
// One shard with rules, and the rules for it.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "modules/rules/compiled_rule.hpp"
#include "modules/rules/rules_service.hpp"
#include "rules_world.hpp"
#include "sql/statement.hpp"

namespace twinmq::rules {

inline RuleConfig rule(std::string sql, std::vector<RuleActionConfig> actions,
                       std::string name = "r") {
  RuleConfig config;
  config.name = std::move(name);
  config.sql = std::move(sql);
  config.actions = std::move(actions);
  return config;
}

inline RuleActionConfig republish(std::string topic, std::string payload = {}) {
  RuleActionConfig action;
  action.topic = std::move(topic);
  action.payload = std::move(payload);
  return action;
}

/// One shard with rules; messages come with the tags of every filter that covers their topic.
class Rules {
 public:
  explicit Rules(std::vector<RuleConfig> rules, bool home = true, const Outside& outside = {})
      : service({}, compile_all(rules, outside.functions.get()), nullptr, nullptr, outside) {
    host.home = home;
    service.attach(host);
  }

  std::vector<Published> publish(std::string_view topic, std::string_view payload,
                                 std::string_view properties = {},
                                 std::string_view publisher = "dev-1") {
    std::vector<std::uint32_t> tags;
    for (const auto& [filter, tag] : host.filters)
      if (sql::filter_covers(filter, topic) && tag != 0) tags.push_back(tag);
    MessageParts parts;
    parts.topic = topic;
    parts.payload = payload;
    parts.properties = properties;
    parts.publisher = publisher;
    parts.qos = QoS::AtLeastOnce;
    Collected reaction;
    service.on_message({parts, tags, "alice", "10.0.0.7:1234"}, reaction);
    batch = reaction.batch;
    return reaction.published;
  }

  void put(const RuleConfig& config, std::size_t place = 0) {
    service.put({compile_all({config}).at(0).rule, place});
  }

  Host host;
  RulesService service;
  Batch batch;
};

}  // namespace twinmq::rules
