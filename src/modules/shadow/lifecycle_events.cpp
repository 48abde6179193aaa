#include "modules/shadow/lifecycle_events.hpp"

#include <array>

#include "modules/shadow/json_text.hpp"

namespace twinmq::shadow {
namespace {

// AWS counts anew when a client was away for about this long.
constexpr Milliseconds kAbsenceMax{3'600'000};
constexpr std::size_t kAbsentKept = 100'000;

std::string_view type_of(const ClientEvent& event) {
  switch (event.kind) {
    case ClientEvent::Kind::Connected: return "connected";
    case ClientEvent::Kind::Disconnected: return "disconnected";
    case ClientEvent::Kind::Subscribed: return "subscribed";
    case ClientEvent::Kind::Unsubscribed: return "unsubscribed";
  }
  return "";
}

std::string_view reason_of(ClientEvent::End end) {
  switch (end) {
    case ClientEvent::End::ClientAsked: return "CLIENT_INITIATED_DISCONNECT";
    case ClientEvent::End::ConnectionLost: return "CONNECTION_LOST";
    case ClientEvent::End::KeepAlive: return "MQTT_KEEP_ALIVE_TIMEOUT";
    case ClientEvent::End::TakenOver: return "DUPLICATE_CLIENTID";
    case ClientEvent::End::ProtocolError: return "CLIENT_ERROR";
    case ClientEvent::End::NotAuthorized: return "AUTH_ERROR";
    case ClientEvent::End::Administrator: return "SERVER_INITIATED_DISCONNECT";
    case ClientEvent::End::Other: return "SERVER_ERROR";
  }
  return "SERVER_ERROR";
}

// Two numbers in the form of a UUID of version 4.
std::string session_identifier(std::uint64_t process, std::uint64_t connection) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<std::uint64_t, 2> halves = {
      (process & ~std::uint64_t{0xF000}) | 0x4000,
      (connection & ~(std::uint64_t{3} << 62)) | std::uint64_t{2} << 62};
  std::string text;
  for (const std::uint64_t half : halves)
    for (int shift = 60; shift >= 0; shift -= 4) {
      if (text.size() == 8 || text.size() == 13 || text.size() == 18 || text.size() == 23)
        text += '-';
      text += kHex[half >> shift & 15];
    }
  return text;
}

// "127.0.0.1:50712" and "[::1]:50712" without their ports.
std::string_view address_of(std::string_view peer) {
  if (peer.starts_with('[')) return peer.substr(1, peer.find(']') - 1);
  return peer.substr(0, peer.rfind(':'));
}

void write_text(std::string_view key, std::string_view text, std::string& out) {
  if (out.back() != '{') out += ',';
  write_string(key, out);
  out += ':';
  write_string(text, out);
}

void write_number(std::string_view key, std::int64_t number, std::string& out) {
  if (out.back() != '{') out += ',';
  write_string(key, out);
  out += ':';
  write_integer(number, out);
}

}  // namespace

std::string lifecycle_topic(const ClientEvent& event) {
  if (event.client_id.empty() || event.client_id.find_first_of("+#") != event.client_id.npos)
    return {};
  const bool presence =
      event.kind == ClientEvent::Kind::Connected || event.kind == ClientEvent::Kind::Disconnected;
  std::string topic = presence ? "$aws/events/presence/" : "$aws/events/subscriptions/";
  topic += type_of(event);
  topic += '/';
  topic += event.client_id;
  return topic;
}

std::string lifecycle_payload(const ClientEvent& event, WallTime at, std::uint64_t process,
                              std::uint64_t version) {
  std::string out = "{";
  write_text("clientId", event.client_id, out);
  write_number("timestamp", at.time_since_epoch().count(), out);
  write_text("eventType", type_of(event), out);
  write_text("sessionIdentifier", session_identifier(process, event.connection), out);
  write_text("principalIdentifier", event.principal, out);
  switch (event.kind) {
    case ClientEvent::Kind::Connected:
      write_text("ipAddress", address_of(event.peer), out);
      write_number("versionNumber", static_cast<std::int64_t>(version), out);
      break;
    case ClientEvent::Kind::Disconnected:
      out += event.end == ClientEvent::End::ClientAsked ? R"(,"clientInitiatedDisconnect":true)"
                                                        : R"(,"clientInitiatedDisconnect":false)";
      write_text("disconnectReason", reason_of(event.end), out);
      write_number("versionNumber", static_cast<std::int64_t>(version), out);
      break;
    case ClientEvent::Kind::Subscribed:
    case ClientEvent::Kind::Unsubscribed:
      out += R"(,"topics":[)";
      write_string(event.filter, out);
      out += ']';
      break;
  }
  out += '}';
  return out;
}

void LifecycleEvents::attach(ServiceHost& host) {
  host_ = &host;
  process_ = host.random();
}

// Connections are counted even if nobody listens.
bool LifecycleEvents::wants_client_event(const ClientEvent& event) const {
  if (event.kind == ClientEvent::Kind::Connected || event.kind == ClientEvent::Kind::Disconnected)
    return true;
  const std::string topic = lifecycle_topic(event);
  return !topic.empty() && host_->has_receivers(topic);
}

void LifecycleEvents::on_client_event(const ClientEvent& event, Reaction& reaction) {
  const std::uint64_t version = version_of(event);
  const std::string topic = lifecycle_topic(event);
  if (topic.empty() || !host_->has_receivers(topic)) return;
  const std::string payload = lifecycle_payload(event, host_->now().wall, process_, version);
  MessageParts parts;
  parts.topic = topic;
  parts.payload = payload;
  parts.qos = QoS::AtLeastOnce;
  reaction.publish(parts);
}

std::uint64_t LifecycleEvents::version_of(const ClientEvent& event) {
  if (event.kind != ClientEvent::Kind::Connected && event.kind != ClientEvent::Kind::Disconnected)
    return 0;
  const Instant now = host_->now().steady;
  Presence& presence = presence_[std::string(event.client_id)];
  if (event.kind == ClientEvent::Kind::Connected) {
    const bool known = presence.connection != 0;
    if (presence.left != kNever) {
      --absent_;
      presence.version = now - presence.left < kAbsenceMax ? presence.version + 1 : 0;
    } else if (known) {
      ++presence.version;
    }
    presence.connection = event.connection;
    presence.left = kNever;
    return presence.version;
  }
  // The end of a connection that another one took over has the number of the one before.
  if (presence.connection != event.connection)
    return presence.version == 0 ? 0 : presence.version - 1;
  if (presence.left == kNever) ++absent_;
  presence.left = now;
  const std::uint64_t version = presence.version;
  if (absent_ > kAbsentKept) forget_absent();
  return version;
}

void LifecycleEvents::forget_absent() {
  const Instant now = host_->now().steady;
  std::erase_if(presence_, [&](const auto& each) {
    return each.second.left != kNever && now - each.second.left >= kAbsenceMax;
  });
  // A crowd that comes and goes faster than an hour is not remembered at all.
  if (presence_.size() > kAbsentKept * 2)
    std::erase_if(presence_, [](const auto& each) { return each.second.left != kNever; });
  absent_ = 0;
  for (const auto& each : presence_) absent_ += each.second.left != kNever;
}

}  // namespace twinmq::shadow
