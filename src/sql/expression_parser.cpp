#include "sql/expression_parser.hpp"

#include <algorithm>
#include <utility>

namespace twinmq::sql {

// VALUE begins a bare result only where a value follows: `value` is a common key.
bool ExpressionParser::value_keyword() const {
  if (!is_word("value")) return false;
  switch (next_.kind) {
    case TokenKind::Text:
    case TokenKind::Number:
    case TokenKind::Variable:
    case TokenKind::Quoted: return true;
    case TokenKind::Name:
      return !reserved_here(next_) || same_word(next_.source, "case") ||
             same_word(next_.source, "not") || same_word(next_.source, "exists") ||
             same_word(next_.source, "null");
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

bool ExpressionParser::select_list(Select& select) {
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

bool ExpressionParser::item_list(std::vector<Item>& items, bool bare) {
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

bool ExpressionParser::alias_name(std::string& name) {
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

// A path gives its last name, a function its own, an object its keys. Everything else asks for a
// name.
bool ExpressionParser::named_by_itself(Item& item) {
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

NodeId ExpressionParser::expression(int lowest) {
  if (++nesting_ > kNestingMax) {
    fail_at(now_.offset, "the expression nests deeper than " + std::to_string(kNestingMax));
    return kNoNode;
  }
  const NodeId node = climb(lowest);
  --nesting_;
  return node;
}

NodeId ExpressionParser::climb(int lowest) {
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

std::pair<Operation, int> ExpressionParser::binary_operator() const {
  if (is_word("or")) return {Operation::Or, kOr};
  if (is_word("and")) return {Operation::And, kAnd};
  if (now_.kind != TokenKind::Sign) return {Operation::Or, 0};
  constexpr std::pair<std::string_view, std::pair<Operation, int>> kOperators[] = {
      {"=", {Operation::Equal, kComparison}},
      {"<>", {Operation::Unequal, kComparison}},
      {"!=", {Operation::Unequal, kComparison}},
      {"<", {Operation::Less, kComparison}},
      {"<=", {Operation::LessEqual, kComparison}},
      {">", {Operation::Greater, kComparison}},
      {">=", {Operation::GreaterEqual, kComparison}},
      {"+", {Operation::Add, kSum}},
      {"-", {Operation::Subtract, kSum}},
      {"*", {Operation::Multiply, kProduct}},
      {"/", {Operation::Divide, kProduct}},
      {"%", {Operation::Remainder, kProduct}}};
  for (const auto& [sign, meaning] : kOperators)
    if (now_.source == sign) return meaning;
  return {Operation::Or, 0};
}

bool ExpressionParser::is_special_comparison() const {
  const auto special = [](const Token& token) {
    return token.kind == TokenKind::Name &&
           (same_word(token.source, "in") || same_word(token.source, "like") ||
            same_word(token.source, "between"));
  };
  return special(now_) || (is_word("not") && special(next_));
}

NodeId ExpressionParser::special_comparison(NodeId left, std::size_t offset) {
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

// x IN (1, 2) as other dialects write it; one value in parentheses stays an expression that yields
// a list.
NodeId ExpressionParser::in_list() {
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

NodeId ExpressionParser::prefix() {
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

NodeId ExpressionParser::postfix(NodeId node) {
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

NodeId ExpressionParser::primary() {
  const Token token = now_;
  switch (token.kind) {
    case TokenKind::Number: return number();
    case TokenKind::Text: advance(); return make(NodeKind::Text, token.offset, {}, unquoted(token));
    case TokenKind::Quoted:
      advance();
      return make(NodeKind::Name, token.offset, {}, unquoted(token));
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

NodeId ExpressionParser::number() {
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

NodeId ExpressionParser::variable() {
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

NodeId ExpressionParser::word() {
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

NodeId ExpressionParser::case_of() {
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

NodeId ExpressionParser::exists() {
  const std::size_t offset = now_.offset;
  advance();
  if (!is_sign("(")) return no_node("'(' and a query");
  advance();
  if (!is_word("select")) return no_node("SELECT");
  const NodeId node = query(offset);
  if (node != kNoNode) syntax_.nodes[node].kind = NodeKind::Exists;
  return node;
}

NodeId ExpressionParser::parenthesis() {
  const std::size_t offset = now_.offset;
  advance();
  if (is_word("select")) return query(offset);
  const int cases = std::exchange(open_cases_, 0);
  const NodeId node = expression();
  open_cases_ = cases;
  return node != kNoNode && expect_sign(")") ? node : kNoNode;
}

NodeId ExpressionParser::query(std::size_t offset) {
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

NodeId ExpressionParser::call() {
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
  if (node != kNoNode && superset() && is_word("over") && next_is_sign("(") && !over(node))
    return kNoNode;
  return node;
}

// OVER ([PARTITION BY expression, …] [WHEN condition])
bool ExpressionParser::over(NodeId node) {
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

NodeId ExpressionParser::cast() {
  const std::size_t offset = now_.offset;
  advance();
  advance();
  const NodeId operand = expression();
  if (operand == kNoNode || !expect_word("as", "AS")) return kNoNode;
  constexpr std::string_view kTypes[] = {"string",  "nvarchar", "text",    "ntext",
                                         "varchar", "int",      "integer", "double",
                                         "decimal", "bool",     "boolean"};
  const bool known =
      now_.kind == TokenKind::Name &&
      std::any_of(std::begin(kTypes), std::end(kTypes), [&](auto type) { return is_word(type); });
  if (!known) return no_node("a type: String, Int, Decimal or Boolean");
  std::string type = lower_case(now_.source);
  advance();
  return expect_sign(")") ? make(NodeKind::Cast, offset, {operand}, std::move(type)) : kNoNode;
}

NodeId ExpressionParser::array() {
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

NodeId ExpressionParser::object() {
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

}  // namespace twinmq::sql
