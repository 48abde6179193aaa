#pragma once
// Substitution templates: texts with ${expressions} over the message.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>

#include "sql/statement.hpp"

namespace twinmq::sql {

/// Where the } is that closes the ${ before `at`; braces and quotes inside belong to it. npos:
/// there is none.
std::size_t closing_brace(std::string_view text, std::size_t at);

/// Immutable once compiled. Expressions see the message's payload, every function, and the
/// variables that the statement's SET names; not its result and its aliases.
class Template {
 public:
  /// `statement` gives the dialect's version and the variables. A fault names its place in `text`.
  static Result<Template, SyntaxFault> compile(std::string_view text, const Statement& statement,
                                               Dialect dialect = Dialect::Twinmq);

  const std::string& text() const { return text_; }
  /// Whether there is nothing to put in.
  bool constant() const;

  /// Whether an expression may ask the world outside.
  bool asks() const;
  /// Appends what the expressions ask of the world outside by its name.
  void outside(std::vector<OutsideCall>& to) const;

  /// Appends the text. What is Undefined gives an empty text. False: an expression took more than
  /// the budget, or a look-up had no answer.
  bool render(const Event& event, Payload& payload, World* world, Scratch& scratch,
              const Budget& budget, std::string& to) const;

 private:
  struct Piece {
    std::string text;
    std::unique_ptr<const Program> program;  // null: the text itself
  };

  std::string text_;
  std::vector<Piece> pieces_;
};

}  // namespace twinmq::sql
