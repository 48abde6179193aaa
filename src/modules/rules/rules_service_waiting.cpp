// Messages whose rules call functions that answer later: each is held with its transaction until
// everything its rules ask is answered, and the publisher's next ones wait behind it.

#include <algorithm>
#include <utility>

#include "json/read.hpp"
#include "modules/rules/rules_service.hpp"
#include "sql/functions.hpp"

namespace twinmq::rules {
namespace {

constexpr std::size_t kWaitingMax = 10'000;  // messages of one shard
constexpr unsigned kRoundsMax = 64;          // questions about one message

}  // namespace

// What a publisher sends behind a message that waits, waits too: order is kept.
bool RulesService::must_wait(std::string_view publisher) const {
  if (waiting_count_ > 0 && waiting_.contains(std::string(publisher))) return true;
  return outside_.functions && std::any_of(due_.begin(), due_.end(), [](const RunningRule* rule) {
           return rule->compiled().asks();
         });
}

void RulesService::wait(const Envelope& envelope, std::string_view topic, Reaction& reaction) {
  if (waiting_count_ >= kWaitingMax) {
    for (RunningRule* rule : due_) ++rule->counters.held_back;
    host_->count(Metric::RuleFailed, due_.size());
    host_->log(LogLevel::Warning, "rules are too slow",
               "waiting=" + std::to_string(waiting_count_));
    return reaction.refuse();
  }
  auto waiting = std::make_unique<WaitingMessage>();
  waiting->transaction = reaction.hold();
  waiting->publisher = envelope.publisher;
  // Every evaluation to come sees the same one.
  const std::string trace_id = sql::new_uuid(&world_);
  Envelope traced = envelope;
  traced.trace_id = trace_id;
  waiting->envelope = write_envelope(traced);
  waiting->topic = topic;
  waiting->due = due_;
  waiting->now = host_->now().wall.time_since_epoch().count();
  waiting->answers.seed = host_->random();
  waiting->ticket = ++tickets_;
  WaitingMessage& at = *waiting;
  ++waiting_count_;
  asked_.emplace(at.ticket, &at);
  waiting_[at.publisher].push_back(std::move(waiting));
  ask(at);
}

// Sends the first question that has no answer; without one the message is ready.
void RulesService::ask(WaitingMessage& waiting) {
  for (RunningRule* rule : waiting.due) {
    if (rule->compiled().asks()) rehearse(*rule, waiting);
    if (!waiting.question.empty()) break;
  }
  const auto answered = [post = outside_.post, shard = host_->shard(),
                         ticket = waiting.ticket](std::string answer) {
    post(shard, [ticket, answer = std::move(answer)](Service& service) {
      static_cast<RulesService&>(service).on_answer(ticket, answer);
    });
  };
  if (waiting.question.empty() || ++waiting.rounds > kRoundsMax) {
    waiting.question.clear();
    waiting.ready = true;
    return answered({});
  }
  const std::size_t arguments = waiting.question.find('[');
  const std::string_view function = std::string_view(waiting.question).substr(0, arguments);
  if (function == sql::kThingShadow)
    return ask_for_shadow(waiting.question.substr(arguments), answered);
  outside_.functions->submit(function, waiting.question.substr(arguments), answered);
}

// Evaluates what the rule will evaluate, to see what it asks.
void RulesService::rehearse(RunningRule& rule, WaitingMessage& waiting) {
  const auto envelope = read_envelope(waiting.envelope);
  document_.reset();
  scratch_.reset();
  SeenMessage seen(*envelope, waiting.topic, waiting.now, account_id_, document_);
  sql::State nothing;
  world_.look_up_in(&waiting);
  world_.acts_as(rule.compiled().name());
  if (rule.program->group) {
    sql::GroupInput input;
    sql::evaluate_group_input(*rule.program, seen.event, seen.payload, &world_, nothing, scratch_,
                              budget_, input);
  } else if (sql::evaluate(*rule.program, seen.event, seen.payload, &world_, nothing, scratch_,
                           budget_)
                 .outcome == sql::Outcome::Match) {
    actions_.rehearse(rule, seen);
  }
  world_.look_up_in(nullptr);
  world_.take_undecodable();  // counted when it counts
}

void RulesService::ask_for_shadow(std::string_view arguments,
                                  const std::function<void(std::string)>& answered) {
  json::Arena arena;
  const json::Value read = json::read(arguments, arena).value;
  const std::string thing(read.item(0).text());
  const std::string name(read.item(1).text());
  const std::string_view rule = read.item(2).text();
  const std::string topic = shadow_topic(thing, name, "get");
  // A name with levels of its own would be asked about under another one's topic.
  const bool named = thing.find('/') == std::string::npos && name.find('/') == std::string::npos;
  if (!outside_.shadow || !named || !fault_of_target(topic).empty()) return answered({});
  if (!host_->may(identity_of(rule), Action::Publish, topic, QoS::AtMostOnce, false)) {
    host_->log(LogLevel::Warning, "rule refused",
               "rule=" + std::string(rule) + " shadow_of=" + thing);
    return answered({});
  }
  outside_.shadow(thing, name, answered);
}

void RulesService::on_answer(std::uint64_t ticket, std::string answer) {
  const auto found = asked_.find(ticket);
  if (found == asked_.end()) return;
  WaitingMessage& waiting = *found->second;
  if (!waiting.ready) {
    waiting.answers.by_call.emplace(std::exchange(waiting.question, {}), std::move(answer));
    return ask(waiting);
  }
  const std::string publisher = waiting.publisher;
  go_on(publisher);
}

void RulesService::go_on(const std::string& publisher) {
  // What rules publish may come back to on_message() while a transaction goes on.
  auto& line = waiting_[publisher];
  while (!line.empty() && line.front()->ready) {
    const std::unique_ptr<WaitingMessage> waiting = std::move(line.front());
    line.pop_front();
    asked_.erase(waiting->ticket);
    --waiting_count_;
    host_->resume(waiting->transaction, [&](Reaction& reaction) {
      document_.reset();
      const auto envelope = read_envelope(waiting->envelope);
      SeenMessage seen(*envelope, waiting->topic, waiting->now, account_id_, document_);
      for (RunningRule* rule : waiting->due) {
        world_.look_up_in(rule->compiled().asks() ? waiting.get() : nullptr);
        world_.acts_as(rule->compiled().name());
        run(*rule, seen, reaction);
      }
      world_.look_up_in(nullptr);
    });
  }
  if (line.empty()) waiting_.erase(publisher);
  if (waiting_count_ == 0) retired_.clear();
}

}  // namespace twinmq::rules
