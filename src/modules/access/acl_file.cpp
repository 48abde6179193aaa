#include "modules/access/acl_file.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "modules/access/filter_overlap.hpp"
#include "modules/access/line_file.hpp"
#include "mqtt/topic.hpp"

namespace twinmq::access {
namespace {

constexpr std::uint8_t kRead = 1;
constexpr std::uint8_t kWrite = 2;
constexpr std::uint8_t kDeny = 4;

constexpr std::string_view kLineForms =
    "allowed: 'topic [read|write|readwrite|deny] FILTER', "
    "'pattern [read|write|readwrite|deny] FILTER', 'user NAME'";

std::optional<std::uint8_t> access_of(std::string_view word) {
  if (word == "read") return kRead;
  if (word == "write") return kWrite;
  if (word == "readwrite") return kRead | kWrite;
  if (word == "deny") return kDeny;
  return std::nullopt;
}

// A cursor over one line, which knows its column.
struct Words {
  std::string_view line;
  std::size_t at = 0;

  void skip_blank() {
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
  }
  std::string_view word() {
    skip_blank();
    const std::size_t begin = at;
    at = std::min(line.find_first_of(" \t", at), line.size());
    return line.substr(begin, at - begin);
  }
  std::string_view rest() {
    skip_blank();
    return line.substr(at);
  }
  std::size_t column() const { return at + 1; }
};

}  // namespace

// Reads the lines in order, since a user line decides what the ones below mean.
class AclFile::Reader {
 public:
  Reader(AclFile& acl, Complaints& complaints) : acl_(acl), complaints_(complaints) {}

  void line(std::size_t number, std::string_view text) {
    Words words{text};
    words.skip_blank();
    const std::size_t column = words.column();
    const std::string_view keyword = words.word();
    if (keyword == "user") {
      user(number, words);
    } else if (keyword == "topic" || keyword == "pattern") {
      rule(number, words, keyword == "pattern");
    } else {
      complaints_.add(number, column,
                      quoted(keyword) + " begins no line; " + std::string(kLineForms));
    }
  }

 private:
  void user(std::size_t number, Words& words) {
    const std::string_view name = words.rest();
    if (name.empty()) {
      return complaints_.add(number, words.column(),
                             "the user name is missing; allowed: 'user NAME'");
    }
    current_ = &acl_.users_[std::string(name)];
  }

  void rule(std::size_t number, Words& words, bool is_pattern) {
    words.skip_blank();
    const std::size_t first_column = words.column();
    const std::string_view rest = words.rest();
    const std::string_view first = words.word();
    const std::optional<Access> access = access_of(first);
    std::string_view filter = words.rest();
    std::size_t column = words.column();
    if (filter.empty()) {
      // "topic deny": more likely a lost filter than a topic of that name, which "readwrite deny"
      // can say.
      if (rest.empty() || access) {
        return complaints_.add(number, column,
                               "the topic filter is missing; " + std::string(kLineForms));
      }
      filter = rest;
      column = first_column;
    } else if (!access) {
      return complaints_.add(
          number, first_column,
          quoted(first) + " is no access word; allowed: read, write, readwrite, deny");
    }
    if (!mqtt::is_valid_topic_filter(filter, std::numeric_limits<std::uint32_t>::max())) {
      return complaints_.add(number, column,
                             quoted(filter) +
                                 " is no valid topic filter; '+' and '#' stand alone in their "
                                 "level, '#' only in the last one");
    }
    const Access bits = access.value_or(kRead | kWrite);
    if (is_pattern) {
      add_pattern(filter, bits);
    } else {
      add_rule(filter, bits);
    }
  }

  void add_rule(std::string_view filter, Access access) {
    if (!mqtt::has_wildcard(filter)) {
      current_->exact[std::string(filter)] |= access;
      return;
    }
    auto& list = access == kDeny ? current_->denied : current_->allowed;
    list.push_back({std::string(filter), access});
  }

  void add_pattern(std::string_view filter, Access access) {
    Pattern pattern{std::string(filter), access};
    pattern.has_user = filter.find("%u") != std::string_view::npos;
    pattern.has_client = filter.find("%c") != std::string_view::npos;
    const std::string_view first = filter.substr(0, filter.find('/'));
    pattern.opens_with_value =
        first.find("%u") != std::string_view::npos || first.find("%c") != std::string_view::npos;
    auto& list = access == kDeny ? acl_.denied_patterns_ : acl_.allowed_patterns_;
    list.push_back(std::move(pattern));
  }

  AclFile& acl_;
  Complaints& complaints_;
  Rules* current_ = &acl_.anonymous_;
};

Result<std::unique_ptr<AclFile>> AclFile::load(const std::string& path, std::uint64_t epoch) {
  Result<std::string> text = read_file(path);
  if (!text) return text.error();
  return parse(*text, path, epoch);
}

Result<std::unique_ptr<AclFile>> AclFile::parse(std::string_view text, std::string_view name,
                                                std::uint64_t epoch) {
  std::unique_ptr<AclFile> acl(new AclFile(epoch));
  Complaints complaints(name);
  Reader reader(*acl, complaints);
  for_each_line(text,
                [&](std::size_t number, std::string_view line) { reader.line(number, line); });
  if (!complaints.empty()) return complaints.error();
  return acl;
}

bool AclFile::may(const Identity& identity, Action action, std::string_view topic, QoS, bool) {
  switch (action) {
    case Action::Publish: return may_use(identity, kWrite, topic);
    case Action::Receive: return may_use(identity, kRead, topic);
    case Action::Subscribe: return may_subscribe(identity, topic);
  }
  return false;
}

const AclFile::Rules* AclFile::rules_of(const Identity& identity) const {
  if (identity.principal.empty()) return &anonymous_;
  const auto found = users_.find(std::string_view(identity.principal));
  return found == users_.end() ? nullptr : &found->second;
}

// The pattern's filter for this identity; false if it does not apply.
bool AclFile::fill_in(const Pattern& pattern, const Identity& identity, std::string& filter) {
  filter.clear();
  const std::string_view text = pattern.filter;
  if (pattern.has_user && identity.principal.empty()) return false;
  if (pattern.has_client && identity.client_id.empty()) return false;
  std::size_t level = 0;  // where the current level begins in `filter`
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = text[i] == '%' && i + 1 < text.size() ? text[i + 1] : '\0';
    if (next != 'c' && next != 'u') {
      filter += text[i];
      if (text[i] == '/') level = filter.size();
      continue;
    }
    const std::string& value = next == 'c' ? identity.client_id : identity.principal;
    if (value.find_first_of(std::string_view("+#/\0", 4)) != std::string::npos) {
      if (pattern.access != kDeny) return false;
      filter.resize(level);
      filter += '#';
      return true;
    }
    filter += value;
    ++i;
  }
  return true;
}

template <typename Hits>
bool AclFile::any_pattern(const std::vector<Pattern>& patterns, Access wanted,
                          const Identity& identity, std::string_view topic, Hits hits) {
  // Keeps its memory between calls: a check allocates nothing once the thread has warmed up.
  thread_local std::string filled;
  for (const Pattern& pattern : patterns) {
    if ((pattern.access & wanted) == 0) continue;
    if (!pattern.has_user && !pattern.has_client) {
      if (hits(std::string_view(pattern.filter))) return true;
      continue;
    }
    if (pattern.opens_with_value && wanted != kDeny && topic.starts_with('$')) continue;
    if (fill_in(pattern, identity, filled) && hits(std::string_view(filled))) return true;
  }
  return false;
}

bool AclFile::may_use(const Identity& identity, Access wanted, std::string_view name) const {
  const Rules* rules = rules_of(identity);
  const auto hits = [name](std::string_view filter) { return mqtt::matches(filter, name); };
  const auto rule_hits = [&](const Rule& rule) { return hits(rule.filter); };
  Access exact = 0;
  if (rules != nullptr) {
    const auto found = rules->exact.find(name);
    if (found != rules->exact.end()) exact = found->second;
    if ((exact & kDeny) != 0 || std::ranges::any_of(rules->denied, rule_hits)) return false;
  }
  if (any_pattern(denied_patterns_, kDeny, identity, name, hits)) return false;
  if ((exact & wanted) != 0) return true;
  if (rules != nullptr && std::ranges::any_of(rules->allowed, [&](const Rule& rule) {
        return (rule.access & wanted) != 0 && rule_hits(rule);
      })) {
    return true;
  }
  return any_pattern(allowed_patterns_, wanted, identity, name, hits);
}

bool AclFile::may_subscribe(const Identity& identity, std::string_view filter) const {
  const Rules* rules = rules_of(identity);
  const auto covers = [filter](std::string_view rule) { return mqtt::covers(rule, filter); };
  const auto meets = [filter](std::string_view rule) { return overlaps(rule, filter); };
  if (rules != nullptr) {
    const auto exact = rules->exact.find(filter);
    if (exact != rules->exact.end() && (exact->second & kDeny) != 0) return false;
    if (std::ranges::any_of(rules->denied, [&](const Rule& rule) { return covers(rule.filter); }))
      return false;
  }
  if (any_pattern(denied_patterns_, kDeny, identity, filter, covers)) return false;
  if (rules != nullptr) {
    const bool met = std::ranges::any_of(rules->allowed, [&](const Rule& rule) {
      return (rule.access & kRead) != 0 && meets(rule.filter);
    });
    if (met) return true;
    // Without a wildcard the exact lines need one look-up, with one they need a walk.
    if (!mqtt::has_wildcard(filter)) {
      const auto exact = rules->exact.find(filter);
      if (exact != rules->exact.end() && (exact->second & kRead) != 0) return true;
    } else if (std::ranges::any_of(rules->exact, [&](const auto& entry) {
                 return (entry.second & kRead) != 0 && (entry.second & kDeny) == 0 &&
                        mqtt::matches(filter, entry.first);
               })) {
      return true;
    }
  }
  return any_pattern(allowed_patterns_, kRead, identity, filter, meets);
}

}  // namespace twinmq::access
