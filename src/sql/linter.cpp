#include "sql/linter.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "sql/functions.hpp"
#include "sql/lexer.hpp"
#include "sql/template.hpp"

namespace twinmq::sql {
namespace {

bool is_constant(const Node& node) {
  return node.kind == NodeKind::Text || node.kind == NodeKind::Number ||
         node.kind == NodeKind::True || node.kind == NodeKind::False || node.kind == NodeKind::Null;
}

bool is_number(const Node& node) {
  return node.kind == NodeKind::Number ||
         (node.kind == NodeKind::Text && json::read_decimal(node.text).has_value());
}

class Linter {
 public:
  explicit Linter(const Statement& statement)
      : statement_(statement), syntax_(statement.syntax()) {}

  std::vector<std::string> run() {
    for (const Node& node : syntax_.nodes) {
      if (node.kind == NodeKind::Binary) binary(node);
      if (node.kind == NodeKind::Call) call(node);
      if (node.kind == NodeKind::Not && syntax_[node.children[0]].kind == NodeKind::Number)
        warn(node, "NOT of a number is always Undefined");
    }
    if (syntax_.selects[0].where && is_constant(syntax_[*syntax_.selects[0].where]) &&
        syntax_[*syntax_.selects[0].where].kind != NodeKind::True)
      warn(syntax_[*syntax_.selects[0].where], "WHERE is never true");
    aliases();
    return std::move(warnings_);
  }

 private:
  void warn(const Node& node, const std::string& sentence) {
    const Position at = position_of(statement_.text(), node.offset);
    warnings_.push_back("line " + std::to_string(at.line) + ", column " +
                        std::to_string(at.column) + ": " + sentence);
  }

  void binary(const Node& node) {
    const Node& left = syntax_[node.children[0]];
    const Node& right = syntax_[node.children[1]];
    const auto either = [&](auto test) { return test(left) || test(right); };
    const bool orders =
        node.operation == Operation::Less || node.operation == Operation::LessEqual ||
        node.operation == Operation::Greater || node.operation == Operation::GreaterEqual;
    if ((node.operation == Operation::Equal || node.operation == Operation::Unequal) &&
        either([](const Node& side) {
          return side.kind == NodeKind::Name && same_word(side.text, "undefined");
        }))
      return warn(node, "a comparison with Undefined is always Undefined: use isUndefined()");
    if ((orders || node.operation == Operation::Equal || node.operation == Operation::Unequal) &&
        either([&](const Node& side) { return always_undefined(side); }))
      return warn(node, "one side can only be Undefined, and so is the comparison");
    if (orders && statement_.version() != Version::Twinmq &&
        either([](const Node& side) { return is_constant(side) && !is_number(side); }))
      return warn(node, "only numbers are ordered: this comparison is always Undefined");
    if ((node.operation == Operation::And || node.operation == Operation::Or) &&
        either([](const Node& side) {
          return side.kind == NodeKind::Number || side.kind == NodeKind::Null;
        }))
      warn(node, "AND and OR take Booleans: with a number or NULL the result is always Undefined");
    if ((node.operation == Operation::Divide || node.operation == Operation::Remainder) &&
        right.kind == NodeKind::Number && right.number.coefficient == 0)
      warn(node, "a division by zero is Undefined");
  }

  // A member of what has none.
  bool always_undefined(const Node& node) const {
    return node.kind == NodeKind::Member && is_constant(syntax_[node.children[0]]);
  }

  void call(const Node& node) {
    if (!lower_case(node.text).starts_with("regexp_") || node.children.size() < 2) return;
    const Node& pattern = syntax_[node.children[1]];
    if (pattern.kind != NodeKind::Text) return;
    re2::RE2::Options options;
    options.set_log_errors(false);
    const re2::RE2 compiled(pattern.text, options);
    if (!compiled.ok())
      warn(pattern, "this is no regular expression of RE2, so " + node.text +
                        "() is always Undefined: " + compiled.error());
  }

  // An alias is visible neither in WHERE nor in other items.
  void aliases() {
    const Select& select = syntax_.selects[0];
    if (!select.where) return;
    for (const Item& item : select.items) {
      const Node& node = syntax_[item.node];
      if (item.alias.size() != 1 || node.kind == NodeKind::Name) continue;
      const Node& where = syntax_[*select.where];
      if (mentions(where, item.alias[0]) && node.kind != NodeKind::Member)
        warn(where, "WHERE does not see the alias " + item.alias[0] +
                        ", only the payload's key of that name");
    }
  }

  bool mentions(const Node& node, const std::string& name) const {
    if (node.kind == NodeKind::Name) return node.text == name;
    if (node.kind != NodeKind::Binary) return false;
    for (const NodeId child : node.children)
      if (mentions(syntax_[child], name)) return true;
    return false;
  }

  const Statement& statement_;
  const Syntax& syntax_;
  std::vector<std::string> warnings_;
};

constexpr char kAnything = '\0';  // in a level: whatever an expression makes; no topic has it

std::vector<std::string> levels_of(std::string_view text) {
  std::vector<std::string> levels(1);
  for (const char each : text) {
    if (each == '/')
      levels.emplace_back();
    else
      levels.back() += each;
  }
  return levels;
}

bool fits(std::string_view pattern, std::string_view level) {
  const std::size_t any = pattern.find(kAnything);
  if (any == std::string_view::npos) return pattern == level;
  if (!level.starts_with(pattern.substr(0, any))) return false;
  const std::string_view rest = pattern.substr(any + 1);
  for (std::size_t at = any; at <= level.size(); ++at)
    if (fits(rest, level.substr(at))) return true;
  return false;
}

// What is known of an expression's value when the filter covers the message; kAnything: nothing.
std::string value_of(const std::string& plain, const std::vector<std::string>& filter) {
  if (!plain.starts_with("topic(") || !plain.ends_with(")")) return {kAnything};
  const std::string number = plain.substr(6, plain.size() - 7);
  if (number.empty() || number.size() > 3 || number.find_first_not_of("0123456789") != number.npos)
    return {kAnything};
  const auto level = static_cast<std::size_t>(std::stoi(number));
  const auto known =
      static_cast<std::size_t>(std::find(filter.begin(), filter.end(), "#") - filter.begin());
  return level == 0 || level > known || filter[level - 1] == "+" ? std::string{kAnything}
                                                                 : filter[level - 1];
}

// The topic for messages of that filter. False: it goes on with what stands for the filter's #.
bool read_topic(std::string_view text, const std::vector<std::string>& filter, std::string& topic) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("${", at);
    topic += text.substr(at, open - at);
    if (open == std::string_view::npos) break;
    const std::size_t close = closing_brace(text, open + 2);
    if (close == std::string_view::npos) break;
    std::string plain = lower_case(text.substr(open + 2, close - open - 2));
    std::erase(plain, ' ');
    if (plain != "topic()") {
      topic += value_of(plain, filter);
    } else {
      for (std::size_t i = 0; i < filter.size(); ++i) {
        if (i > 0) topic += '/';
        if (filter[i] == "#") return false;
        topic += filter[i] == "+" ? std::string{kAnything} : filter[i];
      }
    }
    at = close + 1;
  }
  return true;
}

bool covers(const std::vector<std::string>& filter, const std::vector<std::string>& topic,
            bool open) {
  for (std::size_t i = 0; i < filter.size(); ++i) {
    if (i >= topic.size()) return open;
    if (open && i + 1 == topic.size())
      return filter[i] == "+" || filter[i] == "#" || filter[i].starts_with(topic[i]);
    if (i == 0 && (filter[0] == "#" || filter[0] == "+") && topic[0].starts_with('$')) return false;
    if (filter[i] == "#") return true;
    if (filter[i] != "+" && !fits(topic[i], filter[i])) return false;
  }
  return filter.size() == topic.size();
}

}  // namespace

bool may_cover(const Statement& statement, std::string_view topic) {
  if (topic.starts_with("$$")) topic.remove_prefix(1);
  return std::any_of(statement.filters().begin(), statement.filters().end(),
                     [&](const std::string& filter) {
                       const std::vector<std::string> wanted = levels_of(filter);
                       std::string made;
                       const bool ends = read_topic(topic, wanted, made);
                       return covers(wanted, levels_of(made), !ends);
                     });
}

std::vector<std::string> warnings(const Statement& statement) {
  return Linter(statement).run();
}

}  // namespace twinmq::sql
