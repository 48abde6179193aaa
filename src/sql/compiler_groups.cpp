// GROUP BY, HAVING and aggregates.

#include "sql/compilation.hpp"

#include <utility>

#include "sql/lexer.hpp"

namespace twinmq::sql {

void Compilation::group(const Grouping& from) {
  GroupPlan plan;
  plan.window = *from.window;
  if (plan.window.event_time) plan.event_time = block(*plan.window.event_time);
  for (const NodeId key : from.keys) plan.keys.push_back(block(key));
  program_->group = std::make_unique<GroupPlan>(std::move(plan));
  grouped_ = true;
  if (from.having) program_->group->having = block(*from.having);
}

bool Compilation::grouped(NodeId id) {
  const Node& node = syntax_[id];
  const auto& keys = syntax_.grouping->keys;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!same(syntax_, id, keys[i])) continue;
    emit(Op::GroupKey, 1, static_cast<std::uint32_t>(i));
    return true;
  }
  if (node.kind == NodeKind::Call) {
    const std::string name = lower_case(node.text);
    if (const auto kind = aggregate_of(name)) {
      aggregate(node, *kind);
      return true;
    }
    if (name == "window_start" || name == "window_end") {
      emit(name == "window_start" ? Op::WindowBegin : Op::WindowEnd, 1);
      return true;
    }
    if (find_function(name) == nullptr && open()) {
      program_->outside.push_back({name, node.offset, true});
      aggregate(node, Aggregate::Outside);
      return true;
    }
  }
  if (node.kind == NodeKind::Member) return false;
  if (node.kind == NodeKind::Name || node.kind == NodeKind::Star ||
      node.kind == NodeKind::Variable || node.kind == NodeKind::Query ||
      node.kind == NodeKind::Exists) {
    fail(node.offset,
         "this is neither a key of GROUP BY nor inside an aggregate: last(…) takes the newest "
         "value");
    return true;
  }
  return false;
}

void Compilation::aggregate(const Node& node, Aggregate kind) {
  const std::size_t wanted = kind == Aggregate::Percentile ? 2 : 1;
  const bool bare = kind == Aggregate::Count && node.children.empty();
  if (!bare && node.children.size() != wanted)
    return fail(node.offset, node.text + "() takes " + std::to_string(wanted) +
                                 (wanted == 1 ? " argument" : " arguments"));
  AggregatePlan plan;
  plan.kind = kind;
  if (kind == Aggregate::Outside) plan.name = lower_case(node.text);
  const bool star = !bare && syntax_[node.children[0]].kind == NodeKind::Star;
  if (star && kind != Aggregate::Count) return fail(node.offset, "only count() takes *");
  if (kind == Aggregate::Percentile) {
    const Node& share = syntax_[node.children[1]];
    if (share.kind != NodeKind::Number)
      return fail(share.offset, "the share is a number such as 0.95");
    plan.parameter = json::to_double(share.number);
  }
  if (!bare && !star) plan.argument = argument(node.children[0], kind);
  program_->group->aggregates.push_back(plan);
  emit(Op::Aggregate, 1, static_cast<std::uint32_t>(program_->group->aggregates.size() - 1));
}

std::uint32_t Compilation::argument(NodeId id, Aggregate kind) {
  const bool keep = keeps_values(kind);
  const bool spread = kind == Aggregate::Stddev;
  auto& arguments = program_->group->arguments;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!same(syntax_, argument_nodes_[i], id)) continue;
    arguments[i].keep = arguments[i].keep || keep;
    arguments[i].spread = arguments[i].spread || spread;
    return static_cast<std::uint32_t>(i);
  }
  const bool outer = std::exchange(grouped_, false);
  const std::uint32_t begin = block(id);
  grouped_ = outer;
  argument_nodes_.push_back(id);
  arguments.push_back({begin, keep, spread});
  return static_cast<std::uint32_t>(arguments.size() - 1);
}

}  // namespace twinmq::sql
