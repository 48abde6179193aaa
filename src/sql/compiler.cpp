#include "sql/compiler.hpp"

#include <algorithm>
#include <utility>

#include "sql/compilation.hpp"

namespace twinmq::sql {

using json::Value;

Result<std::unique_ptr<Program>, SyntaxFault> Compilation::run() {
  selects_.resize(syntax_.selects.size());
  for (const auto& [name, node] : syntax_.variables) {
    program_->variables.push_back(block(node));
    variables_.push_back(name);
  }
  if (syntax_.grouping) group(*syntax_.grouping);
  select(0);
  if (syntax_.foreach) foreach_clause(*syntax_.foreach);
  program_->stack_size = static_cast<std::uint32_t>(highest_ + 1);
  program_->code = kept(code_);
  program_->constants = kept(constants_);
  program_->keys = kept(keys_);
  program_->selects = kept(selects_);
  if (failed_) return fault_;
  return std::move(program_);
}

void Compilation::fail(std::size_t offset, std::string message) {
  if (!failed_) fault_ = {offset, std::move(message)};
  failed_ = true;
}

std::uint32_t Compilation::emit(Instruction instruction, int change) {
  height_ = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(height_) + change);
  highest_ = std::max(highest_, height_);
  code_.push_back(instruction);
  return here() - 1;
}

std::uint32_t Compilation::emit(Op op, int change, std::uint32_t a, std::uint32_t b) {
  return emit(Instruction{op, 0, 0, a, b}, change);
}

std::uint32_t Compilation::block(NodeId id) {
  const std::uint32_t over = emit(Op::Jump, 0);
  const std::uint32_t begin = here();
  expression(id);
  emit(Op::End, -1);
  land(over);
  return begin;
}

void Compilation::constant(Value value) {
  constants_.push_back(value);
  emit(Op::Constant, 1, static_cast<std::uint32_t>(constants_.size() - 1));
}

Value Compilation::text_constant(std::string_view text) {
  return Value::string(text.empty() ? std::string_view("") : program_->arena.copy(text));
}

std::uint32_t Compilation::key(const std::string& name) {
  keys_.push_back(program_->arena.copy(name));
  return static_cast<std::uint32_t>(keys_.size() - 1);
}

void Compilation::select(std::uint32_t index) {
  const Select& from = syntax_.selects[index];
  SelectPlan plan;
  plan.value = from.value;
  plan.items = items(from.items);
  plan.whole = from.items.size() == 1 && from.items[0].alias.empty() &&
               syntax_[from.items[0].node].kind == NodeKind::Star;
  if (from.where) {
    const bool outer = std::exchange(grouped_, false);
    plan.where = block(*from.where);
    grouped_ = outer;
  }
  selects_[index] = plan;
}

std::span<const ItemPlan> Compilation::items(const std::vector<Item>& from) {
  std::vector<ItemPlan> plans;
  for (const Item& item : from) {
    ItemPlan plan;
    std::vector<std::string_view> alias;
    for (const std::string& part : item.alias) alias.push_back(program_->arena.copy(part));
    plan.alias = kept(alias);
    if (item.star) {
      plan.placing = Placing::Payload;
      program_->asks_payload = true;
    } else if (item.alias.empty()) {
      plan.placing = Placing::Spread;
    }
    plan.block = block(item.node);
    plans.push_back(plan);
  }
  return kept(plans);
}

void Compilation::foreach_clause(const Foreach& from) {
  ForeachPlan plan;
  plan.list = block(from.list);
  scopes_.push_back({ScopeKind::Foreach, from.alias});
  plan.select.items = items(from.items);
  if (from.incase) plan.incase = block(*from.incase);
  scopes_.pop_back();
  program_->foreach = std::make_unique<ForeachPlan>(plan);
}

Result<std::unique_ptr<Program>, SyntaxFault> compile(const Syntax& syntax,
                                                      const CompileOptions& options) {
  return Compilation(syntax, options).run();
}

}  // namespace twinmq::sql
