#include "core/link.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/escape.hpp"
#include "core/home_topics.hpp"
#include "core/pending_connect.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"
#include "mqtt/encode.hpp"
#include "mqtt/reason_rules.hpp"

namespace twinmq::core {

namespace {
// Payloads from this size on are not copied into the output but referred to.
constexpr std::size_t kSharedPayloadMin = 2048;
constexpr std::size_t kHeadInPlaceMax = 16 * 1024;
// MQTT does not tell a receiver who published; the host's own clients learn it as the last user
// property.
std::string name_publisher(const MessageParts& parts) {
  const auto field = [](std::string_view text) {
    const char size[2] = {static_cast<char>(text.size() >> 8), static_cast<char>(text.size())};
    return std::string(size, 2).append(text);
  };
  constexpr char kUserProperty = 0x26;
  return std::string(parts.properties) + kUserProperty + field("publisher") +
         field(parts.publisher);
}

}  // namespace

Link::Link(Shard& shard, LinkOrigin origin)
    : shard_(shard),
      timer_(this, kLinkTimer),
      heard_(shard.now.steady),
      origin_(std::move(origin)) {
  shard_.counters.add(Metric::Connections);
  shard_.wheel.arm(timer_, heard_ + Seconds(shard_.parts.limits.connect_timeout_seconds));
}

Link::~Link() {
  shard_.wheel.disarm(timer_);
  output_.clear(shard_.chunks);
  if (phase_ == Phase::Connected) shard_.counters.subtract(Metric::ClientsConnected);
  shard_.counters.subtract(Metric::Connections);
}

// --- Bytes in

void Link::on_bytes(ByteView bytes) {
  if (phase_ == Phase::Closing) return;
  heard_ = shard_.now.steady;
  if (held_ != 0) {
    pending_.append(text_of(bytes));
    return;
  }
  // The rest of a split packet is added to what is there; whole packets are read where they lie.
  while (!pending_.empty() && !bytes.empty() && held_ == 0 && phase_ != Phase::Closing &&
         !destination_) {
    const mqtt::Framing framing =
        mqtt::next_frame(bytes_of(pending_), shard_.parts.mqtt.packet_size_max);
    const std::size_t wanted = framing.size > pending_.size() ? framing.size - pending_.size() : 1;
    const std::size_t taken = std::min(wanted, bytes.size());
    pending_.append(text_of(bytes.first(taken)));
    bytes = bytes.subspan(taken);
    const std::size_t used = consume(bytes_of(pending_));
    pending_.erase(0, used);
  }
  if (phase_ == Phase::Closing) return;
  if (pending_.empty()) {
    const std::size_t used = held_ == 0 && !destination_ ? consume(bytes) : 0;
    bytes = bytes.subspan(used);
  }
  if (phase_ != Phase::Closing && !bytes.empty()) pending_.append(text_of(bytes));
  if (pending_.empty() && pending_.capacity() > 64) pending_ = {};
}

void Link::on_turn() {
  postponed_ = false;
  if (phase_ == Phase::Closing) return;
  if (session_) session_->pump();
  if (!shard_.congested()) held_ = static_cast<std::uint8_t>(held_ & ~kHoldMail);
  held_ = static_cast<std::uint8_t>(held_ & ~kHoldTurn);
  if (held_ == kHoldMail) return shard_.postpone(*this);
  if (held_ != 0) return;
  const std::string bytes = std::exchange(pending_, {});
  const std::size_t used = consume(bytes_of(bytes));
  if (phase_ == Phase::Closing) return;
  if (used < bytes.size()) pending_.assign(bytes, used);
  shard_.touch(*this);
}

void Link::let_go(Hold why) {
  if ((held_ & why) == 0) return;
  held_ = static_cast<std::uint8_t>(held_ & ~why);
  // In a turn of its own: the caller may be in the middle of this link's packet.
  if ((held_ & ~kHoldMail) == 0) {
    hold(kHoldTurn);
    shard_.postpone(*this);
  }
}

// Whatever the client makes us keep for it has a bound: it is not read beyond.
void Link::hold_if_too_much() {
  if (output_.size() > shard_.parts.limits.output_bytes_max) hold(kHoldOutput);
  if (promises_.size() > shard_.parts.mqtt.receive_maximum + kPromisesMore) hold(kHoldPromises);
  if (shard_.congested() && phase_ == Phase::Connected && !origin_.host) {
    hold(kHoldMail);
    shard_.postpone(*this);
  }
}

std::size_t Link::consume(ByteView bytes) {
  std::size_t used = 0;
  std::uint32_t budget = shard_.parts.limits.turn_packets_max;
  while (used < bytes.size() && held_ == 0 && phase_ != Phase::Closing) {
    const std::uint32_t size_max = phase_ == Phase::Connected
                                       ? shard_.parts.mqtt.packet_size_max
                                       : std::min(shard_.parts.mqtt.packet_size_max,
                                                  shard_.parts.limits.connect_packet_size_max);
    const mqtt::Framing framing = mqtt::next_frame(bytes.subspan(used), size_max);
    if (framing.status == mqtt::Framing::Status::NeedMore) {
      // Nothing but CONNECT is waited for before CONNECT [MQTT-3.1.0-1].
      if (phase_ == Phase::AwaitConnect &&
          (bytes[used] >> 4) != static_cast<int>(mqtt::PacketType::Connect))
        refuse({ReasonCode::ProtocolError, "the first packet is not CONNECT"});
      break;
    }
    if (framing.status == mqtt::Framing::Status::Malformed) {
      refuse({framing.fault, "illegal fixed header"});
      break;
    }
    if (budget-- == 0) {
      hold(kHoldTurn);
      shard_.postpone(*this);
      break;
    }
    dispatch(framing.frame);
    // CONNECT is worked on where the session lives; another packet may have to wait for a fence.
    if (destination_ || std::exchange(again_, false)) break;
    used += framing.size;
    shard_.counters.add(Metric::PacketsReceived);
    hold_if_too_much();
  }
  return used;
}

void Link::dispatch(const mqtt::Frame& frame) {
  using mqtt::PacketType;
  if (phase_ == Phase::AwaitConnect) {
    if (frame.type == PacketType::Connect) return on_connect(frame);
    return refuse({ReasonCode::ProtocolError, "the first packet is not CONNECT"});
  }
  if (phase_ == Phase::Authenticating) {
    if (frame.type == PacketType::Auth) return on_auth(frame);
    if (frame.type == PacketType::Disconnect) return on_disconnect(frame);
    return refuse({ReasonCode::ProtocolError, "only AUTH or DISCONNECT may come before CONNACK"});
  }
  switch (frame.type) {
    case PacketType::Publish: return on_publish(frame);
    case PacketType::Puback:
    case PacketType::Pubrec:
    case PacketType::Pubrel:
    case PacketType::Pubcomp: return on_ack(frame);
    case PacketType::Subscribe: return on_subscribe(frame);
    case PacketType::Unsubscribe: return on_unsubscribe(frame);
    case PacketType::Pingreq:
      if (!frame.body.empty()) return refuse({ReasonCode::MalformedPacket, "PINGREQ has a body"});
      return on_pingreq();
    case PacketType::Disconnect: return on_disconnect(frame);
    case PacketType::Auth:
      if (v5()) return on_auth(frame);
      return refuse({ReasonCode::ProtocolError, "AUTH does not exist in this version"});
    case PacketType::Connect:
      return refuse({ReasonCode::ProtocolError, "a second CONNECT"});  // [MQTT-3.1.0-2]
    default: return refuse({ReasonCode::ProtocolError, "a packet that only servers send"});
  }
}

void Link::on_pingreq() {
  shard_.packet.clear();
  mqtt::append(shard_.packet, mqtt::Pingresp{});
  send(shard_.packet);  // [MQTT-3.12.4-1]
}

void Link::on_disconnect(const mqtt::Frame& frame) {
  const auto packet = mqtt::decode_disconnect(frame, version_);
  if (!packet) return refuse(packet.error());
  if (session_) {
    if (packet->session_expiry_seconds) {
      const std::uint32_t wanted = *packet->session_expiry_seconds;
      if (requested_expiry_ == 0 && wanted != 0)
        return refuse(
            {ReasonCode::ProtocolError, "a session without expiry cannot be given one at the end"});
      session_->set_expiry(
          shard_.parts.journal ? std::min(wanted, shard_.parts.mqtt.session_expiry_max) : 0);
    }
    if (packet->code == ReasonCode::NormalDisconnection)
      session_->discard_will();  // [MQTT-3.14.4-3]
  }
  shard_.log(LogLevel::Info, "client disconnected", who());
  end_ = ClientEvent::End::ClientAsked;
  close();
}

// --- Bytes out

void Link::send(std::string_view packet) {
  if (packet.size() > client_packet_size_max_) return;
  const bool first = output_.empty();
  output_.append(packet, shard_.chunks);
  shard_.counters.add(Metric::PacketsSent);
  if (first) shard_.touch(*this);
}

void Link::send_ack(mqtt::PacketType type, mqtt::PacketId id, ReasonCode code) {
  if (is_failure(code) && v5() && problem_information_) return send_ack_with_reason(type, id, code);
  const bool first = output_.empty();
  std::uint8_t* const out = output_.reserve(mqtt::kAckSizeMax, shard_.chunks);
  output_.commit(static_cast<std::size_t>(mqtt::write_ack(type, id, code, version_, out) - out));
  shard_.counters.add(Metric::PacketsSent);
  if (first) shard_.touch(*this);
}

void Link::send_ack_with_reason(mqtt::PacketType type, mqtt::PacketId id, ReasonCode code) {
  shard_.packet.clear();
  mqtt::append(shard_.packet, mqtt::Ack{type, id, code, reason_text(code), {}}, version_);
  if (shard_.packet.size() >
      client_packet_size_max_) {  // [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.7.2-2]
    shard_.packet.clear();
    mqtt::append(shard_.packet, mqtt::Ack{type, id, code, {}, {}}, version_);
  }
  send(shard_.packet);
}

bool Link::send_publish(const OutgoingPublish& publish) {
  const MessageParts& parts = publish.parts;
  mqtt::PublishHead head;
  head.topic = parts.topic;
  std::string host_properties;
  if (origin_.host) host_properties = name_publisher(parts);
  head.properties = origin_.host ? std::string_view(host_properties) : parts.properties;
  head.payload_size = parts.payload.size();
  head.qos = publish.qos;
  head.dup = publish.dup;
  head.retain = publish.retain;
  head.packet_id = publish.packet_id;
  head.subscription_ids = publish.subscription_ids;
  if (parts.expires_at != kNever) {
    const auto left = std::chrono::ceil<Seconds>(parts.expires_at - shard_.now.steady).count();
    head.expiry_seconds = static_cast<std::uint32_t>(std::max<std::int64_t>(left, 0));
  }
  if (publish.qos == QoS::AtMostOnce &&
      output_.size() + head.payload_size > shard_.parts.limits.output_bytes_max) {
    shard_.counters.add(Metric::DroppedOutputFull);
    shard_.services.note({DroppedMessage::Reason::OutputFull, session_->client_id(), parts.topic});
    return true;
  }
  const bool first = output_.empty();
  std::size_t head_size = mqtt::publish_head_size(head, version_);
  if (head_size == 0 || head_size + head.payload_size > client_packet_size_max_) {
    shard_.counters.add(Metric::DroppedTooLarge);
    shard_.services.note({DroppedMessage::Reason::TooLarge, session_->client_id(), parts.topic});
    return false;
  }
  if (aliases_out_) {
    const OutgoingAliases::Choice choice = aliases_out_->choose(head.topic);
    head.topic_alias = choice.alias;
    if (choice.known) head.topic = {};
    head_size = mqtt::publish_head_size(head, version_);
    if (head_size + head.payload_size > client_packet_size_max_) {
      // Only naming a new alias makes a packet larger: the client keeps the old meaning of the
      // alias.
      aliases_out_->forget(choice.alias);
      head.topic_alias = 0;
      head.topic = parts.topic;
      head_size = mqtt::publish_head_size(head, version_);
    }
  }
  write_publish(head, head_size, publish);
  shard_.counters.add(Metric::PacketsSent);
  shard_.counters.add(Metric::PublishSent);
  shard_.counters.add(Metric::PublishPayloadSent, head.payload_size);
  if (first) shard_.touch(*this);
  return true;
}

// Small payloads are copied behind their head, large ones stay where they are.
void Link::write_publish(const mqtt::PublishHead& head, std::size_t head_size,
                         const OutgoingPublish& publish) {
  if (head.payload_size < kSharedPayloadMin && head_size <= kHeadInPlaceMax) {
    std::uint8_t* const out = output_.reserve(head_size + head.payload_size, shard_.chunks);
    std::uint8_t* const end = mqtt::write_publish_head(head, version_, out);
    if (head.payload_size > 0) std::memcpy(end, publish.parts.payload.data(), head.payload_size);
    return output_.commit(head_size + head.payload_size);
  }
  if (head_size > kHeadInPlaceMax) {  // a long list of user properties
    shard_.packet.resize(head_size);
    mqtt::write_publish_head(head, version_, reinterpret_cast<std::uint8_t*>(shard_.packet.data()));
    output_.append(shard_.packet, shard_.chunks);
  } else {
    std::uint8_t* const out = output_.reserve(head_size, shard_.chunks);
    mqtt::write_publish_head(head, version_, out);
    output_.commit(head_size);
  }
  const MessageRef& message = publish.publication.shared();
  output_.append_shared(message, message->payload(), shard_.chunks);
}

bool Link::has_more() const {
  return (held_ & kHoldOutput) != 0 || (session_ && session_->has_more());
}

void Link::on_room() {
  if (output_.size() <= shard_.parts.limits.output_bytes_max / 2) let_go(kHoldOutput);
  if (session_) session_->pump();
}

// --- Time and the end

void Link::watch_keep_alive() {
  if (keep_alive_seconds_ == 0) return shard_.wheel.disarm(timer_);
  shard_.wheel.arm(timer_, heard_ + Milliseconds(keep_alive_seconds_ * 1500));
}

void Link::on_timer() {
  const Instant now = shard_.now.steady;
  if (phase_ == Phase::Connected) {
    // What the client says while it is not read is not heard; unless it does not read itself.
    if ((held_ & ~kHoldOutput) != 0) heard_ = now;
    // The timer is not moved with every packet: it looks again from the last one.
    if (now < heard_ + Milliseconds(keep_alive_seconds_ * 1500)) return watch_keep_alive();
    shard_.counters.add(Metric::KeepAliveTimeouts);
    return disconnect(ReasonCode::KeepAliveTimeout, "keep alive");  // [MQTT-3.1.2-22]
  }
  if (phase_ != Phase::Closing) reject(ReasonCode::ServerUnavailable, "CONNECT took too long");
}

void Link::refuse(const mqtt::DecodeError& error) {
  shard_.counters.add(Metric::ProtocolErrors);
  disconnect(error.code, error.what);
}

namespace {

ClientEvent::End end_of(ReasonCode code) {
  using End = ClientEvent::End;
  switch (code) {
    case ReasonCode::SessionTakenOver: return End::TakenOver;
    case ReasonCode::KeepAliveTimeout: return End::KeepAlive;
    case ReasonCode::NotAuthorized:
    case ReasonCode::BadUserNameOrPassword:
    case ReasonCode::BadAuthenticationMethod: return End::NotAuthorized;
    case ReasonCode::AdministrativeAction:
    case ReasonCode::ServerShuttingDown: return End::Administrator;
    case ReasonCode::QuotaExceeded:
    case ReasonCode::ServerBusy:
    case ReasonCode::UnspecifiedError: return End::Other;
    default: return End::ProtocolError;
  }
}

}  // namespace

void Link::note(ClientEvent::Kind kind, std::string_view filter) const {
  if (!shard_.services.any() || !session_ || origin_.host) return;
  ClientEvent event{};
  event.kind = kind;
  event.client_id = session_->client_id();
  event.principal = session_->principal();
  event.peer = origin_.peer;
  event.connection = session_number({shard_.id, key});
  event.end = end_;
  event.filter = filter;
  shard_.services.note(event);
}

void Link::disconnect(ReasonCode code, std::string_view why) {
  if (phase_ == Phase::Closing) return;
  if (phase_ == Phase::Authenticating || phase_ == Phase::Storing) return reject(code, why);
  end_ = end_of(code);
  shard_.log_of_strangers(
      LogLevel::Info, "client disconnected by the broker",
      who() + " reason=" + escaped(reason_text(code)) + " because=" + escaped(why));
  // Before a CONNACK nothing but CONNACK may be sent [MQTT-3.14.0-1].
  if (phase_ == Phase::Connected && v5()) {
    mqtt::Disconnect packet;
    packet.code = for_packet(mqtt::PacketType::Disconnect, code);
    packet.reason = why;  // DISCONNECT may carry it whatever the client asked for [MQTT-3.1.2-29]
    shard_.packet.clear();
    mqtt::append(shard_.packet, packet, version_);
    if (shard_.packet.size() > client_packet_size_max_) {  // [MQTT-3.14.2-3]
      packet.reason = {};
      shard_.packet.clear();
      mqtt::append(shard_.packet, packet, version_);
    }
    send(shard_.packet);
  }
  close();
}

void Link::close() {
  if (phase_ == Phase::Closing) return;
  if (phase_ == Phase::Connected) {
    shard_.counters.subtract(Metric::ClientsConnected);
    note(ClientEvent::Kind::Disconnected);
  }
  phase_ = Phase::Closing;
  pending_ = {};
  enhanced_.reset();
  pending_connect_.reset();
  shard_.wheel.disarm(timer_);
  detach_session();
  shard_.touch(*this);
}

void Link::detach_session() {
  if (Session* session = std::exchange(session_, nullptr)) session->detach();
}

void Link::on_closed() {
  if (phase_ == Phase::Closing) return;
  shard_.log_of_strangers(LogLevel::Info, "connection lost", who());
  close();
}

void Link::on_facts(std::shared_ptr<const ConnectionFacts> facts) {
  if (!facts->peer.empty()) origin_.peer = facts->peer;
  origin_.facts = std::move(facts);
}

void Link::on_refused(std::string_view why) {
  if (phase_ == Phase::Closing) return;
  shard_.counters.add(Metric::HandshakesFailed);
  shard_.log_of_strangers(
      LogLevel::Warning, "connection refused",
      who() + " listener=" + escaped(origin_.listener) + " reason=" + escaped(why));
  close();
}

MovedLink Link::move_away() {
  return {key, *destination_, std::move(origin_), std::move(pending_)};
}

// A host, or the moment, may give a reason that this packet has no code for [MQTT-3.2.2-8]
// [MQTT-3.14.2-1].
ReasonCode Link::for_packet(mqtt::PacketType type, ReasonCode code) {
  if (mqtt::reason_allowed(type, static_cast<std::uint8_t>(code))) return code;
  if (code == ReasonCode::BadUserNameOrPassword) return ReasonCode::NotAuthorized;
  if (code == ReasonCode::ServerShuttingDown) return ReasonCode::ServerUnavailable;
  return ReasonCode::UnspecifiedError;
}

std::string Link::who() const {
  std::string text = "peer=" + origin_.peer;
  if (session_) text += " client=" + escaped(session_->client_id());
  return text;
}

void Link::describe(SessionInfo& info) const {
  info.peer = origin_.peer;
  info.listener = origin_.listener;
  info.protocol_level = static_cast<std::uint8_t>(version_);
  info.keep_alive_seconds = keep_alive_seconds_;
}

}  // namespace twinmq::core
