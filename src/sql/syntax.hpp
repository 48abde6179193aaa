#pragma once
// The tree of a statement. Nodes lie in one list and name each other by index, so that no
// statement, however deep, makes its destruction recursive.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "json/decimal.hpp"

namespace twinmq::sql {

using NodeId = std::uint32_t;

enum class NodeKind : std::uint8_t {
  Null,
  True,
  False,
  Number,    ///< number
  Text,      ///< text
  Star,      ///< the whole payload
  Name,      ///< text: a key of the payload or of the element, or an element's alias
  Variable,  ///< text: as SET named it
  Member,    ///< children[0] . text
  Index,     ///< children[0] [ children[1] ]
  Not,
  Negate,
  Binary,    ///< operation, children[0] and [1]
  In,        ///< children[0] IN children[1]
  Between,   ///< children[0] BETWEEN children[1] AND children[2]
  Like,      ///< children[0] LIKE children[1]
  Case,      ///< subject, then pairs WHEN, THEN; an odd one at the end is ELSE
  Searched,  ///< pairs WHEN, THEN; an odd one at the end is ELSE
  Call,      ///< text: the function; the children are its arguments
  Cast,      ///< children[0] AS text
  Array,
  Object,  ///< names and children
  Query,   ///< select
  Exists,  ///< select
};

enum class Operation : std::uint8_t {
  Or,
  And,
  Equal,
  Unequal,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Add,
  Subtract,
  Multiply,
  Divide,
  Remainder
};

struct Node {
  NodeKind kind = NodeKind::Null;
  Operation operation = Operation::Or;
  std::uint16_t depth = 1;
  std::uint32_t select = 0;
  std::size_t offset = 0;
  std::string text;
  json::Decimal number;
  std::vector<NodeId> children;
  std::vector<std::string> names;
  std::optional<std::vector<NodeId>> partition;  ///< of a Call: OVER (PARTITION BY …)
  std::optional<NodeId> when;                    ///< of a Call: OVER (… WHEN …)
};

struct Item {
  bool star = false;  ///< * without alias
  NodeId node = 0;
  std::vector<std::string> alias;  ///< AS a.b; empty: none
  std::size_t offset = 0;
};

/// SELECT … FROM … WHERE, of a statement or of a nested query.
struct Select {
  bool value = false;
  std::vector<Item> items;
  std::optional<NodeId> source;  ///< of a nested query
  std::string alias;             ///< of the elements of a nested query; empty: none
  std::optional<NodeId> where;
};

/// FOREACH list [AS alias] [DO items] [INCASE condition]: one result for each element.
struct Foreach {
  NodeId list = 0;
  std::string alias;
  std::vector<Item> items;  ///< empty: the element as it is
  std::optional<NodeId> incase;
};

enum class WindowKind : std::uint8_t { Tumbling, Hopping, Sliding, Session, Count };

/// In how many windows a message of HOPPING may lie.
constexpr std::int64_t kHopsMax = 1000;

struct Window {
  WindowKind kind = WindowKind::Tumbling;
  std::int64_t length = 0;  ///< milliseconds; messages for Count
  std::int64_t step = 0;    ///< of Hopping: between two closings; of Session: the longest (0: none)
  std::optional<NodeId> event_time;
  std::int64_t late = 0;  ///< how much later than the newest an event may come, milliseconds
  std::size_t offset = 0;
};

struct Grouping {
  std::vector<NodeId> keys;
  std::optional<Window> window;
  std::optional<NodeId> having;
};

struct Syntax {
  std::vector<Node> nodes;
  std::vector<Select> selects;  ///< [0]: the statement's own
  std::vector<std::pair<std::string, NodeId>> variables;
  std::vector<std::string> filters;
  std::size_t select_offset = 0;  ///< where SELECT or FOREACH begins, behind SET
  std::optional<Foreach> foreach;
  std::optional<Grouping> grouping;

  const Node& operator[](NodeId id) const { return nodes[id]; }
};

/// Whether both nodes say the same, wherever they stand.
bool same(const Syntax& syntax, NodeId a, NodeId b);

}  // namespace twinmq::sql
