#include "sql/functions.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "sql/lexer.hpp"

namespace twinmq::sql {
namespace {

const std::vector<Function>& sorted() {
  static const std::vector<Function> kAll = [] {
    std::vector<Function> all;
    for (const auto group :
         {number_functions(), text_functions(), pattern_functions(), collection_functions(), message_functions(),
          time_functions(), codec_functions(), digest_functions(), lookup_functions(), stream_functions(),
          masking_functions()})
      all.insert(all.end(), group.begin(), group.end());
    std::sort(all.begin(), all.end(), [](const Function& a, const Function& b) { return a.name < b.name; });
    return all;
  }();
  return kAll;
}

}  // namespace

const Function* find_function(std::string_view name) {
  const std::string wanted = lower_case(name);
  const auto found = std::lower_bound(sorted().begin(), sorted().end(), wanted,
                                      [](const Function& function, const std::string& text) { return function.name < text; });
  return found != sorted().end() && found->name == wanted ? &*found : nullptr;
}

std::string outside_name(std::string_view text) {
  constexpr std::string_view kArn = ":function:";
  if (const std::size_t arn = text.find(kArn); text.starts_with("arn:") && arn != std::string_view::npos) {
    text.remove_prefix(arn + kArn.size());
    text = text.substr(0, text.find(':'));
  }
  return lower_case(text);
}

std::span<const Function> all_functions() {
  return sorted();
}

}  // namespace twinmq::sql
