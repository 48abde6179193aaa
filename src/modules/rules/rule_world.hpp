#pragma once
// What statements of one shard ask of the world: plugins, zones, chance; and the messages that wait for an answer.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <twinmq/service.hpp>

#include "base/prng.hpp"
#include "modules/rules/running_rule.hpp"
#include "sql/outside.hpp"
#include "sql/world.hpp"

namespace twinmq::rules {

// A message held back until what its rules ask outside is known. Its rules are evaluated for their questions, again
// and again until there is none left, and then for good: what they see is the same every time.
struct WaitingMessage {
  HeldTransaction transaction = 0;
  std::string publisher;
  std::string envelope;
  std::string topic;  ///< as statements see it
  std::vector<RunningRule*> due;
  std::int64_t now = 0;
  std::uint64_t seed = 0;
  std::uint64_t ticket = 0;
  unsigned rounds = 0;
  bool ready = false;
  std::string question;                                  ///< the call that has no answer yet
  std::unordered_map<std::string, std::string> answers;  ///< JSON by call; empty: Undefined
};

class RuleWorld final : public sql::World {
 public:
  using ZoneFile = std::function<std::optional<std::string>(std::string_view)>;

  RuleWorld(ZoneFile zone_file, std::shared_ptr<sql::OutsideFunctions> functions)
      : zone_file_(std::move(zone_file)), functions_(std::move(functions)) {}

  void attach(ServiceHost& host) { host_ = &host; }

  /// Until the next call functions that answer later are looked up there, and asked for there.
  void look_up_in(WaitingMessage* waiting);

  std::optional<json::Value> call(std::string_view function, std::span<const json::Value> arguments,
                                  json::Arena& arena) override;
  json::Value aggregate(std::string_view name, std::span<const json::Value> values, json::Arena& arena) override;
  std::optional<std::string> zone_file(std::string_view name) override;
  std::uint64_t random() override;

 private:
  ZoneFile zone_file_;
  std::shared_ptr<sql::OutsideFunctions> functions_;
  ServiceHost* host_ = nullptr;
  WaitingMessage* waiting_ = nullptr;
  base::Prng chance_{0};  // the same at every evaluation of a message
};

}  // namespace twinmq::rules
