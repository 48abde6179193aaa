#include "sql/explain.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "json/write.hpp"
#include "sql/aggregate.hpp"
#include "sql/functions.hpp"

namespace twinmq::sql {
namespace {

constexpr std::string_view kOperations[] = {"OR", "AND", "=", "<>", "<", "<=", ">",
                                            ">=", "+",   "-", "*",  "/", "%"};
constexpr std::string_view kOps[] = {"constant",
                                     "star",
                                     "element",
                                     "path",
                                     "field",
                                     "index",
                                     "variable",
                                     "not",
                                     "negate",
                                     "and",
                                     "or",
                                     "equal",
                                     "unequal",
                                     "less",
                                     "less_equal",
                                     "greater",
                                     "greater_equal",
                                     "add",
                                     "subtract",
                                     "multiply",
                                     "divide",
                                     "remainder",
                                     "in",
                                     "between",
                                     "like",
                                     "cast",
                                     "array",
                                     "object",
                                     "call",
                                     "query",
                                     "exists",
                                     "jump",
                                     "jump_unless_true",
                                     "jump_undefined",
                                     "case_test",
                                     "pop",
                                     "undefined",
                                     "compare",
                                     "aggregate",
                                     "group_key",
                                     "window_begin",
                                     "window_end",
                                     "end"};
static_assert(std::size(kOps) == static_cast<std::size_t>(Op::End) + 1);
static_assert(std::size(kOperations) == static_cast<std::size_t>(Operation::Remainder) + 1);

std::string quoted(std::string_view text) {
  std::string made = "'";
  for (const char each : text) {
    made += each;
    if (each == '\'') made += each;
  }
  return made + "'";
}

std::string name_of(std::string_view key) {
  const bool plain = !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return c == '_' || c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z');
  });
  if (plain && (key.front() < '0' || key.front() > '9')) return std::string(key);
  std::string made = "`";
  for (const char each : key) made += each == '`' ? std::string("``") : std::string(1, each);
  return made + "`";
}

std::string alias_of(const Item& item) {
  std::string made;
  for (const std::string& each : item.alias) made += (made.empty() ? "" : ".") + each;
  return made;
}

class Unparser {
 public:
  explicit Unparser(const Syntax& syntax) : syntax_(syntax) {}

  std::string text(NodeId id) const {
    const Node& node = syntax_[id];
    const auto child = [&](std::size_t i) { return text(node.children[i]); };
    switch (node.kind) {
      case NodeKind::Null: return "null";
      case NodeKind::True: return "true";
      case NodeKind::False: return "false";
      case NodeKind::Number: return json::text_of(node.number);
      case NodeKind::Text: return quoted(node.text);
      case NodeKind::Star: return "*";
      case NodeKind::Name: return name_of(node.text);
      case NodeKind::Variable: return (node.text.starts_with('@') ? "" : "@") + node.text;
      case NodeKind::Member: return child(0) + "." + name_of(node.text);
      case NodeKind::Index: return child(0) + "[" + child(1) + "]";
      case NodeKind::Not: return "(NOT " + child(0) + ")";
      case NodeKind::Negate: return "(-" + child(0) + ")";
      case NodeKind::Binary:
        return "(" + child(0) + " " +
               std::string(kOperations[static_cast<std::size_t>(node.operation)]) + " " + child(1) +
               ")";
      case NodeKind::In: return "(" + child(0) + " IN " + child(1) + ")";
      case NodeKind::Between:
        return "(" + child(0) + " BETWEEN " + child(1) + " AND " + child(2) + ")";
      case NodeKind::Like: return "(" + child(0) + " LIKE " + child(1) + ")";
      case NodeKind::Case: return cases(node, "CASE " + child(0), 1);
      case NodeKind::Searched: return cases(node, "CASE", 0);
      case NodeKind::Call: return call(node);
      case NodeKind::Cast: return "cast(" + child(0) + " AS " + node.text + ")";
      case NodeKind::Array: return "[" + list(node.children) + "]";
      case NodeKind::Object: return object(node);
      case NodeKind::Query: return "(" + select(syntax_.selects[node.select]) + ")";
      case NodeKind::Exists: return "EXISTS (" + select(syntax_.selects[node.select]) + ")";
    }
    return {};
  }

 private:
  std::string list(const std::vector<NodeId>& nodes) const {
    std::string all;
    for (const NodeId each : nodes) {
      if (!all.empty()) all.append(", ");
      all.append(text(each));
    }
    return all;
  }

  std::string cases(const Node& node, std::string made, std::size_t at) const {
    for (; at + 1 < node.children.size(); at += 2)
      made += " WHEN " + text(node.children[at]) + " THEN " + text(node.children[at + 1]);
    if (at < node.children.size()) made += " ELSE " + text(node.children[at]);
    return made + " END";
  }

  std::string call(const Node& node) const {
    std::string made = node.text + "(" + list(node.children) + ")";
    if (!node.partition && !node.when) return made;
    made += " OVER (";
    if (node.partition) made += "PARTITION BY " + list(*node.partition);
    if (node.when) made += std::string(node.partition ? " " : "") + "WHEN " + text(*node.when);
    return made + ")";
  }

  std::string object(const Node& node) const {
    std::string made;
    for (std::size_t i = 0; i < node.children.size(); ++i)
      made += (i == 0 ? "" : ", ") + quoted(node.names[i]) + ": " + text(node.children[i]);
    return "{" + made + "}";
  }

  std::string select(const Select& from) const {
    std::string made = from.value ? "SELECT VALUE " : "SELECT ";
    for (std::size_t i = 0; i < from.items.size(); ++i) {
      const Item& item = from.items[i];
      const std::string expression = item.star ? "*" : text(item.node);
      const std::string alias = alias_of(item);
      made += (i == 0 ? "" : ", ") + expression +
              (alias.empty() || alias == expression ? "" : " AS " + alias);
    }
    if (from.source) made += " FROM " + text(*from.source);
    if (!from.alias.empty()) made += " AS " + from.alias;
    if (from.where) made += " WHERE " + text(*from.where);
    return made;
  }

  const Syntax& syntax_;
};

std::string duration_of(std::int64_t milliseconds) {
  return milliseconds % 1000 == 0 ? std::to_string(milliseconds / 1000) + "s"
                                  : std::to_string(milliseconds) + "ms";
}

std::string window_of(const Window& window) {
  constexpr std::string_view kKinds[] = {"TUMBLING", "HOPPING", "SLIDING", "SESSION", "COUNT"};
  const bool counts = window.kind == WindowKind::Count;
  std::string made = std::string(kKinds[static_cast<std::size_t>(window.kind)]) + "(" +
                     (counts ? std::to_string(window.length) : duration_of(window.length));
  if (window.step > 0 && !counts) made += ", " + duration_of(window.step);
  return made + ")";
}

// One line of the program, with the names that its numbers stand for.
std::string line_of(const Program& program, const Instruction& at) {
  std::string made(kOps[static_cast<std::size_t>(at.op)]);
  const auto keys = [&](std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t i = first; i < first + count && i < program.keys.size(); ++i)
      made += " " + std::string(program.keys[i]);
  };
  switch (at.op) {
    case Op::Constant: return made + " " + json::text_of(program.constants[at.a]);
    case Op::Path:
    case Op::Object: keys(at.a, at.b); return made;
    case Op::Field: keys(at.a, 1); return made;
    case Op::Compare:
      keys(at.a, at.count);
      return made + " " + std::string(kOps[at.flags]) + " " +
             json::text_of(program.constants[at.b]);
    case Op::Jump:
    case Op::JumpUnlessTrue:
    case Op::JumpUndefined:
    case Op::CaseTest: return made + " to " + std::to_string(at.a);
    case Op::Call:
      made += " " +
              (at.a < all_functions().size() ? std::string(all_functions()[at.a].name)
                                             : "number " + std::to_string(at.a)) +
              " of " + std::to_string(at.count);
      if ((at.flags & kHasState) != 0) made += ", memory " + std::to_string(at.b);
      return made;
    case Op::Element:
    case Op::Variable:
    case Op::Array:
    case Op::Query:
    case Op::Exists:
    case Op::Aggregate:
    case Op::GroupKey: return made + " " + std::to_string(at.a);
    default: return made;
  }
}

// The expressions over the message, inner ones first.
class Gatherer {
 public:
  Gatherer(const Syntax& syntax, std::size_t most) : syntax_(syntax), most_(most) {}

  void add(NodeId id) {
    const Node& node = syntax_[id];
    const bool grouped =
        node.kind == NodeKind::Call && syntax_.grouping &&
        (aggregate_of(node.text) || node.text == "window_start" || node.text == "window_end");
    if (node.kind == NodeKind::Query || node.kind == NodeKind::Exists) {
      if (syntax_.selects[node.select].source) add(*syntax_.selects[node.select].source);
    } else {
      for (const NodeId each : node.children) add(each);
    }
    if (node.kind <= NodeKind::Star || grouped || all_.size() >= most_) return;
    std::string text = Unparser(syntax_).text(id);
    if (std::find(all_.begin(), all_.end(), text) == all_.end()) all_.push_back(std::move(text));
  }

  void add(const std::vector<Item>& items) {
    for (const Item& item : items)
      if (!item.star) add(item.node);
  }

  std::vector<std::string> take() { return std::move(all_); }

 private:
  const Syntax& syntax_;
  std::size_t most_;
  std::vector<std::string> all_;
};

}  // namespace

std::string text_of(const Syntax& syntax, NodeId node) {
  return Unparser(syntax).text(node);
}

std::string explain(const Statement& statement) {
  const Syntax& syntax = statement.syntax();
  const Program& program = statement.program();
  std::string all = "version  " + std::string(sql::name_of(statement.version())) + "\n";
  const auto line = [&](std::string_view head, const std::string& text) {
    std::string padded(head);
    padded.resize(std::max<std::size_t>(padded.size() + 1, 9), ' ');
    all += padded + text + "\n";
  };
  for (const std::string& filter : statement.filters()) line("from", filter);
  for (const auto& [name, node] : syntax.variables)
    line("set", (name.starts_with('@') ? "" : "@") + name + " = " + text_of(syntax, node));
  if (syntax.foreach)
    line("foreach", text_of(syntax, syntax.foreach->list) +
                        (syntax.foreach->alias.empty() ? "" : " AS " + syntax.foreach->alias));
  if (syntax.selects[0].where) line("where", text_of(syntax, *syntax.selects[0].where));
  const auto items = [&](const std::vector<Item>& of) {
    for (const Item& item : of) {
      const std::string alias = alias_of(item);
      const std::string expression = item.star ? "*" : text_of(syntax, item.node);
      line("select",
           alias.empty() || alias == expression ? expression : alias + " = " + expression);
    }
  };
  items(syntax.selects[0].items);
  if (syntax.foreach) {
    items(syntax.foreach->items);
    if (syntax.foreach->incase) line("incase", text_of(syntax, *syntax.foreach->incase));
  }
  if (syntax.grouping) {
    for (const NodeId key : syntax.grouping->keys) line("group by", text_of(syntax, key));
    if (syntax.grouping->window) line("window", window_of(*syntax.grouping->window));
    if (syntax.grouping->having) line("having", text_of(syntax, *syntax.grouping->having));
  }
  line("reads", program.asks_payload ? "the payload" : "no payload");
  if (program.state_slots > 0)
    line("remembers",
         "for " + std::to_string(program.state_slots) + " functions, at the home of the rule");
  line("program", std::to_string(program.code.size()) + " instructions, " +
                      std::to_string(program.stack_size) + " values deep");
  for (std::size_t i = 0; i < program.code.size(); ++i) {
    const std::string number = std::to_string(i);
    all += std::string(7 - std::min<std::size_t>(number.size(), 7), ' ') + number + "  " +
           line_of(program, program.code[i]) + "\n";
  }
  return all;
}

std::vector<ExplainedValue> explain_values(const Statement& statement, Dialect dialect,
                                           const Event& event, Payload& payload, World* world,
                                           std::size_t most) {
  const Syntax& syntax = statement.syntax();
  Gatherer gatherer(syntax, most);
  for (const auto& [name, node] : syntax.variables) gatherer.add(node);
  if (syntax.foreach) gatherer.add(syntax.foreach->list);
  if (syntax.selects[0].where) gatherer.add(*syntax.selects[0].where);
  if (!syntax.foreach) gatherer.add(syntax.selects[0].items);
  if (syntax.grouping)
    for (const NodeId key : syntax.grouping->keys) gatherer.add(key);
  const std::string head = statement.text().substr(0, syntax.select_offset) + " SELECT VALUE ";
  std::vector<ExplainedValue> all;
  Scratch scratch;
  for (std::string& expression : gatherer.take()) {
    const auto alone = Statement::compile(head + expression, {dialect, statement.version()});
    if (!alone) continue;
    scratch.reset();
    State state;
    const Evaluated evaluated = alone->evaluate(event, payload, world, state, scratch);
    ExplainedValue value{std::move(expression), std::nullopt};
    if (evaluated.outcome == Outcome::Match && !evaluated.value.is_undefined())
      value.value = json::text_of(evaluated.value);
    all.push_back(std::move(value));
  }
  return all;
}

}  // namespace twinmq::sql
