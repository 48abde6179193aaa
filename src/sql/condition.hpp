#pragma once
// A condition by itself, over one JSON document: what a WHERE says, without a statement around it.
//
//   auto condition = sql::Condition::compile("state.reported.temp > 20 AND connected = true");
//   if (!condition) show(sql::describe(text, condition.error()));
//   json::Arena arena;                                     // holds the parsed document
//   const auto document = json::read(bytes, arena);       // a view of bytes, which must outlive it
//   const sql::NamedValue extra[] = {{"connected", json::Value::boolean(true)}};
//   sql::Scratch scratch;                                  // keep both for the next document:
//   const bool holds = condition->holds(document.value, extra, scratch);
//   arena.reset();
//
// A plain name means a named extra value if there is one of that name, else the document's key.
// Functions over the message (topic(), clientid(), …) see an empty one. Arena and Scratch belong to
// one thread; a Condition is immutable and may be shared.

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

#include "json/value.hpp"
#include "sql/evaluator.hpp"
#include "sql/fault.hpp"
#include "sql/parser.hpp"

namespace twinmq::sql {

struct NamedValue {
  std::string_view name;
  json::Value value;
};

class Condition {
 public:
  static Result<Condition, SyntaxFault> compile(std::string_view text,
                                                Dialect dialect = Dialect::Twinmq);

  /// Whether the expression is the Boolean true. Undefined, a text, a spent budget: it does not
  /// hold.
  bool holds(const json::Value& document, std::span<const NamedValue> extra, Scratch& scratch,
             std::int64_t now = 0) const;

  /// The expression's value; lives until the next call with this scratch.
  json::Value value(const json::Value& document, std::span<const NamedValue> extra,
                    Scratch& scratch, std::int64_t now = 0) const;

 private:
  std::unique_ptr<const Program> program_;
};

}  // namespace twinmq::sql
