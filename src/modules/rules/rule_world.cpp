#include "modules/rules/rule_world.hpp"

#include <utility>

#include "json/read.hpp"
#include "json/write.hpp"

namespace twinmq::rules {

void RuleWorld::look_up_in(WaitingMessage* waiting) {
  waiting_ = waiting;
  chance_ = base::Prng(waiting == nullptr ? 0 : waiting->seed);
}

std::optional<json::Value> RuleWorld::call(std::string_view function, std::span<const json::Value> arguments,
                                           json::Arena& arena) {
  using Kind = sql::OutsideFunctions::Kind;
  const Kind kind = functions_ ? functions_->kind_of(function) : Kind::None;
  if (kind == Kind::Fast) return functions_->call(function, arguments, arena);
  if (kind != Kind::Pooled || waiting_ == nullptr || !waiting_->question.empty()) return std::nullopt;
  std::string question = std::string(function) + json::text_of(json::Value::array(arguments));
  const auto found = waiting_->answers.find(question);
  if (found == waiting_->answers.end()) {
    waiting_->question = std::move(question);
    return std::nullopt;
  }
  const json::ReadResult read = json::read(arena.copy(found->second), arena);
  return read.value;
}

json::Value RuleWorld::aggregate(std::string_view name, std::span<const json::Value> values, json::Arena& arena) {
  return functions_ ? functions_->aggregate(name, values, arena) : json::Value();
}

std::optional<std::string> RuleWorld::zone_file(std::string_view name) {
  return zone_file_ ? zone_file_(name) : std::nullopt;
}

std::uint64_t RuleWorld::random() {
  return waiting_ == nullptr ? host_->random() : chance_.next();
}

}  // namespace twinmq::rules
