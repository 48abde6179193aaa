// Expressions other than calls.

#include "sql/compilation.hpp"

#include <algorithm>

#include "sql/conversion.hpp"

namespace twinmq::sql {

using json::Value;

void Compilation::expression(NodeId id) {
  const Node& node = syntax_[id];
  if (grouped_ && grouped(id)) return;
  switch (node.kind) {
    case NodeKind::Null: return constant(Value::null());
    case NodeKind::True: return constant(Value::boolean(true));
    case NodeKind::False: return constant(Value::boolean(false));
    case NodeKind::Number:
      return constant(Value::number(
          options_.version == Version::V2015 ? node.number : json::stripped(node.number),
          program_->arena));
    case NodeKind::Text: return constant(text_constant(node.text));
    case NodeKind::Star:
      program_->asks_payload = true;
      emit(Op::Star, 1);
      return;
    case NodeKind::Name:
    case NodeKind::Member: return path(id);
    case NodeKind::Variable: return variable(node);
    case NodeKind::Index: return unary_like(node, Op::Index);
    case NodeKind::Not: return unary_like(node, Op::Not);
    case NodeKind::Negate: return negate(node);
    case NodeKind::Binary: return binary(node);
    case NodeKind::In: return unary_like(node, Op::In);
    case NodeKind::Between: return unary_like(node, Op::Between);
    case NodeKind::Like: return unary_like(node, Op::Like);
    case NodeKind::Case: return simple_case(node);
    case NodeKind::Searched: return searched_case(node);
    case NodeKind::Call: return call(node);
    case NodeKind::Cast:
      expression(node.children[0]);
      emit(Instruction{Op::Cast, static_cast<std::uint8_t>(cast_type_of(node.text)), 0, 0, 0}, 0);
      return;
    case NodeKind::Array:
      for (const NodeId child : node.children) expression(child);
      emit(Op::Array, 1 - static_cast<int>(node.children.size()),
           static_cast<std::uint32_t>(node.children.size()));
      return;
    case NodeKind::Object: return object(node);
    case NodeKind::Query:
    case NodeKind::Exists: return query(node);
  }
}

void Compilation::unary_like(const Node& node, Op op) {
  for (const NodeId child : node.children) expression(child);
  emit(op, 1 - static_cast<int>(node.children.size()));
}

void Compilation::negate(const Node& node) {
  const Node& operand = syntax_[node.children[0]];
  if (operand.kind == NodeKind::Number) {
    json::Decimal number =
        options_.version == Version::V2015 ? operand.number : json::stripped(operand.number);
    number.coefficient = -number.coefficient;
    return constant(Value::number(number, program_->arena));
  }
  unary_like(node, Op::Negate);
}

void Compilation::binary(const Node& node) {
  constexpr Op kOps[] = {Op::Or,        Op::And,     Op::Equal,        Op::Unequal, Op::Less,
                         Op::LessEqual, Op::Greater, Op::GreaterEqual, Op::Add,     Op::Subtract,
                         Op::Multiply,  Op::Divide,  Op::Remainder};
  const Op op = kOps[static_cast<std::size_t>(node.operation)];
  unary_like(node, op);
  if (op >= Op::Equal && op <= Op::GreaterEqual) compare_at_once(node, op);
}

void Compilation::compare_at_once(const Node& node, Op op) {
  const NodeKind left = syntax_[node.children[0]].kind;
  const NodeKind right = syntax_[node.children[1]].kind;
  if ((left != NodeKind::Name && left != NodeKind::Member) ||
      (right != NodeKind::Number && right != NodeKind::Text))
    return;
  const Instruction path = code_[code_.size() - 3];
  if (path.op != Op::Path || path.b > UINT8_MAX) return;
  const Instruction constant = code_[code_.size() - 2];
  if (constant.op != Op::Constant) return;
  code_.resize(code_.size() - 3);
  code_.push_back({Op::Compare, static_cast<std::uint8_t>(path.b), static_cast<std::uint8_t>(op),
                   path.a, constant.a});
}

void Compilation::path(NodeId id) {
  std::vector<const Node*> members;
  const Node* head = &syntax_[id];
  for (; head->kind == NodeKind::Member; head = &syntax_[head->children[0]])
    members.push_back(head);
  std::reverse(members.begin(), members.end());
  std::uint32_t first = static_cast<std::uint32_t>(keys_.size());
  if (head->kind != NodeKind::Name || grouped_) {
    // What is no name compiles by itself.
    const NodeId base = members.front()->children[0];
    expression(base);
    fields(members);
    return;
  }
  if (!scopes_.empty() && !scopes_.back().alias.empty() && scopes_.back().alias == head->text) {
    emit(Op::Element, 1, 0);
    fields(members);
    return;
  }
  if (scopes_.empty() || scopes_.back().kind == ScopeKind::Foreach) program_->asks_payload = true;
  key(head->text);
  for (const Node* member : members) key(member->text);
  emit(Op::Path, 1, first, static_cast<std::uint32_t>(members.size() + 1));
}

void Compilation::fields(const std::vector<const Node*>& members) {
  for (const Node* member : members) emit(Op::Field, 0, key(member->text));
}

void Compilation::variable(const Node& node) {
  const auto found = std::find(variables_.begin(), variables_.end(), node.text);
  if (found == variables_.end())
    return fail(node.offset, "@" + node.text + " is not set before this place");
  emit(Op::Variable, 1, static_cast<std::uint32_t>(found - variables_.begin()));
}

void Compilation::simple_case(const Node& node) {
  expression(node.children[0]);
  const std::uint32_t undefined = emit(Op::JumpUndefined, 0);
  std::vector<std::uint32_t> ends;
  std::size_t at = 1;
  for (; at + 1 < node.children.size(); at += 2) {
    expression(node.children[at]);
    const std::uint32_t next = emit(Op::CaseTest, -2);
    expression(node.children[at + 1]);
    ends.push_back(emit(Op::Jump, 0));
    land(next);
  }
  emit(Op::Pop, -1);
  otherwise(node, at, ends);
  land(undefined);
}

void Compilation::searched_case(const Node& node) {
  std::vector<std::uint32_t> ends;
  std::size_t at = 0;
  for (; at + 1 < node.children.size(); at += 2) {
    expression(node.children[at]);
    const std::uint32_t next = emit(Op::JumpUnlessTrue, -1);
    expression(node.children[at + 1]);
    ends.push_back(emit(Op::Jump, -1));
    land(next);
  }
  otherwise(node, at, ends);
}

void Compilation::otherwise(const Node& node, std::size_t at,
                            const std::vector<std::uint32_t>& ends) {
  if (at < node.children.size()) {
    expression(node.children[at]);
  } else {
    emit(Op::Undefined, 1);
  }
  for (const std::uint32_t end : ends) land(end);
}

void Compilation::object(const Node& node) {
  std::vector<std::uint32_t> keys;
  for (const NodeId child : node.children) expression(child);
  const std::uint32_t first = static_cast<std::uint32_t>(keys_.size());
  for (const std::string& name : node.names) key(name);
  const auto count = static_cast<std::uint32_t>(node.children.size());
  emit(Op::Object, 1 - static_cast<int>(count), first, count);
}

void Compilation::query(const Node& node) {
  const Select& from = syntax_.selects[node.select];
  expression(*from.source);
  scopes_.push_back({ScopeKind::Element, from.alias});
  select(node.select);
  scopes_.pop_back();
  emit(node.kind == NodeKind::Exists ? Op::Exists : Op::Query, 0, node.select);
}

}  // namespace twinmq::sql
