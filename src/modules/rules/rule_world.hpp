#pragma once
// What statements of one shard ask of the world: plugins, zones, chance; and the messages that wait
// for an answer.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/service.hpp>

#include "base/prng.hpp"
#include "modules/rules/envelope.hpp"
#include "modules/rules/running_rule.hpp"
#include "sql/known_files.hpp"
#include "sql/outside.hpp"
#include "sql/world.hpp"

namespace twinmq::rules {

// A message held back until what its rules ask outside is known. Its rules are evaluated for their
// questions, again and again until there is none left, and then for good: what they see is the same
// every time.
struct WaitingMessage {
  HeldTransaction transaction = 0;
  std::string publisher;
  std::string envelope;
  std::string topic;  ///< as statements see it
  std::vector<RunningRule*> due;
  std::int64_t now = 0;
  std::uint64_t ticket = 0;
  unsigned rounds = 0;
  bool ready = false;
  std::string question;  ///< the call that has no answer yet
  Answers answers;
};

class RuleWorld final : public sql::World {
 public:
  using ZoneFile = std::function<std::optional<std::string>(std::string_view)>;

  RuleWorld(ZoneFile zone_file, std::shared_ptr<sql::OutsideFunctions> functions)
      : zone_file_(std::move(zone_file)), functions_(std::move(functions)) {}

  void attach(ServiceHost& host) { host_ = &host; }

  /// Until the next call functions that answer later are looked up there, and asked for there, by
  /// the rule that acts_as() names.
  void look_up_in(WaitingMessage* waiting);
  /// What is looked up there, as write_answers() writes it; empty: nothing is.
  std::string answers() const {
    return waiting_ == nullptr ? std::string() : write_answers(waiting_->answers);
  }
  void acts_as(std::string_view rule) { rule_ = rule; }

  /// What look_up() and protobuf_types() answer from; nothing of the earlier one may be in use.
  void set_files(std::shared_ptr<const sql::KnownFiles> files) { files_ = std::move(files); }
  /// How often decode() met what it cannot read since the last call.
  std::uint64_t take_undecodable() { return std::exchange(undecodable_, 0); }

  std::optional<json::Value> call(std::string_view function, std::span<const json::Value> arguments,
                                  json::Arena& arena) override;
  json::Value aggregate(std::string_view name, std::span<const json::Value> values,
                        json::Arena& arena) override;
  std::optional<std::string> thing_shadow(std::string_view thing, std::string_view name) override;
  std::optional<json::Value> look_up(std::string_view table, std::string_view key,
                                     json::Arena& arena) override;
  const sql::ProtobufTypes* protobuf_types(std::string_view name) override;
  void note_undecodable() override { ++undecodable_; }
  std::optional<std::string> zone_file(std::string_view name) override;
  std::uint64_t random() override;

 private:
  ZoneFile zone_file_;
  std::shared_ptr<sql::OutsideFunctions> functions_;
  std::shared_ptr<const sql::KnownFiles> files_;  ///< null: none
  std::uint64_t undecodable_ = 0;
  ServiceHost* host_ = nullptr;
  /// The answer to a question, if it is known; else it is asked, one at a time.
  const std::string* answer_to(std::string question);

  WaitingMessage* waiting_ = nullptr;
  std::string_view rule_;
  base::Prng chance_{0};  // the same at every evaluation of a message
};

}  // namespace twinmq::rules
