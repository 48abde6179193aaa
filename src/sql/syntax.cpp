#include "sql/syntax.hpp"

#include "json/decimal.hpp"

namespace twinmq::sql {

bool same(const Syntax& syntax, NodeId a, NodeId b) {
  const Node& x = syntax[a];
  const Node& y = syntax[b];
  if (x.kind != y.kind || x.text != y.text || x.operation != y.operation ||
      x.children.size() != y.children.size() || x.select != y.select || x.names != y.names ||
      json::compare(x.number, y.number) != 0)
    return false;
  for (std::size_t i = 0; i < x.children.size(); ++i)
    if (!same(syntax, x.children[i], y.children[i])) return false;
  return true;
}

}  // namespace twinmq::sql
