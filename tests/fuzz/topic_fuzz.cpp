// Lines of text: two filters and a name. Held against slow and plain models of the rules.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/require.hpp"
#include "mqtt/topic.hpp"
#include "support/plain_utf8.hpp"

namespace twinmq::mqtt {
namespace {

constexpr std::uint32_t kLevelsMax = 8;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0;;) {
    const std::size_t end = text.find(separator, at);
    parts.push_back(text.substr(at, end - at));
    if (end == std::string_view::npos) return parts;
    at = end + 1;
  }
}

bool levels_match(const std::vector<std::string_view>& filter,
                  const std::vector<std::string_view>& name, std::size_t i) {
  if (i < filter.size() && filter[i] == "#") return true;
  if (i == filter.size() || i == name.size()) return i == filter.size() && i == name.size();
  return (filter[i] == "+" || filter[i] == name[i]) && levels_match(filter, name, i + 1);
}

bool plain_filter_rules(std::string_view filter) {
  const auto levels = split(filter, '/');
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (levels[i] == "#" && i + 1 != levels.size()) return false;
    if (levels[i].size() > 1 && levels[i].find_first_of("+#") != std::string_view::npos)
      return false;
  }
  return levels.size() <= kLevelsMax;
}

void check_text(std::string_view text) {
  // A copy that ends where its memory ends.
  const auto copy = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), copy.get());
  const std::string_view exact(copy.get(), text.size());
  const bool utf8 = testing::is_utf8_plainly(text);
  const bool valid = utf8 && text.find('\0') == std::string_view::npos;
  const bool sized = !text.empty() && text.size() <= 65'535;
  const bool wildcard = text.find_first_of("+#") != std::string_view::npos;
  TWINMQ_REQUIRE(is_well_formed_utf8(exact) == utf8);
  TWINMQ_REQUIRE(is_valid_text(exact) == valid);
  TWINMQ_REQUIRE(has_wildcard(exact) == wildcard);
  TWINMQ_REQUIRE(is_valid_topic_name(exact, kLevelsMax) ==
                 (valid && sized && !wildcard && split(text, '/').size() <= kLevelsMax));
  TWINMQ_REQUIRE(is_valid_topic_filter(exact, kLevelsMax) ==
                 (valid && sized && plain_filter_rules(text)));
}

void check_shared(std::string_view filter) {
  const auto halves = parse_shared(filter);
  if (!halves) return;
  TWINMQ_REQUIRE(is_shared(filter));
  TWINMQ_REQUIRE(!has_wildcard(halves->share_name) && !halves->share_name.empty() &&
                 !halves->filter.empty());
  TWINMQ_REQUIRE("$share/" + std::string(halves->share_name) + "/" + std::string(halves->filter) ==
                 filter);
}

void check_pair(std::string_view outer, std::string_view inner, std::string_view name) {
  const bool outer_matches = matches(outer, name);
  const bool inner_matches = matches(inner, name);
  const bool covered = covers(outer, inner);
  if (!is_valid_topic_filter(outer, kLevelsMax) || !is_valid_topic_filter(inner, kLevelsMax))
    return;
  TWINMQ_REQUIRE(covers(inner, inner) && covers(outer, outer));
  if (!is_valid_topic_name(name, kLevelsMax)) return;
  const bool hidden = name[0] == '$' && (outer[0] == '+' || outer[0] == '#');
  TWINMQ_REQUIRE(outer_matches ==
                 (!hidden && levels_match(split(outer, '/'), split(name, '/'), 0)));
  if (covered && inner_matches) TWINMQ_REQUIRE(outer_matches);
  if (!has_wildcard(inner)) TWINMQ_REQUIRE(covered == matches(outer, inner));
}

}  // namespace
}  // namespace twinmq::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinmq::mqtt;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  auto lines = split(input, '\n');
  lines.resize(std::max<std::size_t>(lines.size(), 3));
  for (const std::string_view line : lines) {
    check_text(line);
    check_shared(line);
  }
  check_pair(lines[0], lines[1], lines[2]);
  return 0;
}
