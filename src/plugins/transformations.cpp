#include "plugins/transformations.hpp"

namespace twinmq::plugins {

std::shared_ptr<PublishFilter> Transformations::of(const PluginSet& plugins) {
  auto made = std::make_shared<Transformations>();
  for (const auto& plugin : plugins.plugins())
    for (const auto& offer : plugin->offers().transformations)
      made->asked_.push_back({plugin, offer});
  return made->asked_.empty() ? nullptr : made;
}

PublishFilter::Verdict Transformations::on_publish(const PublishedMessage& message,
                                                   std::string& payload) {
  bool changed = false;
  for (const auto& [plugin, offer] : asked_) {
    twinmq_message seen{};
    seen.size = sizeof seen;
    seen.qos = static_cast<std::uint8_t>(message.qos);
    seen.retain = message.retain ? 1 : 0;
    seen.topic = shown(message.topic);
    seen.payload = shown(changed ? std::string_view(payload) : message.payload);
    seen.client_id = shown(message.client_id);
    seen.principal = shown(message.principal);
    json::Arena arena(message.payload.size() * 4 + (std::size_t{1} << 20));
    Answer answer(arena);
    std::uint32_t said = TWINMQ_DROP;
    const bool done = plugin->call_here(offer.name, answer, [&, &door = offer.door] {
      said = door.transform(door.context, &seen, answer.raw());
    });
    if (!done) return Verdict::Refuse;
    if (said == TWINMQ_KEEP) continue;
    if (said != TWINMQ_CHANGE) return Verdict::Drop;
    if (!answer.value().is(json::Kind::String)) return Verdict::Refuse;
    payload = answer.text();
    changed = true;
  }
  return changed ? Verdict::Modify : Verdict::Keep;
}

}  // namespace twinmq::plugins
