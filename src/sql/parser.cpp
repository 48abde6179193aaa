#include "sql/parser.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sql/duration.hpp"
#include "sql/lexer.hpp"

namespace twinmq::sql {
namespace {

constexpr std::array<std::string_view, 16> kReserved = {"select", "from",  "where", "as",   "and",    "or",
                                                        "not",    "in",    "case",  "when", "then",   "else",
                                                        "end",    "exists", "set",  "null"};

// A path that ended in a fault; the fault itself is kept by the parser.
constexpr NodeId kNoNode = UINT32_MAX;

enum Precedence { kOr = 1, kAnd, kNot, kComparison, kSum, kProduct };

class Parser {
 public:
  Parser(std::string_view text, Dialect dialect) : text_(text), lexer_(text), dialect_(dialect) {
    now_ = lexer_.next();
    next_ = lexer_.next();
  }

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
      fail(syntax_.filters.empty() ? "FROM, WHERE or the end of the statement"
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
  bool superset() const { return dialect_ == Dialect::Twinmq; }

  SyntaxFault too_long() const {
    return {kStatementBytesMax, "the statement is longer than " + std::to_string(kStatementBytesMax) + " bytes"};
  }

  // ---- tokens

  void advance() {
    now_ = next_;
    next_ = lexer_.next();
  }

  bool is_word(std::string_view word) const { return now_.kind == TokenKind::Name && same_word(now_.source, word); }
  bool next_is_word(std::string_view word) const {
    return next_.kind == TokenKind::Name && same_word(next_.source, word);
  }
  bool is_sign(std::string_view sign) const { return now_.kind == TokenKind::Sign && now_.source == sign; }
  bool next_is_sign(std::string_view sign) const { return next_.kind == TokenKind::Sign && next_.source == sign; }

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

  bool expect_word(std::string_view word, std::string_view shown) { return take_word(word) || fail(shown); }
  bool expect_sign(std::string_view sign) { return take_sign(sign) || fail("'" + std::string(sign) + "'"); }

  static bool reserved(std::string_view word) {
    return std::any_of(kReserved.begin(), kReserved.end(), [&](std::string_view r) { return same_word(r, word); });
  }

  bool reserved_here(const Token& token) const {
    if (token.kind != TokenKind::Name) return false;
    const bool of_case = same_word(token.source, "when") || same_word(token.source, "then") ||
                         same_word(token.source, "else") || same_word(token.source, "end");
    return reserved(token.source) && !(of_case && open_cases_ == 0) && !same_word(token.source, "set");
  }

  // ---- faults

  bool fail(std::string_view expected) {
    if (failed_) return false;
    if (now_.kind == TokenKind::Wrong) return fail_at(now_.offset, std::string(now_.source));
    constexpr std::size_t kShownMax = 30;
    const std::string_view quote = now_.kind == TokenKind::Text ? "" : "'";
    std::string message("expected ");
    message.append(expected).append(", found ");
    if (now_.kind == TokenKind::End) return fail_at(now_.offset, message.append("the end"));
    message.append(quote).append(now_.source.substr(0, kShownMax));
    if (now_.source.size() > kShownMax) message.append("…");
    return fail_at(now_.offset, message.append(quote));
  }

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

  // ---- nodes

  NodeId make(NodeKind kind, std::size_t offset, std::vector<NodeId> children = {}, std::string text = {}) {
    Node node;
    node.kind = kind;
    node.offset = offset;
    node.text = std::move(text);
    for (const NodeId child : children)
      node.depth = std::max(node.depth, static_cast<std::uint16_t>(syntax_.nodes[child].depth + 1));
    node.children = std::move(children);
    if (node.depth > kTreeDepthMax) {
      fail_at(offset, "the expression chains more than " + std::to_string(kTreeDepthMax) + " operators");
      return kNoNode;
    }
    syntax_.nodes.push_back(std::move(node));
    return static_cast<NodeId>(syntax_.nodes.size() - 1);
  }

  // ---- clauses

  bool variables() {
    do {
      if (now_.kind != TokenKind::Variable) return fail("a variable such as @name");
      const std::string name(now_.source);
      if (name.size() > kVariableNameMax)
        return fail_at(now_.offset, "a variable's name has at most " + std::to_string(kVariableNameMax) + " characters");
      for (const auto& [earlier, node] : syntax_.variables)
        if (earlier == name) return fail_at(now_.offset, "@" + name + " is set already; a variable never changes");
      if (syntax_.variables.size() == kVariablesMax)
        return fail_at(now_.offset, "SET takes at most " + std::to_string(kVariablesMax) + " variables");
      advance();
      if (!expect_sign("=")) return false;
      const NodeId node = expression();
      if (node == kNoNode) return false;
      syntax_.variables.emplace_back(name, node);
    } while (take_sign(","));
    return true;
  }

  // VALUE begins a bare result only where a value follows: `value` is a common key.
  bool value_keyword() const {
    if (!is_word("value")) return false;
    switch (next_.kind) {
      case TokenKind::Text:
      case TokenKind::Number:
      case TokenKind::Variable:
      case TokenKind::Quoted: return true;
      case TokenKind::Name:
        return !reserved_here(next_) || same_word(next_.source, "case") || same_word(next_.source, "not") ||
               same_word(next_.source, "exists") || same_word(next_.source, "null");
      case TokenKind::Sign: break;
      default: return false;
    }
    if (next_.source == "(" || next_.source == "{") return true;
    if (next_.source == "[") return next_.offset > now_.offset + now_.source.size();
    if (next_.source != "*") return false;
    Lexer ahead = lexer_;
    const Token after = ahead.next();
    return after.kind == TokenKind::End || (after.kind == TokenKind::Name && reserved(after.source));
  }

  bool select_list(Select& select) {
    // The list of selects may move while items are read.
    const std::size_t own = static_cast<std::size_t>(&select - syntax_.selects.data());
    const bool value = value_keyword();
    if (value) advance();
    std::vector<Item> items;
    if (!item_list(items, value)) return false;
    syntax_.selects[own].value = value;
    syntax_.selects[own].items = std::move(items);
    if (value && syntax_.selects[own].items.size() != 1)
      return fail_at(syntax_.selects[own].items[1].offset, "SELECT VALUE takes exactly one item");
    return true;
  }

  bool item_list(std::vector<Item>& items, bool bare) {
    do {
      Item item;
      item.offset = now_.offset;
      if (is_sign("*")) {
        item.node = make(NodeKind::Star, now_.offset);
        item.star = true;
        advance();
      } else {
        item.node = expression();
      }
      if (item.node == kNoNode) return false;
      if (take_word("as")) {
        item.star = false;
        do {
          std::string name;
          if (!alias_name(name)) return false;
          item.alias.push_back(std::move(name));
        } while (take_sign("."));
      }
      if (!bare && !item.star && item.alias.empty() && !named_by_itself(item)) return false;
      items.push_back(std::move(item));
    } while (take_sign(","));
    return true;
  }

  bool alias_name(std::string& name) {
    if (now_.kind == TokenKind::Name) {
      name = std::string(now_.source);
    } else if (now_.kind == TokenKind::Quoted || (now_.kind == TokenKind::Text && superset())) {
      name = unquoted(now_);
    } else {
      return fail("a name");
    }
    advance();
    return true;
  }

  // A path gives its last name, a function its own, an object its keys. Everything else asks for a name.
  bool named_by_itself(Item& item) {
    const Node& node = syntax_.nodes[item.node];
    switch (node.kind) {
      case NodeKind::Name:
      case NodeKind::Member:
      case NodeKind::Variable:
      case NodeKind::Call: item.alias = {node.text}; return true;
      case NodeKind::Cast: item.alias = {"cast"}; return true;
      case NodeKind::Object: return true;
      default: return fail_at(item.offset, "this item has no name of its own: add AS and a name");
    }
  }

  bool filters() {
    do {
      if (now_.kind != TokenKind::Text) return fail("a topic filter in single quotes");
      if (now_.source.front() != '\'' && !superset()) return fail("a topic filter in single quotes");
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
    if (!group.window) return fail_at(now_.offset, "GROUP BY needs a window such as TUMBLING('10s')");
    syntax_.grouping = std::move(group);
    return true;
  }

  std::optional<WindowKind> window_word() const {
    constexpr std::pair<std::string_view, WindowKind> kWindows[] = {
        {"tumbling", WindowKind::Tumbling}, {"hopping", WindowKind::Hopping}, {"sliding", WindowKind::Sliding},
        {"session", WindowKind::Session},   {"count", WindowKind::Count}};
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
    if (take_sign(",") && !window_length(kind, window.step)) return false;
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

  bool window_length(WindowKind kind, std::int64_t& length) {
    if (kind == WindowKind::Count) {
      const auto number = now_.kind == TokenKind::Number ? json::read_decimal(now_.source) : std::nullopt;
      if (!number || !json::is_whole(*number)) return fail("a number of messages");
      length = json::to_int64_clamped(*number);
      if (length < 1 || length > 1'000'000) return fail("a number of messages from 1 to 1000000");
    } else {
      if (now_.kind != TokenKind::Text) return fail("a duration such as '10s'");
      const auto duration = read_duration(unquoted(now_));
      if (!duration || *duration <= 0) return fail("a duration such as '500ms', '10s', '5m', '1h' or '1d'");
      length = *duration;
    }
    advance();
    return true;
  }

  // ---- expressions

  NodeId expression(int lowest = kOr) {
    if (++nesting_ > kNestingMax) {
      fail_at(now_.offset, "the expression nests deeper than " + std::to_string(kNestingMax));
      return kNoNode;
    }
    const NodeId node = climb(lowest);
    --nesting_;
    return node;
  }

  NodeId climb(int lowest) {
    NodeId left = prefix();
    while (left != kNoNode) {
      const std::size_t offset = now_.offset;
      if (lowest <= kComparison && is_special_comparison()) {
        left = special_comparison(left, offset);
        continue;
      }
      const auto [operation, precedence] = binary_operator();
      if (precedence == 0 || precedence < lowest) return left;
      advance();
      const NodeId right = expression(precedence + 1);
      if (right == kNoNode) return kNoNode;
      left = make(NodeKind::Binary, offset, {left, right});
      if (left != kNoNode) syntax_.nodes[left].operation = operation;
    }
    return kNoNode;
  }

  std::pair<Operation, int> binary_operator() const {
    if (is_word("or")) return {Operation::Or, kOr};
    if (is_word("and")) return {Operation::And, kAnd};
    if (now_.kind != TokenKind::Sign) return {Operation::Or, 0};
    constexpr std::pair<std::string_view, std::pair<Operation, int>> kOperators[] = {
        {"=", {Operation::Equal, kComparison}},    {"<>", {Operation::Unequal, kComparison}},
        {"!=", {Operation::Unequal, kComparison}}, {"<", {Operation::Less, kComparison}},
        {"<=", {Operation::LessEqual, kComparison}}, {">", {Operation::Greater, kComparison}},
        {">=", {Operation::GreaterEqual, kComparison}}, {"+", {Operation::Add, kSum}},
        {"-", {Operation::Subtract, kSum}},        {"*", {Operation::Multiply, kProduct}},
        {"/", {Operation::Divide, kProduct}},      {"%", {Operation::Remainder, kProduct}}};
    for (const auto& [sign, meaning] : kOperators)
      if (now_.source == sign) return meaning;
    return {Operation::Or, 0};
  }

  bool is_special_comparison() const {
    const auto special = [](const Token& token) {
      return token.kind == TokenKind::Name && (same_word(token.source, "in") || same_word(token.source, "like") ||
                                               same_word(token.source, "between"));
    };
    return special(now_) || (is_word("not") && special(next_));
  }

  NodeId special_comparison(NodeId left, std::size_t offset) {
    const bool negated = take_word("not");
    NodeId node = kNoNode;
    if (take_word("in")) {
      const NodeId list = in_list();
      if (list != kNoNode) node = make(NodeKind::In, offset, {left, list});
    } else if (is_word("like")) {
      if (!only_superset("LIKE")) return kNoNode;
      advance();
      const NodeId pattern = expression(kSum);
      if (pattern != kNoNode) node = make(NodeKind::Like, offset, {left, pattern});
    } else {
      if (!only_superset("BETWEEN")) return kNoNode;
      advance();
      const NodeId low = expression(kSum);
      if (low == kNoNode || !expect_word("and", "AND")) return kNoNode;
      const NodeId high = expression(kSum);
      if (high != kNoNode) node = make(NodeKind::Between, offset, {left, low, high});
    }
    if (node == kNoNode || !negated) return node;
    return make(NodeKind::Not, offset, {node});
  }

  // x IN (1, 2) as other dialects write it; one value in parentheses stays an expression that yields a list.
  NodeId in_list() {
    if (!superset() || !is_sign("(") || next_is_word("select")) return expression(kSum);
    const std::size_t offset = now_.offset;
    advance();
    std::vector<NodeId> values;
    do {
      const NodeId value = expression();
      if (value == kNoNode) return kNoNode;
      values.push_back(value);
    } while (take_sign(","));
    if (!expect_sign(")")) return kNoNode;
    return values.size() == 1 ? postfix(values[0]) : make(NodeKind::Array, offset, std::move(values));
  }

  NodeId prefix() {
    const std::size_t offset = now_.offset;
    if (is_word("not")) {
      advance();
      const NodeId operand = expression(kNot);
      return operand == kNoNode ? kNoNode : make(NodeKind::Not, offset, {operand});
    }
    if (is_sign("-")) {
      advance();
      const NodeId operand = expression(kProduct + 1);
      return operand == kNoNode ? kNoNode : make(NodeKind::Negate, offset, {operand});
    }
    if (is_sign("+") && superset()) {
      advance();
      return expression(kProduct + 1);
    }
    return postfix(primary());
  }

  NodeId postfix(NodeId node) {
    while (node != kNoNode) {
      const std::size_t offset = now_.offset;
      if (take_sign(".")) {
        std::string name;
        if (now_.kind == TokenKind::Name) {
          name = std::string(now_.source);
        } else if (now_.kind == TokenKind::Quoted) {
          name = unquoted(now_);
        } else {
          return no_node("a name after '.'");
        }
        advance();
        node = make(NodeKind::Member, offset, {node}, std::move(name));
      } else if (is_sign("[")) {
        if (!only_superset("a bracket index")) return kNoNode;
        advance();
        const NodeId index = expression();
        if (index == kNoNode || !expect_sign("]")) return kNoNode;
        node = make(NodeKind::Index, offset, {node, index});
      } else {
        return node;
      }
    }
    return kNoNode;
  }

  NodeId primary() {
    const Token token = now_;
    switch (token.kind) {
      case TokenKind::Number: return number();
      case TokenKind::Text: advance(); return make(NodeKind::Text, token.offset, {}, unquoted(token));
      case TokenKind::Quoted: advance(); return make(NodeKind::Name, token.offset, {}, unquoted(token));
      case TokenKind::Variable: return variable();
      case TokenKind::Name: return word();
      case TokenKind::Sign: break;
      default: return no_node("an expression");
    }
    if (is_sign("(")) return parenthesis();
    if (is_sign("[")) return array();
    if (is_sign("{")) return object();
    return no_node("an expression");
  }

  NodeId number() {
    const auto value = json::read_decimal(now_.source, json::Exponents::Signed);
    if (!value) {
      fail_at(now_.offset, "this number is beyond 9.99…E999");
      return kNoNode;
    }
    const NodeId node = make(NodeKind::Number, now_.offset);
    syntax_.nodes[node].number = *value;
    advance();
    return node;
  }

  NodeId variable() {
    const std::string name(now_.source);
    const bool known = std::any_of(syntax_.variables.begin(), syntax_.variables.end(),
                                   [&](const auto& variable) { return variable.first == name; });
    if (!known) {
      fail_at(now_.offset, "@" + name + " is not set before this place");
      return kNoNode;
    }
    const NodeId node = make(NodeKind::Variable, now_.offset, {}, name);
    advance();
    return node;
  }

  NodeId word() {
    const Token token = now_;
    const auto constant = [&](NodeKind kind) {
      advance();
      return make(kind, token.offset);
    };
    if (is_word("true")) return constant(NodeKind::True);
    if (is_word("false")) return constant(NodeKind::False);
    if (is_word("null")) return constant(NodeKind::Null);
    if (is_word("case")) return case_of();
    if (is_word("exists")) return exists();
    if (next_is_sign("(")) return same_word(token.source, "cast") ? cast() : call();
    if (reserved_here(token)) return no_node("an expression");
    advance();
    return make(NodeKind::Name, token.offset, {}, std::string(token.source));
  }

  NodeId case_of() {
    const std::size_t offset = now_.offset;
    advance();
    ++open_cases_;
    const bool searched = is_word("when");
    if (searched && !only_superset("CASE without a subject")) return kNoNode;
    std::vector<NodeId> parts;
    const auto add = [&] {
      const NodeId node = expression();
      if (node == kNoNode) return false;
      parts.push_back(node);
      return true;
    };
    if (!searched && !add()) return kNoNode;
    if (!is_word("when")) return no_node("WHEN");
    while (take_word("when")) {
      if (!add() || !expect_word("then", "THEN") || !add()) return kNoNode;
    }
    if (take_word("else") && !add()) return kNoNode;
    if (!is_word("end")) return no_node("WHEN, ELSE or END");
    --open_cases_;
    advance();
    return make(searched ? NodeKind::Searched : NodeKind::Case, offset, std::move(parts));
  }

  NodeId exists() {
    const std::size_t offset = now_.offset;
    advance();
    if (!is_sign("(")) return no_node("'(' and a query");
    advance();
    if (!is_word("select")) return no_node("SELECT");
    const NodeId node = query(offset);
    if (node != kNoNode) syntax_.nodes[node].kind = NodeKind::Exists;
    return node;
  }

  NodeId parenthesis() {
    const std::size_t offset = now_.offset;
    advance();
    if (is_word("select")) return query(offset);
    const int cases = std::exchange(open_cases_, 0);
    const NodeId node = expression();
    open_cases_ = cases;
    return node != kNoNode && expect_sign(")") ? node : kNoNode;
  }

  NodeId query(std::size_t offset) {
    advance();
    const std::size_t own = syntax_.selects.size();
    syntax_.selects.emplace_back();
    if (!select_list(syntax_.selects[own])) return kNoNode;
    if (!expect_word("from", "FROM")) return kNoNode;
    const NodeId source = expression();
    if (source == kNoNode) return kNoNode;
    syntax_.selects[own].source = source;
    std::string alias;
    if (take_word("as") && !alias_name(alias)) return kNoNode;
    syntax_.selects[own].alias = std::move(alias);
    if (take_word("where")) {
      const NodeId condition = expression();
      if (condition == kNoNode) return kNoNode;
      syntax_.selects[own].where = condition;
    }
    if (!expect_sign(")")) return kNoNode;
    const NodeId node = make(NodeKind::Query, offset);
    syntax_.nodes[node].select = static_cast<std::uint32_t>(own);
    return node;
  }

  NodeId call() {
    const std::size_t offset = now_.offset;
    std::string name(now_.source);
    advance();
    advance();
    std::vector<NodeId> arguments;
    if (!is_sign(")")) {
      do {
        NodeId argument = kNoNode;
        if (is_sign("*")) {
          argument = make(NodeKind::Star, now_.offset);
          advance();
        } else {
          argument = expression();
        }
        if (argument == kNoNode) return kNoNode;
        arguments.push_back(argument);
      } while (take_sign(","));
    }
    if (!take_sign(")")) return no_node("',' or ')'");
    const NodeId node = make(NodeKind::Call, offset, std::move(arguments), std::move(name));
    if (node != kNoNode && superset() && is_word("over") && next_is_sign("(") && !over(node)) return kNoNode;
    return node;
  }

  // OVER ([PARTITION BY expression, …] [WHEN condition])
  bool over(NodeId node) {
    advance();
    advance();
    std::vector<NodeId> keys;
    if (take_word("partition")) {
      if (!expect_word("by", "BY")) return false;
      do {
        const NodeId key = expression();
        if (key == kNoNode) return false;
        keys.push_back(key);
      } while (take_sign(","));
    }
    if (take_word("when")) {
      const NodeId condition = expression();
      if (condition == kNoNode) return false;
      syntax_.nodes[node].when = condition;
    }
    syntax_.nodes[node].partition = std::move(keys);
    return expect_sign(")");
  }

  NodeId cast() {
    const std::size_t offset = now_.offset;
    advance();
    advance();
    const NodeId operand = expression();
    if (operand == kNoNode || !expect_word("as", "AS")) return kNoNode;
    constexpr std::string_view kTypes[] = {"string",  "nvarchar", "text",    "ntext", "varchar", "int",
                                           "integer", "double",   "decimal", "bool",  "boolean"};
    const bool known = now_.kind == TokenKind::Name &&
                       std::any_of(std::begin(kTypes), std::end(kTypes), [&](auto type) { return is_word(type); });
    if (!known) return no_node("a type: String, Int, Decimal or Boolean");
    std::string type = lower_case(now_.source);
    advance();
    return expect_sign(")") ? make(NodeKind::Cast, offset, {operand}, std::move(type)) : kNoNode;
  }

  NodeId array() {
    const std::size_t offset = now_.offset;
    advance();
    std::vector<NodeId> items;
    if (!is_sign("]")) {
      do {
        const NodeId item = expression();
        if (item == kNoNode) return kNoNode;
        items.push_back(item);
      } while (take_sign(","));
    }
    if (!take_sign("]")) return no_node("',' or ']'");
    return make(NodeKind::Array, offset, std::move(items));
  }

  NodeId object() {
    const std::size_t offset = now_.offset;
    advance();
    std::vector<NodeId> values;
    std::vector<std::string> names;
    if (!is_sign("}")) {
      do {
        if (now_.kind != TokenKind::Text) return no_node("a key between quotes");
        names.push_back(unquoted(now_));
        advance();
        if (!expect_sign(":")) return kNoNode;
        const NodeId value = expression();
        if (value == kNoNode) return kNoNode;
        values.push_back(value);
      } while (take_sign(","));
    }
    if (!take_sign("}")) return no_node("',' or '}'");
    const NodeId node = make(NodeKind::Object, offset, std::move(values));
    if (node != kNoNode) syntax_.nodes[node].names = std::move(names);
    return node;
  }

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

}  // namespace

Result<Syntax, SyntaxFault> parse_statement(std::string_view text, Dialect dialect) {
  return Parser(text, dialect).statement();
}

Result<Syntax, SyntaxFault> parse_expression(std::string_view text, Dialect dialect) {
  return Parser(text, dialect).lone_expression();
}

}  // namespace twinmq::sql
