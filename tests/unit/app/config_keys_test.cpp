#include "app/config_keys.hpp"

#include <set>

#include <catch2/catch.hpp>

#include <twinmq/config_file.hpp>

using namespace twinmq;
using namespace twinmq::app;

namespace {

/// A value the key allows that is not the one it has.
ConfigValue another_value(const ConfigKey& key, const ConfigValue& now) {
  switch (key.kind) {
    case KeyKind::Boolean: return !(std::holds_alternative<bool>(now) && std::get<bool>(now));
    case KeyKind::Integer: return now == ConfigValue(key.max) ? key.min : key.max;
    case KeyKind::Text: return std::string("some text");
    case KeyKind::List: return std::vector<std::string>{"some", "texts"};
    case KeyKind::Choice:
      return std::string(now == ConfigValue(std::string(key.choices.front()))
                             ? key.choices.back()
                             : key.choices.front());
  }
  return {};
}

}  // namespace

TEST_CASE("every key reads back what was set, and no other key moves") {
  for (const ConfigKey& key : config_keys()) {
    INFO(key.name);
    Config config = daemon_defaults();
    const ConfigValue value = another_value(key, key.get(config, 0));
    key.set(config, 0, value);
    CHECK(key.get(config, 0) == value);
    const Config untouched = daemon_defaults();
    for (const ConfigKey& other : config_keys()) {
      if (other.name != key.name) CHECK(other.get(config, 0) == other.get(untouched, 0));
    }
  }
}

TEST_CASE("names are unique, sections stand together, and every default is allowed") {
  std::set<std::string_view> names;
  std::set<std::string_view> sections;
  std::string_view section = "?";
  const Config defaults = daemon_defaults();
  for (const ConfigKey& key : config_keys()) {
    INFO(key.name);
    CHECK(names.insert(key.name).second);
    CHECK(key.sentence.ends_with('.'));
    const ConfigValue value = key.get(defaults, 0);
    CHECK_FALSE(value_complaint(key, value, ""));
    CHECK(key.example.empty() == !std::holds_alternative<std::monostate>(value));
    if (key.section() != section) {
      CHECK(sections.insert(key.section()).second);
      section = key.section();
    }
  }
}

TEST_CASE("the keys that outside scripts set exist") {
  for (const char* name :
       {"node.shards", "data_dir", "access.anonymous", "access.password_file", "access.acl_file",
        "storage.durability", "mqtt.receive_maximum", "mqtt.topic_alias_maximum",
        "mqtt.keep_alive_max", "mqtt.packet_size_max", "mqtt.qos_max", "mqtt.retain_available",
        "mqtt.session_expiry_max", "limits.connections_max", "limits.queue_messages_max",
        "limits.queue_bytes_max", "listener.url", "listener.anonymous",
        "listener.connections_max"}) {
    CHECK(find_config_key(name) != nullptr);
  }
}

TEST_CASE("an unset choice can be taken back by the host") {
  Config config;
  const ConfigKey& key = *find_config_key("access.anonymous");
  key.set(config, 0, true);
  CHECK(config.access.anonymous == true);
  key.set(config, 0, {});
  CHECK_FALSE(config.access.anonymous.has_value());
}
