#include "modules/rules/rule_world.hpp"

#include <utility>

#include "json/read.hpp"
#include "json/write.hpp"
#include "sql/program.hpp"

namespace twinmq::rules {

void RuleWorld::look_up_in(WaitingMessage* waiting) {
  waiting_ = waiting;
  chance_ = base::Prng(waiting == nullptr ? 0 : waiting->answers.seed);
}

std::optional<json::Value> RuleWorld::call(std::string_view function,
                                           std::span<const json::Value> arguments,
                                           json::Arena& arena) {
  using Kind = sql::OutsideFunctions::Kind;
  const Kind kind = functions_ ? functions_->kind_of(function) : Kind::None;
  if (kind == Kind::Fast) return functions_->call(function, arguments, arena);
  if (kind != Kind::Pooled) return std::nullopt;
  const std::string* const answer =
      answer_to(std::string(function) + json::text_of(json::Value::array(arguments)));
  if (answer == nullptr) return std::nullopt;
  return json::read(arena.copy(*answer), arena).value;
}

const std::string* RuleWorld::answer_to(std::string question) {
  if (waiting_ == nullptr || !waiting_->question.empty()) return nullptr;
  const auto found = waiting_->answers.by_call.find(question);
  if (found != waiting_->answers.by_call.end()) return &found->second;
  waiting_->question = std::move(question);
  return nullptr;
}

// What one rule may read, another may not: each asks for itself.
std::optional<std::string> RuleWorld::thing_shadow(std::string_view thing, std::string_view name) {
  const json::Value arguments[] = {json::Value::string(thing), json::Value::string(name),
                                   json::Value::string(rule_)};
  const std::string* const answer =
      answer_to(std::string(sql::kThingShadow) + json::text_of(json::Value::array(arguments)));
  if (answer == nullptr || answer->empty()) return std::nullopt;
  return *answer;
}

json::Value RuleWorld::aggregate(std::string_view name, std::span<const json::Value> values,
                                 json::Arena& arena) {
  return functions_ ? functions_->aggregate(name, values, arena) : json::Value();
}

std::optional<json::Value> RuleWorld::look_up(std::string_view table, std::string_view key,
                                              json::Arena&) {
  return files_ ? files_->row(table, key) : std::nullopt;
}

const sql::ProtobufTypes* RuleWorld::protobuf_types(std::string_view name) {
  return files_ ? files_->types(name) : nullptr;
}

std::optional<std::string> RuleWorld::zone_file(std::string_view name) {
  return zone_file_ ? zone_file_(name) : std::nullopt;
}

std::uint64_t RuleWorld::random() {
  return waiting_ == nullptr ? host_->random() : chance_.next();
}

}  // namespace twinmq::rules
