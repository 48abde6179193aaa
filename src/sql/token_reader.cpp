#include "sql/token_reader.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace twinmq::sql {
namespace {

constexpr std::array<std::string_view, 16> kReserved = {
    "select", "from", "where", "as",   "and", "or",     "not", "in",
    "case",   "when", "then",  "else", "end", "exists", "set", "null"};

}  // namespace

bool TokenReader::reserved(std::string_view word) {
  return std::any_of(kReserved.begin(), kReserved.end(),
                     [&](std::string_view r) { return same_word(r, word); });
}

bool TokenReader::reserved_here(const Token& token) const {
  if (token.kind != TokenKind::Name) return false;
  const bool of_case = same_word(token.source, "when") || same_word(token.source, "then") ||
                       same_word(token.source, "else") || same_word(token.source, "end");
  return reserved(token.source) && !(of_case && open_cases_ == 0) &&
         !same_word(token.source, "set");
}

bool TokenReader::fail(std::string_view expected) {
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

NodeId TokenReader::make(NodeKind kind, std::size_t offset, std::vector<NodeId> children,
                         std::string text) {
  Node node;
  node.kind = kind;
  node.offset = offset;
  node.text = std::move(text);
  for (const NodeId child : children)
    node.depth = std::max(node.depth, static_cast<std::uint16_t>(syntax_.nodes[child].depth + 1));
  node.children = std::move(children);
  if (node.depth > kTreeDepthMax) {
    fail_at(offset,
            "the expression chains more than " + std::to_string(kTreeDepthMax) + " operators");
    return kNoNode;
  }
  syntax_.nodes.push_back(std::move(node));
  return static_cast<NodeId>(syntax_.nodes.size() - 1);
}

}  // namespace twinmq::sql
