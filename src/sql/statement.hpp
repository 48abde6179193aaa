#pragma once
// The door to rules: a statement compiled once, evaluated over messages.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>

#include "sql/compiler.hpp"
#include "sql/evaluator.hpp"
#include "sql/fault.hpp"

namespace twinmq::sql {

struct StatementOptions {
  Dialect dialect = Dialect::Twinmq;
  Version version = Version::V2016;
};

/// The version of a statement that names none: Version::Twinmq in that dialect, else 2016-03-23.
Version default_version(Dialect dialect);

/// Immutable once compiled; what it remembers from message to message is the caller's State.
class Statement {
 public:
  static Result<Statement, SyntaxFault> compile(std::string_view text,
                                                const StatementOptions& options = {});

  const std::string& text() const { return text_; }
  const std::vector<std::string>& filters() const { return syntax_.filters; }
  const Syntax& syntax() const { return syntax_; }
  const Program& program() const { return *program_; }
  Version version() const { return program_->version; }

  /// Whether FROM covers the topic: as in MQTT, but a/# does not cover a. A statement without FROM
  /// covers nothing.
  bool covers(std::string_view topic) const;

  /// Does not look at FROM. The result lives until the scratch is reset.
  Evaluated evaluate(const Event& event, Payload& payload, World* world, State& state,
                     Scratch& scratch, const Budget& budget = {}) const {
    return sql::evaluate(*program_, event, payload, world, state, scratch, budget);
  }

 private:
  std::string text_;
  Syntax syntax_;
  std::unique_ptr<const Program> program_;
};

/// Whether an MQTT filter covers a topic, by the rules of Statement::covers.
bool filter_covers(std::string_view filter, std::string_view topic);

/// Nothing when the text is a topic filter that MQTT allows, else what is wrong with it.
std::string_view filter_fault(std::string_view filter);

/// $aws/rules/<rule>/<topic>: the rule and the topic that the statement sees.
struct BasicIngest {
  std::string_view rule;
  std::string_view topic;
};
std::optional<BasicIngest> basic_ingest(std::string_view topic);

}  // namespace twinmq::sql
