#include "sql/condition.hpp"

#include <algorithm>
#include <utility>

#include "sql/compiler.hpp"
#include "sql/statement.hpp"

namespace twinmq::sql {

Result<Condition, SyntaxFault> Condition::compile(std::string_view text, Dialect dialect) {
  auto syntax = parse_expression(text, dialect);
  if (!syntax) return syntax.error();
  CompileOptions options;
  options.dialect = dialect;
  options.version = default_version(dialect);
  options.open_functions = false;
  auto program = sql::compile(*syntax, options);
  if (!program) return program.error();
  Condition condition;
  condition.program_ = std::move(*program);
  return condition;
}

bool Condition::holds(const json::Value& document, std::span<const NamedValue> extra,
                      Scratch& scratch, std::int64_t now) const {
  return value(document, extra, scratch, now).is_true();
}

json::Value Condition::value(const json::Value& document, std::span<const NamedValue> extra,
                             Scratch& scratch, std::int64_t now) const {
  scratch.reset();
  json::Value seen = document;
  if (!extra.empty()) {
    // The extra values stand first, where they are found first.
    const std::size_t size = extra.size() + document.members_or_none().size();
    json::Member* members = scratch.arena.array<json::Member>(size);
    if (members == nullptr) return {};
    json::Member* end = members;
    for (const NamedValue& named : extra) *end++ = {named.name, named.value};
    for (const json::Member& member : document.members_or_none()) *end++ = member;
    seen = json::Value::object({members, size});
  }
  Payload payload(seen, scratch.arena);
  Event event;
  event.now = now;
  State state;
  return evaluate_condition(*program_, event, payload, nullptr, state, scratch);
}

}  // namespace twinmq::sql
