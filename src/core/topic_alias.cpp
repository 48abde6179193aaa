#include "core/topic_alias.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace twinmq::core {

void IncomingAliases::set(std::uint16_t alias, std::string_view topic) {
  if (topics_.size() < alias) topics_.resize(alias);
  topics_[alias - 1u] = topic;
}

std::string_view IncomingAliases::topic(std::uint16_t alias) const {
  return alias <= topics_.size() ? std::string_view(topics_[alias - 1u]) : std::string_view();
}

OutgoingAliases::Choice OutgoingAliases::choose(std::string_view topic) {
  if (++since_fade_ >= 4096) fade();
  for (std::size_t i = 0; i < named_.size(); ++i) {
    if (named_[i].topic != topic) continue;
    ++named_[i].uses;
    return {static_cast<std::uint16_t>(i + 1), true};
  }
  // The first time a topic is seen it is most likely the last.
  std::uint16_t& uses = candidates_[base::mix_hash(topic, 1) % candidates_.size()];
  if (++uses < 2) return {};
  if (named_.size() < maximum_) {
    named_.push_back({std::string(topic), uses});
    uses = 0;
    return {static_cast<std::uint16_t>(named_.size()), false};
  }
  const auto least = std::min_element(
      named_.begin(), named_.end(), [](const Named& a, const Named& b) { return a.uses < b.uses; });
  if (least->uses >= uses) return {};
  *least = {std::string(topic), uses};
  uses = 0;
  return {static_cast<std::uint16_t>(least - named_.begin() + 1), false};
}

void OutgoingAliases::forget(std::uint16_t alias) {
  named_[alias - 1u] = {};
}

void OutgoingAliases::fade() {
  since_fade_ = 0;
  for (Named& named : named_) named.uses /= 2;
  for (std::uint16_t& uses : candidates_) uses = static_cast<std::uint16_t>(uses / 2);
}

}  // namespace twinmq::core
