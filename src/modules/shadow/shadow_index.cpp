#include "modules/shadow/shadow_index.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "json/decimal.hpp"
#include "sql/parser.hpp"

namespace twinmq::shadow {
namespace {

constexpr char kIndex = 'i';
constexpr char kFlag = 'b';
constexpr char kNumber = 'n';
constexpr char kText = 't';
constexpr std::size_t kTextBytesMax = 64;

std::string head_of(std::string_view path) {
  std::string key(1, kIndex);
  key += path;
  key += '\0';
  return key;
}

// Eight bytes in the order of numbers. Rounding keeps the order; who asks looks at the document.
std::string number_bytes(double number) {
  if (number == 0) number = 0;  // not the negative one
  auto bits = std::bit_cast<std::uint64_t>(number);
  bits = (bits >> 63) != 0 ? ~bits : bits | std::uint64_t{1} << 63;
  std::string bytes(1, kNumber);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(bits >> shift);
  return bytes;
}

// The beginning of a text, without zero bytes so that one can end it.
std::string text_bytes(std::string_view text) {
  std::string bytes(1, kText);
  for (const char byte : text.substr(0, kTextBytesMax)) {
    if (byte == '\0' || byte == '\1') {
      bytes += '\1';
      bytes += byte == '\0' ? '\1' : '\2';
    } else {
      bytes += byte;
    }
  }
  return bytes;
}

std::string flag_bytes(bool flag) {
  return {kFlag, flag ? '1' : '0'};
}

const Node* at_path(const Document& document, std::string_view path) {
  const std::size_t dot = path.find('.');
  const std::string_view section = path.substr(0, dot);
  const std::optional<Node>& root = section == "desired" ? document.desired : document.reported;
  if (!root || dot == path.npos || (section != "desired" && section != "reported")) return nullptr;
  const Node* node = &*root;
  for (path.remove_prefix(dot + 1);;) {
    const std::size_t end = std::min(path.find('.'), path.size());
    if (!node->is_object() || (node = find(*node, path.substr(0, end))) == nullptr) return nullptr;
    if (end == path.size()) return node;
    path.remove_prefix(end + 1);
  }
}

// "reported.battery" of the nodes that say so.
std::string path_of(const sql::Syntax& syntax, sql::NodeId id) {
  const sql::Node& node = syntax[id];
  if (node.kind == sql::NodeKind::Name) return node.text;
  if (node.kind != sql::NodeKind::Member) return {};
  const std::string base = path_of(syntax, node.children[0]);
  return base.empty() ? base : base + '.' + node.text;
}

struct Literal {
  enum class Kind : std::uint8_t { None, Flag, Number, Text } kind = Kind::None;
  std::string bytes;
};

Literal literal_of(const sql::Syntax& syntax, sql::NodeId id) {
  const sql::Node& node = syntax[id];
  switch (node.kind) {
    case sql::NodeKind::True:
    case sql::NodeKind::False:
      return {Literal::Kind::Flag, flag_bytes(node.kind == sql::NodeKind::True)};
    case sql::NodeKind::Number:
      return {Literal::Kind::Number, number_bytes(json::to_double(node.number))};
    case sql::NodeKind::Negate: {
      const sql::Node& inner = syntax[node.children[0]];
      if (inner.kind != sql::NodeKind::Number) return {};
      return {Literal::Kind::Number, number_bytes(-json::to_double(inner.number))};
    }
    case sql::NodeKind::Text: return {Literal::Kind::Text, text_bytes(node.text)};
    default: return {};
  }
}

sql::Operation mirrored(sql::Operation operation) {
  switch (operation) {
    case sql::Operation::Less: return sql::Operation::Greater;
    case sql::Operation::LessEqual: return sql::Operation::GreaterEqual;
    case sql::Operation::Greater: return sql::Operation::Less;
    case sql::Operation::GreaterEqual: return sql::Operation::LessEqual;
    default: return operation;
  }
}

// Keys after every key that begins with `bytes`, which end with a zero byte or a number.
std::string behind(std::string bytes) {
  while (!bytes.empty() && static_cast<unsigned char>(bytes.back()) == 0xFF) bytes.pop_back();
  if (!bytes.empty()) ++bytes.back();
  return bytes;
}

// The range of `path operation literal`.
std::optional<IndexRange> comparison(const std::string& path, sql::Operation operation,
                                     const Literal& literal, bool numeric_text) {
  const std::string head = head_of(path);
  const char type = literal.bytes.front();
  const std::string least = head + type;
  const std::string most = head + static_cast<char>(type + 1);
  // A text ends with a zero byte in its key.
  const std::string value =
      head + literal.bytes + (literal.kind == Literal::Kind::Text ? std::string(1, '\0') : "");
  if (operation == sql::Operation::Equal) return IndexRange{path, value, behind(value), true};
  // Texts that read as numbers are compared as numbers.
  if (literal.kind == Literal::Kind::Flag || numeric_text) return std::nullopt;
  switch (operation) {
    case sql::Operation::Less:
    case sql::Operation::LessEqual: return IndexRange{path, least, behind(value), false};
    case sql::Operation::Greater:
    case sql::Operation::GreaterEqual: return IndexRange{path, value, most, false};
    default: return std::nullopt;
  }
}

class Planner {
 public:
  Planner(const sql::Syntax& syntax, const std::vector<std::string>& paths)
      : syntax_(syntax), paths_(paths) {}

  std::vector<IndexRange> ranges;

  void look(sql::NodeId id) {
    const sql::Node& node = syntax_[id];
    if (node.kind == sql::NodeKind::Between) {
      bound(node.children[0], sql::Operation::GreaterEqual, node.children[1]);
      bound(node.children[0], sql::Operation::LessEqual, node.children[2]);
    }
    if (node.kind != sql::NodeKind::Binary) return;
    if (node.operation == sql::Operation::And) {
      look(node.children[0]);
      look(node.children[1]);
      return;
    }
    bound(node.children[0], node.operation, node.children[1]);
    bound(node.children[1], mirrored(node.operation), node.children[0]);
  }

 private:
  void bound(sql::NodeId left, sql::Operation operation, sql::NodeId right) {
    const std::string path = path_of(syntax_, left);
    if (std::ranges::find(paths_, path) == paths_.end()) return;
    const Literal literal = literal_of(syntax_, right);
    if (literal.kind == Literal::Kind::None) return;
    const bool numeric =
        literal.kind == Literal::Kind::Text && json::read_decimal(syntax_[right].text).has_value();
    const auto range = comparison(path, operation, literal, numeric);
    if (!range) return;
    for (IndexRange& each : ranges) {
      if (each.path != path) continue;
      each.from = std::max(each.from, range->from);
      each.to = std::min(each.to, range->to);
      each.exact = each.exact || range->exact;
      return;
    }
    ranges.push_back(*range);
  }

  const sql::Syntax& syntax_;
  const std::vector<std::string>& paths_;
};

}  // namespace

std::set<std::string> index_keys(const std::vector<std::string>& paths, std::string_view record_key,
                                 const Document& document) {
  std::set<std::string> keys;
  if (document.deleted) return keys;
  for (const std::string& path : paths) {
    const Node* const node = at_path(document, path);
    if (node == nullptr) continue;
    const auto add = [&](const std::string& bytes) {
      keys.insert(head_of(path) + bytes + std::string(record_key));
    };
    if (node->kind == Kind::True || node->kind == Kind::False)
      add(flag_bytes(node->kind == Kind::True));
    if (node->kind == Kind::String) add(text_bytes(node->characters()) + '\0');
    if (node->kind != Kind::Number && node->kind != Kind::String) continue;
    // As comparisons read numbers, also those in texts.
    const auto number =
        json::read_decimal(node->characters(), node->kind == Kind::Number ? json::Exponents::Signed
                                                                          : json::Exponents::Plain);
    if (number) add(number_bytes(json::to_double(*number)));
  }
  return keys;
}

std::string record_of_index_key(std::string_view key, std::string_view path) {
  const std::size_t head = path.size() + 2;
  if (key.size() <= head) return {};
  const char type = key[head];
  std::size_t at = head + 1;
  if (type == kFlag) {
    at += 1;
  } else if (type == kNumber) {
    at += 8;
  } else {
    const std::size_t end = key.find('\0', at);
    if (end == key.npos) return {};
    at = end + 1;
  }
  return at < key.size() ? std::string(key.substr(at)) : std::string();
}

IndexRange index_range(std::string_view path) {
  const std::string head = head_of(path);
  return {std::string(path), head, behind(head), false};
}

std::optional<IndexRange> range_of(std::string_view condition,
                                   const std::vector<std::string>& paths) {
  if (paths.empty()) return std::nullopt;
  const auto syntax = sql::parse_expression(condition, sql::Dialect::Twinmq);
  if (!syntax || syntax->selects.empty() || !syntax->selects.front().where) return std::nullopt;
  Planner planner(*syntax, paths);
  planner.look(*syntax->selects.front().where);
  if (planner.ranges.empty()) return std::nullopt;
  const auto exact = std::ranges::find_if(planner.ranges, &IndexRange::exact);
  IndexRange best = exact != planner.ranges.end() ? *exact : planner.ranges.front();
  if (best.to < best.from) best.to = best.from;  // BETWEEN 2 AND 1: nothing
  return best;
}

}  // namespace twinmq::shadow
