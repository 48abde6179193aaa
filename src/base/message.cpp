#include <twinmq/message.hpp>

#include <cstring>
#include <new>

namespace twinmq {

MessageRef Message::make(const MessageParts& parts) {
  const std::size_t text = parts.topic.size() + parts.properties.size() + parts.payload.size() +
                           parts.publisher.size();
  return MessageRef(new (::operator new(sizeof(Message) + text)) Message(parts));
}

Message::Message(const MessageParts& parts)
    : payload_size_(static_cast<std::uint32_t>(parts.payload.size())),
      properties_size_(static_cast<std::uint32_t>(parts.properties.size())),
      topic_size_(static_cast<std::uint16_t>(parts.topic.size())),
      publisher_size_(static_cast<std::uint16_t>(parts.publisher.size())),
      publisher_session_(parts.publisher_session),
      expires_at_(parts.expires_at),
      qos_(parts.qos),
      retain_(parts.retain) {
  char* out = reinterpret_cast<char*>(this + 1);
  for (const std::string_view part : {parts.topic, parts.properties, parts.payload, parts.publisher}) {
    if (!part.empty()) std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
}

void MessageRef::destroy(Message* message) {
  message->~Message();
  ::operator delete(message);
}

}  // namespace twinmq
