#pragma once
// What every part of the parser works with: the words at hand, the first fault, and the tree so
// far.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sql/fault.hpp"
#include "sql/lexer.hpp"
#include "sql/parser.hpp"
#include "sql/syntax.hpp"

namespace twinmq::sql {

// A path that ended in a fault; the fault itself is kept by the reader.
constexpr NodeId kNoNode = UINT32_MAX;

class TokenReader {
 protected:
  TokenReader(std::string_view text, Dialect dialect)
      : text_(text), lexer_(text), dialect_(dialect) {
    now_ = lexer_.next();
    next_ = lexer_.next();
  }

  bool superset() const { return dialect_ == Dialect::Twinmq; }

  SyntaxFault too_long() const {
    return {kStatementBytesMax,
            "the statement is longer than " + std::to_string(kStatementBytesMax) + " bytes"};
  }

  void advance() {
    now_ = next_;
    next_ = lexer_.next();
  }

  bool is_word(std::string_view word) const {
    return now_.kind == TokenKind::Name && same_word(now_.source, word);
  }
  bool next_is_word(std::string_view word) const {
    return next_.kind == TokenKind::Name && same_word(next_.source, word);
  }

  bool is_sign(std::string_view sign) const {
    return now_.kind == TokenKind::Sign && now_.source == sign;
  }
  bool next_is_sign(std::string_view sign) const {
    return next_.kind == TokenKind::Sign && next_.source == sign;
  }

  bool take_word(std::string_view word) {
    if (!is_word(word)) return false;
    advance();
    return true;
  }

  bool take_sign(std::string_view sign) {
    if (!is_sign(sign)) return false;
    advance();
    return true;
  }

  bool expect_word(std::string_view word, std::string_view shown) {
    return take_word(word) || fail(shown);
  }
  bool expect_sign(std::string_view sign) {
    return take_sign(sign) || fail("'" + std::string(sign) + "'");
  }

  static bool reserved(std::string_view word);
  bool reserved_here(const Token& token) const;

  /// False, so that callers can answer with it. The first fault stays.
  bool fail(std::string_view expected);
  bool fail_at(std::size_t offset, std::string message) {
    if (!failed_) fault_ = {offset, std::move(message)};
    failed_ = true;
    return false;
  }

  NodeId no_node(std::string_view expected) {
    fail(expected);
    return kNoNode;
  }

  bool only_superset(std::string_view what) {
    if (superset()) return true;
    std::string message(what);
    return fail_at(now_.offset, message.append(" is no AWS IoT SQL; dialect \"twinmq\" has it"));
  }

  NodeId make(NodeKind kind, std::size_t offset, std::vector<NodeId> children = {},
              std::string text = {});

  std::string_view text_;
  Lexer lexer_;
  Dialect dialect_;
  Token now_;
  Token next_;
  Syntax syntax_;
  SyntaxFault fault_;
  bool failed_ = false;
  int nesting_ = 0;
  int open_cases_ = 0;
};

}  // namespace twinmq::sql
