#pragma once
// Expressions, and the items of a SELECT, which nested queries have too.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "sql/token_reader.hpp"

namespace twinmq::sql {

class ExpressionParser : protected TokenReader {
 protected:
  using TokenReader::TokenReader;
  enum Precedence { kOr = 1, kAnd, kNot, kComparison, kSum, kProduct };

  NodeId expression(int lowest = kOr);
  bool select_list(Select& select);
  bool item_list(std::vector<Item>& items, bool bare);
  bool alias_name(std::string& name);

 private:
  bool value_keyword() const;
  bool named_by_itself(Item& item);
  NodeId climb(int lowest);
  std::pair<Operation, int> binary_operator() const;
  bool is_special_comparison() const;
  NodeId special_comparison(NodeId left, std::size_t offset);
  NodeId in_list();
  NodeId prefix();
  NodeId postfix(NodeId node);
  NodeId primary();
  NodeId number();
  NodeId variable();
  NodeId word();
  NodeId case_of();
  NodeId exists();
  NodeId parenthesis();
  NodeId query(std::size_t offset);
  NodeId call();
  bool over(NodeId node);
  NodeId cast();
  NodeId array();
  NodeId object();
};

}  // namespace twinmq::sql
