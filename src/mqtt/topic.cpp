#include "mqtt/topic.hpp"

#include "mqtt/protocol.hpp"
#include "mqtt/text_scan.hpp"

namespace twinmq::mqtt {
namespace {

constexpr std::string_view kSharePrefix = "$share/";

/// Walks a name or filter level by level. "a//b/" has the levels "a", "", "b" and "".
class Levels {
 public:
  explicit Levels(std::string_view text) : rest_(text) {}

  bool more() const { return more_; }

  std::string_view next() {
    const std::size_t slash = rest_.find('/');
    const std::string_view level = rest_.substr(0, slash);
    more_ = slash != std::string_view::npos;
    if (more_) rest_.remove_prefix(slash + 1);
    return level;
  }

 private:
  std::string_view rest_;
  bool more_ = true;
};

bool starts_with_wildcard(std::string_view filter) {
  return filter.starts_with('+') || filter.starts_with('#');
}

bool wildcards_fill_levels(std::string_view filter) {
  Levels levels(filter);
  while (levels.more()) {
    const std::string_view level = levels.next();
    if (level == "#") return !levels.more();
    if (level != "+" && has_wildcard(level)) return false;
  }
  return true;
}

/// No topic is empty, so that "#" matches no more than "+/#", and "/#" no more than "/+/#".
std::string_view without_empty_topic(std::string_view filter) {
  return filter == "#" ? "+/#" : filter == "/#" ? "/+/#" : filter;
}

bool has_legal_size(std::string_view topic) {
  return topic.size() - 1 < kTextBytesMax;
}

}  // namespace

bool is_valid_text(std::string_view text) {
  const TextFacts facts = scan_text<false>(text);
  return facts.well_formed && !facts.has_nul;
}

bool is_well_formed_utf8(std::string_view text) {
  return scan_text<false>(text).well_formed;
}

bool is_valid_topic_name(std::string_view name, std::uint32_t levels_max) {
  if (!has_legal_size(name)) return false;
  const TextFacts facts = scan_text<true>(name);
  return facts.well_formed && !facts.has_nul && !facts.has_wildcard && facts.slashes < levels_max;
}

bool is_valid_topic_filter(std::string_view filter, std::uint32_t levels_max) {
  if (!has_legal_size(filter)) return false;
  const TextFacts facts = scan_text<true>(filter);
  if (!facts.well_formed || facts.has_nul || facts.slashes >= levels_max) return false;
  return !facts.has_wildcard || wildcards_fill_levels(filter);
}

bool has_wildcard(std::string_view filter) {
  return filter.find_first_of("+#") != std::string_view::npos;
}

bool matches(std::string_view filter, std::string_view name) {
  if (name.starts_with('$') && starts_with_wildcard(filter)) return false;
  Levels wanted(filter);
  Levels present(name);
  while (wanted.more()) {
    const std::string_view level = wanted.next();
    if (level == "#") return true;  // its parent too: the level in front has matched
    if (!present.more()) return false;
    const std::string_view text = present.next();
    if (level != "+" && level != text) return false;
  }
  return !present.more();
}

bool covers(std::string_view outer, std::string_view inner) {
  if (inner.starts_with('$') && starts_with_wildcard(outer)) return false;
  Levels wide(outer);
  Levels narrow(without_empty_topic(inner));
  while (wide.more()) {
    const std::string_view level = wide.next();
    if (level == "#") return true;
    if (!narrow.more()) return false;
    const std::string_view other = narrow.next();
    if (other == "#" || (level != "+" && level != other)) return false;
  }
  return !narrow.more();
}

bool is_shared(std::string_view filter) {
  return filter.starts_with(kSharePrefix);
}

std::optional<SharedFilter> parse_shared(std::string_view filter) {
  if (!is_shared(filter)) return std::nullopt;
  filter.remove_prefix(kSharePrefix.size());
  const std::size_t slash = filter.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const SharedFilter halves{filter.substr(0, slash), filter.substr(slash + 1)};
  if (halves.share_name.empty() || has_wildcard(halves.share_name) || halves.filter.empty()) {
    return std::nullopt;
  }
  return halves;
}

}  // namespace twinmq::mqtt
