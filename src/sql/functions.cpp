#include "sql/functions.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sql/lexer.hpp"

namespace twinmq::sql {
namespace {

const std::vector<Function>& sorted() {
  static const std::vector<Function> kAll = [] {
    std::vector<Function> all;
    for (const auto group :
         {number_functions(), text_functions(), pattern_functions(), collection_functions(),
          message_functions(), time_functions(), codec_functions(), digest_functions(),
          lookup_functions(), stream_functions(), masking_functions()})
      all.insert(all.end(), group.begin(), group.end());
    std::sort(all.begin(), all.end(),
              [](const Function& a, const Function& b) { return a.name < b.name; });
    return all;
  }();
  return kAll;
}

std::size_t distance_between(std::string_view a, std::string_view b, std::size_t limit) {
  if (a.size() > b.size() + limit || b.size() > a.size() + limit) return limit;
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t i = 0; i <= b.size(); ++i) row[i] = i;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t corner = std::exchange(row[0], i);
    for (std::size_t k = 1; k <= b.size(); ++k) {
      const std::size_t above = row[k];
      row[k] = std::min({above + 1, row[k - 1] + 1, corner + (a[i - 1] == b[k - 1] ? 0 : 1)});
      corner = above;
    }
  }
  return row[b.size()];
}

}  // namespace

const Function* find_function(std::string_view name) {
  const std::string wanted = lower_case(name);
  const auto found = std::lower_bound(
      sorted().begin(), sorted().end(), wanted,
      [](const Function& function, const std::string& text) { return function.name < text; });
  return found != sorted().end() && found->name == wanted ? &*found : nullptr;
}

std::string_view nearest_function(std::string_view name, bool superset) {
  const std::string wanted = lower_case(name);
  std::string_view nearest;
  std::size_t best = 3;
  for (const Function& function : sorted()) {
    if (function.superset && !superset) continue;
    const std::size_t distance = distance_between(wanted, function.name, best);
    if (distance >= best) continue;
    best = distance;
    nearest = function.name;
  }
  return nearest;
}

std::string outside_name(std::string_view text) {
  constexpr std::string_view kArn = ":function:";
  if (const std::size_t arn = text.find(kArn);
      text.starts_with("arn:") && arn != std::string_view::npos) {
    text.remove_prefix(arn + kArn.size());
    text = text.substr(0, text.find(':'));
  }
  return lower_case(text);
}

std::span<const Function> all_functions() {
  return sorted();
}

}  // namespace twinmq::sql
