// Regular expressions, by RE2: linear in the text whatever the pattern. Look-around,
// back-references and possessive quantifiers, which Java has, are no patterns here.

#include <re2/re2.h>

#include <string>

#include "sql/conversion.hpp"
#include "sql/functions.hpp"

namespace twinmq::sql {
namespace {

using json::Value;

constexpr std::size_t kResultBytesMax = std::size_t{1} << 20;
constexpr int kGroupsMax = 32;

struct Match {
  std::optional<std::string_view> text;
  const re2::RE2* pattern = nullptr;

  explicit operator bool() const { return text && pattern != nullptr; }
};

Match match_of(const Call& call) {
  Match match;
  match.text = text_of(call[0], call.evaluation);
  const auto pattern = text_of(call[1], call.evaluation);
  if (!match.text || !pattern || !call.evaluation.spend(match.text->size() / 4 + 20)) return {};
  match.pattern = call.evaluation.caches.pattern(*pattern);
  return match;
}

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

Value regexp_matches(const Call& call) {
  const Match match = match_of(call);
  return match ? Value::boolean(re2::RE2::PartialMatch(piece(*match.text), *match.pattern))
               : Value();
}

Value regexp_substr(const Call& call) {
  const Match match = match_of(call);
  if (!match) return {};
  re2::StringPiece found;
  if (!match.pattern->Match(piece(*match.text), 0, match.text->size(), re2::RE2::UNANCHORED, &found,
                            1))
    return {};
  return Value::string({found.data(), found.size()});
}

// As Java reads replacements: $1 is a group, a backslash makes the next character plain.
bool append_replacement(std::string_view rule, const re2::StringPiece* groups, int count,
                        std::string& to) {
  for (std::size_t at = 0; at < rule.size(); ++at) {
    if (rule[at] == '\\' && at + 1 < rule.size()) {
      to += rule[++at];
    } else if (rule[at] == '$' && at + 1 < rule.size() && rule[at + 1] >= '0' &&
               rule[at + 1] <= '9') {
      int group = rule[++at] - '0';
      if (group >= count) return false;
      // A second digit belongs to the number only when there is such a group.
      if (at + 1 < rule.size() && rule[at + 1] >= '0' && rule[at + 1] <= '9' &&
          group * 10 + (rule[at + 1] - '0') < count)
        group = group * 10 + (rule[++at] - '0');
      to.append(groups[group].data() == nullptr ? "" : groups[group].data(), groups[group].size());
    } else {
      to += rule[at];
    }
  }
  return true;
}

Value regexp_replace(const Call& call) {
  const Match match = match_of(call);
  const auto rule = text_of(call[2], call.evaluation);
  if (!match || !rule) return {};
  const int count = std::min(match.pattern->NumberOfCapturingGroups() + 1, kGroupsMax);
  re2::StringPiece groups[kGroupsMax];
  const std::string_view text = *match.text;
  std::string result;
  std::size_t at = 0;
  while (at <= text.size()) {
    if (!match.pattern->Match(piece(text), at, text.size(), re2::RE2::UNANCHORED, groups, count))
      break;
    const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
    result.append(text, at, begin - at);
    if (!append_replacement(*rule, groups, count, result)) return {};
    at = begin + groups[0].size();
    if (groups[0].empty()) {
      if (at < text.size()) result += text[at];
      ++at;
    }
    if (result.size() > kResultBytesMax || !call.evaluation.spend(10)) {
      call.evaluation.steps = -1;
      return {};
    }
  }
  if (at < text.size()) result.append(text, at);
  return text_value(result, call.evaluation);
}

constexpr Function kFunctions[] = {
    {"regexp_matches", 2, 2, regexp_matches},
    {"regexp_replace", 3, 3, regexp_replace},
    {"regexp_substr", 2, 2, regexp_substr},
};

}  // namespace

std::span<const Function> pattern_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
