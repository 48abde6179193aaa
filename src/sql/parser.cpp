#include "sql/parser.hpp"

#include <utility>

#include "sql/duration.hpp"
#include "sql/expression_parser.hpp"

namespace twinmq::sql {
namespace {

class Parser : private ExpressionParser {
 public:
  Parser(std::string_view text, Dialect dialect) : ExpressionParser(text, dialect) {}

  Result<Syntax, SyntaxFault> statement() {
    if (text_.size() > kStatementBytesMax) return too_long();
    syntax_.selects.emplace_back();
    if (take_word("set") && !variables()) return fault_;
    syntax_.select_offset = now_.offset;
    if (is_word("foreach") && superset()) {
      if (!foreach_clause()) return fault_;
    } else {
      if (!expect_word("select", "SELECT")) return fault_;
      if (!select_list(syntax_.selects[0])) return fault_;
    }
    if (take_word("from") && !filters()) return fault_;
    if (take_word("where")) {
      const NodeId condition = expression();
      if (condition == kNoNode) return fault_;
      syntax_.selects[0].where = condition;
    }
    if (superset() && is_word("group") && !grouping()) return fault_;
    if (now_.kind != TokenKind::End) {
      fail(syntax_.filters.empty()    ? "FROM, WHERE or the end of the statement"
           : syntax_.selects[0].where ? "an operator or the end of the statement"
                                      : "WHERE or the end of the statement");
      return fault_;
    }
    return std::move(syntax_);
  }

  Result<Syntax, SyntaxFault> lone_expression() {
    if (text_.size() > kStatementBytesMax) return too_long();
    syntax_.selects.emplace_back();
    const NodeId node = expression();
    if (node == kNoNode) return fault_;
    if (now_.kind != TokenKind::End) {
      fail("an operator or the end of the expression");
      return fault_;
    }
    syntax_.selects[0].where = node;
    return std::move(syntax_);
  }

 private:
  bool variables() {
    do {
      if (now_.kind != TokenKind::Variable) return fail("a variable such as @name");
      const std::string name(now_.source);
      if (name.size() > kVariableNameMax)
        return fail_at(now_.offset, "a variable's name has at most " +
                                        std::to_string(kVariableNameMax) + " characters");
      for (const auto& [earlier, node] : syntax_.variables)
        if (earlier == name)
          return fail_at(now_.offset, "@" + name + " is set already; a variable never changes");
      if (syntax_.variables.size() == kVariablesMax)
        return fail_at(now_.offset,
                       "SET takes at most " + std::to_string(kVariablesMax) + " variables");
      advance();
      if (!expect_sign("=")) return false;
      const NodeId node = expression();
      if (node == kNoNode) return false;
      syntax_.variables.emplace_back(name, node);
    } while (take_sign(","));
    return true;
  }

  bool filters() {
    do {
      if (now_.kind != TokenKind::Text) return fail("a topic filter in single quotes");
      if (now_.source.front() != '\'' && !superset())
        return fail("a topic filter in single quotes");
      syntax_.filters.push_back(unquoted(now_));
      advance();
      if (is_sign(",") && !only_superset("more than one filter")) return false;
    } while (take_sign(","));
    return true;
  }

  bool foreach_clause() {
    advance();
    Foreach each;
    each.list = expression();
    if (each.list == kNoNode) return false;
    each.alias = "item";
    if (take_word("as") && !alias_name(each.alias)) return false;
    if (take_word("do") && !item_list(each.items, false)) return false;
    if (take_word("incase")) {
      const NodeId condition = expression();
      if (condition == kNoNode) return false;
      each.incase = condition;
    }
    syntax_.foreach = std::move(each);
    return true;
  }

  // GROUP BY key, …, WINDOW(…) [EVENT TIME expression [LATE 'duration']] [HAVING condition]
  bool grouping() {
    advance();
    if (!expect_word("by", "BY")) return false;
    Grouping group;
    do {
      if (const auto kind = window_word()) {
        if (group.window) return fail_at(now_.offset, "a statement has one window");
        if (!window(group, *kind)) return false;
        continue;
      }
      const NodeId key = expression();
      if (key == kNoNode) return false;
      group.keys.push_back(key);
    } while (take_sign(","));
    if (take_word("having")) {
      const NodeId having = expression();
      if (having == kNoNode) return false;
      group.having = having;
    }
    if (!group.window)
      return fail_at(now_.offset, "GROUP BY needs a window such as TUMBLING('10s')");
    syntax_.grouping = std::move(group);
    return true;
  }

  std::optional<WindowKind> window_word() const {
    constexpr std::pair<std::string_view, WindowKind> kWindows[] = {
        {"tumbling", WindowKind::Tumbling},
        {"hopping", WindowKind::Hopping},
        {"sliding", WindowKind::Sliding},
        {"session", WindowKind::Session},
        {"count", WindowKind::Count}};
    if (!next_is_sign("(")) return std::nullopt;
    for (const auto& [word, kind] : kWindows)
      if (is_word(word)) return kind;
    return std::nullopt;
  }

  bool window(Grouping& group, WindowKind kind) {
    Window window;
    window.kind = kind;
    window.offset = now_.offset;
    advance();
    if (!expect_sign("(") || !window_length(kind, window.length)) return false;
    if (take_sign(",") && !window_step(kind, window)) return false;
    if (!expect_sign(")")) return false;
    if (kind == WindowKind::Hopping && window.step == 0)
      return fail_at(window.offset, "HOPPING takes two durations: HOPPING('60s', '10s')");
    if (is_word("event") && next_is_word("time")) {
      advance();
      advance();
      const NodeId time = expression();
      if (time == kNoNode) return false;
      window.event_time = time;
      if (take_word("late") && !window_length(WindowKind::Tumbling, window.late)) return false;
    }
    group.window = window;
    return true;
  }

  bool window_step(WindowKind kind, Window& window) {
    const std::size_t offset = now_.offset;
    if (kind == WindowKind::Count) return fail_at(offset, "COUNT takes one number");
    if (kind == WindowKind::Sliding) return fail_at(offset, "SLIDING takes one duration");
    if (!window_length(kind, window.step)) return false;
    if (kind == WindowKind::Tumbling)
      return fail_at(offset, "TUMBLING takes one duration; HOPPING('10s', '5s') takes two");
    const std::int64_t widest = (window.length + kHopsMax - 1) / kHopsMax;
    if (kind == WindowKind::Hopping && window.step < widest)
      return fail_at(offset, "a message lies in at most " + std::to_string(kHopsMax) +
                                 " windows: the step of these is '" + std::to_string(widest) +
                                 "ms' or more");
    return true;
  }

  bool window_length(WindowKind kind, std::int64_t& length) {
    if (kind == WindowKind::Count) {
      const auto number =
          now_.kind == TokenKind::Number ? json::read_decimal(now_.source) : std::nullopt;
      if (!number || !json::is_whole(*number)) return fail("a number of messages");
      length = json::to_int64_clamped(*number);
      if (length < 1 || length > 1'000'000) return fail("a number of messages from 1 to 1000000");
    } else {
      if (now_.kind != TokenKind::Text) return fail("a duration such as '10s'");
      const auto duration = read_duration(unquoted(now_));
      if (!duration || *duration <= 0)
        return fail("a duration such as '500ms', '10s', '5m', '1h' or '1d'");
      length = *duration;
    }
    advance();
    return true;
  }
};

}  // namespace

Result<Syntax, SyntaxFault> parse_statement(std::string_view text, Dialect dialect) {
  return Parser(text, dialect).statement();
}

Result<Syntax, SyntaxFault> parse_expression(std::string_view text, Dialect dialect) {
  return Parser(text, dialect).lone_expression();
}

}  // namespace twinmq::sql
