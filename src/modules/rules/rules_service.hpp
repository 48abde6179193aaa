#pragma once
// The rules of a broker, as one shard runs them: every rule is a subscriber in the topic tree, and what its
// actions publish is part of the transaction of the message that set it off. A rule that remembers earlier
// messages runs on the shard where its name is at home, so that results do not depend on how many shards
// there are; its messages travel there under $twinmq/rules/state/<rule>.

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

#include "modules/rules/compiled_rule.hpp"
#include "modules/rules/envelope.hpp"
#include "sql/outside.hpp"
#include "sql/statement.hpp"

namespace twinmq::rules {

/// What became of the messages a rule saw, on one shard.
struct RuleCounters {
  std::uint64_t matched = 0;
  std::uint64_t unmatched = 0;        ///< WHERE was not true
  std::uint64_t evaluation_failed = 0;  ///< a budget was spent, or a look-up had no answer
  std::uint64_t actions_done = 0;
  std::uint64_t actions_failed = 0;
};

/// What neither SQL nor this house knows. Without functions there are none.
struct Outside {
  std::shared_ptr<sql::OutsideFunctions> functions;
  /// Runs the errand in a later turn of that shard, with its service of rules; from any thread.
  std::function<void(std::uint32_t shard, std::function<void(Service&)> errand)> post;
};

class RulesService final : public Service {
 public:
  using ZoneFile = std::function<std::optional<std::string>(std::string_view)>;

  /// The rules have been validated: one that cannot be compiled is left out.
  /// Without `sinks` file and http actions fail.
  RulesService(const RulesConfig& config, const std::vector<RuleConfig>& rules, ZoneFile zone_file,
               std::shared_ptr<SinkQueues> sinks = nullptr, Outside outside = {});
  ~RulesService() override;

  std::string_view name() const override { return "rules"; }
  void attach(ServiceHost& host) override;
  Result<void> restore(Store& store, Now now) override;
  std::string_view home_key(std::string_view topic) const override;
  bool forbids(std::string_view topic, bool retain) const override;
  void on_message(const ServiceMessage& message, Reaction& reaction) override;
  Instant next_deadline() const override;
  void on_time(Reaction& reaction) override;

  /// nullptr: there is no such rule.
  const RuleCounters* counters(std::string_view rule) const;

 private:
  struct Rule;
  struct Seen;
  struct Waiting;
  class World;

  void ingest(const ServiceMessage& message, Reaction& reaction);
  void remembered(const ServiceMessage& message, Reaction& reaction);
  void run(Rule& rule, Seen& seen, Reaction& reaction);
  void run_due(const Envelope& envelope, std::string_view topic, Reaction& reaction);
  bool must_wait(std::string_view publisher) const;
  void wait(const Envelope& envelope, std::string_view topic, Reaction& reaction);
  void ask(Waiting& waiting);
  void on_answer(std::uint64_t ticket, std::string answer);
  void go_on(const std::string& publisher);
  void act(Rule& rule, Seen& seen, const sql::Evaluated& result, Reaction& reaction);
  bool perform(Rule& rule, const CompiledAction& action, Seen& seen, std::string_view result, Reaction& reaction,
               std::string& failure);
  bool publish(Rule& rule, const CompiledAction& action, Seen& seen, std::string_view result, Reaction& reaction,
               std::string& failure);
  bool hand_over(Rule& rule, const CompiledAction& action, Seen& seen, std::string_view result, Reaction& reaction,
                 std::string& failure);
  void report(Rule& rule, Seen& seen, const std::string& failures, Reaction& reaction);
  void keep(Rule& rule, Reaction& reaction);
  void gather(Rule& rule, Seen& seen, Reaction& reaction);
  void act_on_closed(Rule& rule, Reaction& reaction);
  std::string encoded_properties(const CompiledAction& action, Seen& seen, bool& sound);

  sql::Budget budget_;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::unordered_map<std::string, Rule*> by_name_;
  std::vector<Rule*> windowed_;              ///< those with GROUP BY
  std::vector<std::vector<Rule*>> by_tag_;  ///< those with one filter
  std::vector<Rule*> due_;                   ///< by the message at hand
  std::string result_;
  std::vector<std::string> closed_;
  ServiceHost* host_ = nullptr;
  std::unique_ptr<World> world_;
  std::shared_ptr<SinkQueues> sinks_;
  Outside outside_;
  std::unordered_map<std::string, std::deque<std::unique_ptr<Waiting>>> waiting_;  ///< by publisher, in order
  std::unordered_map<std::uint64_t, Waiting*> asked_;                              ///< by ticket
  std::uint64_t tickets_ = 0;
  std::size_t waiting_count_ = 0;
  json::Arena document_;
  sql::Scratch scratch_;
};

}  // namespace twinmq::rules
