#pragma once
// What is done with a rule's result: the actions, and the one for their failures.

#include <memory>
#include <string>
#include <string_view>

#include <twinmq/service.hpp>
#include <twinmq/sink.hpp>

#include "modules/rules/rule_world.hpp"
#include "modules/rules/running_rule.hpp"
#include "modules/rules/seen_message.hpp"
#include "sql/evaluator.hpp"

namespace twinmq::rules {

/// Topics on which only rules speak.
constexpr std::string_view kOwnTopics = "$twinmq/rules/";

/// Empty: rules may publish there, as far as their rights go; else why not.
std::string_view fault_of_target(std::string_view topic);
/// The topic of a request about a shadow; no name: the unnamed one.
std::string shadow_topic(std::string_view thing, std::string_view name, std::string_view operation);

/// Of one shard. World and scratch are its service's.
class RuleActions {
 public:
  /// Without `sinks` actions that leave the process fail.
  RuleActions(RuleWorld& world, sql::Scratch& scratch, std::shared_ptr<SinkQueues> sinks)
      : world_(world), scratch_(scratch), sinks_(std::move(sinks)) {}

  void attach(ServiceHost& host) { host_ = &host; }
  void set_budget(const sql::Budget& budget) { budget_ = budget; }

  /// Evaluates what the texts of its actions ask outside, and does nothing about it.
  void rehearse(RunningRule& rule, SeenMessage& seen);
  /// Everything the rule does about one result.
  void act(RunningRule& rule, SeenMessage& seen, const sql::Evaluated& result, Reaction& reaction);

 private:
  bool perform(RunningRule& rule, const CompiledAction& action, SeenMessage& seen,
               std::string_view result, Reaction& reaction, std::string& failure);
  bool publish(RunningRule& rule, const CompiledAction& action, SeenMessage& seen,
               std::string_view result, Reaction& reaction, std::string& failure);
  bool hand_over(RunningRule& rule, const CompiledAction& action, SeenMessage& seen,
                 std::string_view result, Reaction& reaction, std::string& failure);
  void report(RunningRule& rule, SeenMessage& seen, const std::string& failures,
              Reaction& reaction);
  std::string encoded_properties(const CompiledAction& action, SeenMessage& seen, bool& sound);

  RuleWorld& world_;
  sql::Scratch& scratch_;
  std::shared_ptr<SinkQueues> sinks_;
  sql::Budget budget_;
  ServiceHost* host_ = nullptr;
  std::string result_;
};

}  // namespace twinmq::rules
