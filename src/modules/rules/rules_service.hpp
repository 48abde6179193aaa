#pragma once
// The rules of a broker, as one shard runs them: every rule is a subscriber in the topic tree, and
// what its actions publish is part of the transaction of the message that set it off. A rule that
// remembers earlier messages runs on the shard where its name is at home, so that results do not
// depend on how many shards there are; its messages travel there under $twinmq/rules/state/<rule>.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/service.hpp>
#include <twinmq/sink.hpp>

#include "modules/rules/envelope.hpp"
#include "modules/rules/rule_actions.hpp"
#include "modules/rules/rule_world.hpp"
#include "modules/rules/running_rule.hpp"
#include "sql/outside.hpp"

namespace twinmq::rules {

/// What neither SQL nor this house knows. Without functions there are none.
struct Outside {
  std::shared_ptr<sql::OutsideFunctions> functions;
  /// Runs the errand in a later turn of that shard, with its service of rules; from any thread.
  std::function<void(std::uint32_t shard, std::function<void(Service&)> errand)> post;
  /// The document of a thing's shadow as JSON, as the broker has it at that moment: it waits for no
  /// commit. `done` is called once, on any thread; empty: there is none. Null: no shadows.
  std::function<void(std::string thing, std::string name, std::function<void(std::string)> done)>
      shadow = nullptr;
  /// What lookup() and decode(…, 'proto', …) know; null: nothing.
  std::shared_ptr<const sql::KnownFiles> files = nullptr;
};

class RulesService final : public Service {
 public:
  using ZoneFile = RuleWorld::ZoneFile;

  /// Without `sinks` actions that leave the process fail.
  RulesService(const RulesConfig& config, const std::vector<PlacedRule>& rules, ZoneFile zone_file,
               std::shared_ptr<SinkQueues> sinks = nullptr, Outside outside = {});
  ~RulesService() override;

  std::string_view name() const override { return "rules"; }
  void attach(ServiceHost& host) override;
  Result<void> restore(Store& store, Now now) override;
  std::string_view home_key(std::string_view topic) const override;
  bool forbids(std::string_view topic, bool retain) const override;
  bool hides(std::string_view topic) const override;
  void on_message(const ServiceMessage& message, Reaction& reaction) override;
  Instant next_deadline() const override;
  void on_time(Reaction& reaction) override;

  // --- Within a turn, after attach()

  /// The rule sees the next message. In the place of one with its name, whose counters, memory and
  /// open windows stay if the statement is the same.
  void put(const PlacedRule& rule);
  /// It sees no further message. `forget`: what it remembers leaves the store too.
  void remove(std::string_view name, bool forget);
  /// Of evaluations to come, and of the memory of rules to come.
  void set_limits(const RulesConfig& config);

  /// Of evaluations to come.
  void set_files(std::shared_ptr<const sql::KnownFiles> files) {
    world_.set_files(std::move(files));
  }

  /// Of this shard. Nothing: there is no such rule.
  std::optional<RuleCounters> counters(std::string_view rule) const;
  /// By the access rules, for the principal that the rule acts as.
  bool may_publish(std::string_view rule, std::string_view topic, QoS qos, bool retain) const;
  bool may_subscribe(std::string_view rule, std::string_view filter) const;

 private:
  RunningRule& admit(const PlacedRule& rule);
  void subscribe(RunningRule& rule);
  void unsubscribe(RunningRule& rule);
  void ingest(const ServiceMessage& message, Reaction& reaction);
  void remembered(const ServiceMessage& message, Reaction& reaction);
  void forward(RunningRule& rule, SeenMessage& seen, Reaction& reaction);
  void run(RunningRule& rule, SeenMessage& seen, Reaction& reaction);
  void run_due(const Envelope& envelope, std::string_view topic, Reaction& reaction);
  bool may_receive(RunningRule& rule, const MessageParts& message);
  void count_failure(RunningRule& rule, sql::Outcome outcome);
  void keep(RunningRule& rule, Reaction& reaction);
  void gather(RunningRule& rule, SeenMessage& seen, Reaction& reaction);
  void act_on_closed(RunningRule& rule, Reaction& reaction);
  void tell_closings(RunningRule& rule, Reaction& reaction);

  bool must_wait(std::string_view publisher) const;
  void wait(const Envelope& envelope, std::string_view topic, Reaction& reaction);
  void ask(WaitingMessage& waiting);
  void rehearse(RunningRule& rule, WaitingMessage& waiting);
  void ask_for_shadow(std::string_view arguments, const std::function<void(std::string)>& answered);
  void on_answer(std::uint64_t ticket, std::string answer);
  void go_on(const std::string& publisher);

  // Those with one filter.
  struct Filtered {
    std::vector<RunningRule*> rules;
    bool open = false;  // the filter ends with /#, which here does not cover the level above
    std::string filter;
  };

  ServiceHost* host_ = nullptr;
  Outside outside_;
  sql::Budget budget_;
  std::size_t cells_max_ = 0;
  std::string account_id_;
  json::Arena document_;         ///< of the message at hand, for all its rules
  json::Arena closed_document_;  ///< of the result of a window
  sql::Scratch scratch_;
  RuleWorld world_;
  RuleActions actions_;

  std::unordered_map<std::string, std::unique_ptr<RunningRule>> rules_;
  std::vector<RunningRule*> windowed_;                   ///< those with GROUP BY
  std::unordered_map<std::string, std::uint32_t> tags_;  ///< by filter
  std::vector<Filtered> by_tag_;
  std::vector<std::uint32_t> free_tags_;
  std::vector<RunningRule*> due_;  ///< by the message at hand
  std::vector<std::string> closed_;
  std::vector<std::string> forgotten_;  ///< keys in the store that no rule reads any more

  std::unordered_map<std::string, std::deque<std::unique_ptr<WaitingMessage>>>
      waiting_;                                               ///< by publisher, in order
  std::unordered_map<std::uint64_t, WaitingMessage*> asked_;  ///< by ticket
  std::uint64_t tickets_ = 0;
  std::size_t waiting_count_ = 0;
  std::vector<std::unique_ptr<RunningRule>> retired_;  ///< replaced while messages wait
};

}  // namespace twinmq::rules
