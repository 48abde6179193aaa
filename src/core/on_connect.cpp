// Link's part for CONNECT: version, identity, takeover, resumption, CONNACK. Section 3.1 and 3.2.

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/escape.hpp"
#include "core/home_topics.hpp"
#include "core/link.hpp"
#include "core/pending_connect.hpp"
#include "core/reserved_topics.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"
#include "mqtt/encode.hpp"

namespace twinmq::core {

namespace {

// The version a CONNECT claims, so that even a broken one is refused in its own terms.
mqtt::Version claimed_version(ByteView body) {
  constexpr std::size_t kLevelAt = 6;  // behind the name "MQTT"
  return body.size() > kLevelAt && text_of(body.subspan(2, 4)) == "MQTT" &&
                 (body[kLevelAt] & 0x7F) >= 5
             ? mqtt::Version::V5
             : mqtt::Version::V311;
}

// A name nobody has, whose home is this shard [MQTT-3.2.2-16].
std::string assign_client_id(Shard& shard) {
  while (true) {
    std::array<char, 16> digits{};
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), shard.random.next(), 16);
    std::string id = "twinmq-" + std::string(digits.data(), end.ptr);
    if (home_of(id, shard.shards()) == shard.id && !shard.sessions.find(id)) return id;
  }
}

std::optional<StoredWill> will_of(const mqtt::Connect& packet, std::uint64_t session_number) {
  if (!packet.will) return std::nullopt;
  MessageParts parts;
  parts.topic = packet.will->topic;
  parts.payload = packet.will->payload;
  parts.properties = packet.will->properties;
  parts.publisher = packet.client_id;
  parts.publisher_session = session_number;
  parts.qos = packet.will->qos;
  parts.retain = packet.will->retain;
  return StoredWill{Message::make(parts), packet.will->delay_seconds, packet.will->expiry_seconds};
}

}  // namespace

void Link::on_connect(const mqtt::Frame& frame) {
  version_ = claimed_version(frame.body);
  mqtt::DecodeLimits limits;
  limits.user_properties_max = shard_.parts.limits.user_properties_max;
  limits.topic_levels_max = shard_.parts.limits.topic_levels_max;
  std::string scratch;
  auto packet = mqtt::decode_connect(frame, limits, scratch);
  if (!packet) {
    shard_.counters.add(Metric::ProtocolErrors);
    return reject(packet.error().code, packet.error().what);
  }
  version_ = packet->version;
  if (!packet->client_id.empty() && home_of(packet->client_id, shard_.shards()) != shard_.id) {
    destination_ = home_of(packet->client_id, shard_.shards());
    return;
  }
  phase_ = Phase::Authenticating;
  adopt_options(*packet);
  if (const auto refusal = judge_connect(*packet)) return reject(*refusal, reason_text(*refusal));
  if (packet->client_id.empty()) {
    assigned_client_id_ = std::make_unique<const std::string>(assign_client_id(shard_));
    packet->client_id = *assigned_client_id_;
  }
  authenticate(frame, *packet);
  // Packets that follow wait for the CONNACK, but for those of an authentication.
  if (phase_ == Phase::Storing ||
      (phase_ == Phase::Authenticating && !(enhanced_ && enhanced_->awaiting_client)))
    hold(kHoldConnect);
}

void Link::adopt_options(const mqtt::Connect& packet) {
  problem_information_ = packet.request_problem_information;
  if (packet.packet_size_max) client_packet_size_max_ = *packet.packet_size_max;
  keep_alive_seconds_ = packet.keep_alive_seconds;
  const std::uint16_t longest = shard_.parts.mqtt.keep_alive_max;
  if (v5() && longest != 0 && (keep_alive_seconds_ == 0 || keep_alive_seconds_ > longest))
    keep_alive_seconds_ = longest;
  const std::uint16_t aliases =
      std::min(packet.topic_alias_maximum.value_or(0), shard_.parts.mqtt.topic_alias_send_max);
  if (aliases > 0) aliases_out_ = std::make_unique<OutgoingAliases>(aliases);  // [MQTT-3.1.2-26]
}

std::optional<ReasonCode> Link::judge_connect(const mqtt::Connect& packet) const {
  const MqttConfig& mqtt = shard_.parts.mqtt;
  if (packet.client_id.size() > mqtt.client_id_bytes_max)
    return ReasonCode::ClientIdentifierNotValid;
  // Before MQTT 5 only a client without state may stay nameless [MQTT-3.1.3-8].
  if (packet.client_id.empty() && !v5() && !packet.clean_start)
    return ReasonCode::ClientIdentifierNotValid;
  if (packet.will) {
    if (static_cast<std::uint8_t>(packet.will->qos) > mqtt.qos_max)
      return ReasonCode::QoSNotSupported;
    if (packet.will->retain && !shard_.offers_retain()) return ReasonCode::RetainNotSupported;
  }
  return std::nullopt;
}

// --- Who is it?

void Link::authenticate(const mqtt::Frame& frame, mqtt::Connect& packet) {
  if (!shard_.parts.authenticator || origin_.host) {
    if (packet.authentication_method)  // [MQTT-4.12.0-1]
      return reject(ReasonCode::BadAuthenticationMethod, "no authentication method is offered");
    AuthenticationResult accepted;
    accepted.code = ReasonCode::Success;
    if (origin_.facts) accepted.principal = origin_.facts->principal;
    return on_verdict(packet, accepted);
  }
  if (!packet.authentication_method) {
    if (const auto verdict = shard_.parts.authenticator->decide(credentials(packet)))
      return on_verdict(packet, *verdict);
  }
  // The answer comes later: CONNECT must outlive the bytes it came in.
  pending_connect_ = std::make_unique<PendingConnect>();
  pending_connect_->body = text_of(frame.body);
  mqtt::Frame kept = frame;
  kept.body = bytes_of(pending_connect_->body);
  mqtt::DecodeLimits limits;
  limits.user_properties_max = shard_.parts.limits.user_properties_max;
  limits.topic_levels_max = shard_.parts.limits.topic_levels_max;
  auto decoded = mqtt::decode_connect(kept, limits, pending_connect_->scratch);
  pending_connect_->packet = std::move(*decoded);
  if (assigned_client_id_) pending_connect_->packet.client_id = *assigned_client_id_;
  shard_.wheel.arm(timer_,
                   shard_.now.steady + Seconds(shard_.parts.limits.authentication_timeout_seconds));
  ask(false, packet.authentication_method.value_or(std::string_view()));
}

Credentials Link::credentials(const mqtt::Connect& packet) const {
  Credentials credentials;
  credentials.client_id = packet.client_id;
  credentials.has_username = packet.username.has_value();
  credentials.username = packet.username.value_or(std::string_view());
  credentials.has_password = packet.password.has_value();
  credentials.password = packet.password.value_or(std::string_view());
  credentials.authentication_method = packet.authentication_method.value_or(std::string_view());
  credentials.authentication_data = packet.authentication_data.value_or(std::string_view());
  add_origin(credentials);
  return credentials;
}

void Link::add_origin(Credentials& credentials) const {
  credentials.peer = origin_.peer;
  credentials.listener = origin_.listener;
  credentials.anonymous_allowed = origin_.anonymous_allowed;
  if (!origin_.facts) return;
  credentials.certificate_subject = origin_.facts->certificate_subject;
  credentials.transport_principal = origin_.facts->principal;
  credentials.facts = origin_.facts.get();
}

void Link::on_verdict(const mqtt::Connect& packet, const AuthenticationResult& result) {
  if (result.code != ReasonCode::Success) {
    shard_.counters.add(Metric::AuthenticationFailures);
    return reject(is_failure(result.code) ? result.code : ReasonCode::NotAuthorized,
                  result.reason);  // [MQTT-3.1.4-2]
  }
  open_session(packet, result.principal);
}

// --- Its session

void Link::open_session(const mqtt::Connect& packet, const std::string& principal) {
  Identity identity;
  identity.principal = principal;
  identity.client_id = packet.client_id;
  identity.username = packet.username.value_or(std::string_view());
  identity.peer = origin_.peer;
  identity.listener = origin_.listener;
  if (const auto refusal = judge_will(packet, identity))
    return reject(*refusal, "the will may not be published");

  Session* session = shard_.sessions.find(packet.client_id);
  if (session && shard_.parts.client_id_bound && session->principal() != principal)
    return reject(ReasonCode::NotAuthorized, "the client identifier belongs to another user");
  if (session && session->link()) {
    shard_.counters.add(Metric::Takeovers);
    session->link()->disconnect(ReasonCode::SessionTakenOver,
                                "another connection took the session");  // [MQTT-3.1.4-3]
    session =
        shard_.sessions.find(packet.client_id);  // without expiry it ended with its connection
  }
  bool stored = false;
  if (session && packet.clean_start) {  // [MQTT-3.1.2-4]
    stored = session->persistent();
    shard_.end_session(*session);
    session = nullptr;
  }
  session_present_ = session != nullptr;
  if (!session) session = &shard_.sessions.create(std::string(packet.client_id), principal);

  requested_expiry_ = v5()                 ? packet.session_expiry_seconds.value_or(0)
                      : packet.clean_start ? 0
                                           : shard_.parts.mqtt.session_expiry_v3;
  const std::uint32_t expiry =
      shard_.parts.journal ? std::min(requested_expiry_, shard_.parts.mqtt.session_expiry_max) : 0;
  const std::uint16_t inflight_max =
      std::min(packet.receive_maximum.value_or(65535), shard_.parts.mqtt.inflight_max);
  session->identity = shard_.parts.authorizer && !origin_.host
                          ? std::make_unique<Identity>(std::move(identity))
                          : nullptr;

  session->set_will(will_of(packet, session->number()));
  session_ = session;
  session->attach(*this, expiry, inflight_max);
  phase_ = Phase::Storing;
  session->record();
  stored |= session->persistent();
  if (shard_.ended_sessions.bars(packet.client_id))
    return shard_.ended_sessions.wait(packet.client_id, key);
  if (!stored) return welcome();
  shard_.transactions.after_commit({AfterCommit::Kind::Connack, key, {}, 0});
}

std::optional<ReasonCode> Link::judge_will(const mqtt::Connect& packet,
                                           const Identity& identity) const {
  if (!packet.will || origin_.host) return std::nullopt;
  if (is_reserved_for_broker(packet.will->topic) ||
      shard_.services.forbid(packet.will->topic, packet.will->retain))
    return ReasonCode::NotAuthorized;
  if (shard_.authorizer && !shard_.authorizer->may(identity, Action::Publish, packet.will->topic,
                                                   packet.will->qos, packet.will->retain))
    return ReasonCode::NotAuthorized;
  return std::nullopt;
}

void Link::on_session_stored() {
  if (phase_ == Phase::Storing) welcome();
}

void Link::welcome() {
  const MqttConfig& mqtt = shard_.parts.mqtt;
  mqtt::Connack packet;
  packet.session_present = session_present_;
  if (v5()) {
    if (session_->expiry_seconds() != requested_expiry_)
      packet.session_expiry_seconds = session_->expiry_seconds();
    if (mqtt.receive_maximum != 65535) packet.receive_maximum = mqtt.receive_maximum;
    if (mqtt.qos_max < 2) packet.qos_max = mqtt.qos_max;
    if (!shard_.offers_retain()) packet.retain_available = false;
    packet.packet_size_max = mqtt.packet_size_max;
    if (assigned_client_id_) packet.assigned_client_id = *assigned_client_id_;
    if (mqtt.topic_alias_maximum > 0) packet.topic_alias_maximum = mqtt.topic_alias_maximum;
    if (!mqtt.wildcard_available) packet.wildcard_subscription_available = false;
    if (!mqtt.shared_available) packet.shared_subscription_available = false;
    if (mqtt.keep_alive_max != 0 && keep_alive_seconds_ == mqtt.keep_alive_max)
      packet.server_keep_alive_seconds = keep_alive_seconds_;
    if (enhanced_ && !enhanced_->method.empty()) {  // [MQTT-4.12.0-6]
      packet.authentication_method = enhanced_->method;
      if (!enhanced_->data.empty()) packet.authentication_data = enhanced_->data;
    }
  }
  shard_.packet.clear();
  mqtt::append(shard_.packet, packet, version_);
  if (shard_.packet.size() > client_packet_size_max_)  // [MQTT-3.1.2-24]
    return reject(ReasonCode::PacketTooLarge, "CONNACK exceeds the client's Maximum Packet Size");
  phase_ = Phase::Connected;
  send(shard_.packet);
  shard_.counters.add(Metric::ConnectAccepted);
  shard_.counters.add(Metric::ClientsConnected);
  std::string detail = who();
  if (origin_.facts && !origin_.facts->tls_version.empty())
    detail += " tls=" + origin_.facts->tls_version;
  if (origin_.facts && !origin_.facts->principal.empty())
    detail += " identity=" + escaped(origin_.facts->principal);
  shard_.log(LogLevel::Info, "client connected", detail);
  note(ClientEvent::Kind::Connected);
  assigned_client_id_.reset();
  pending_connect_.reset();
  if (enhanced_ && enhanced_->method.empty()) enhanced_.reset();
  watch_keep_alive();
  let_go(kHoldConnect);
  session_->resume();
}

void Link::reject(ReasonCode code, std::string_view why) {
  if (phase_ == Phase::Closing) return;
  if (session_) session_->discard_will();  // nobody was let in: nobody is gone
  shard_.counters.add(Metric::ConnectRefused);
  shard_.log_of_strangers(
      LogLevel::Info, "connection refused",
      who() + " reason=" + escaped(reason_text(code)) + " because=" + escaped(why));
  // A CONNECT that never came, or that MQTT 3.1.1 has no answer for, is closed without CONNACK.
  const bool connect_seen = phase_ != Phase::AwaitConnect || version_ == mqtt::Version::V5 ||
                            code == ReasonCode::UnsupportedProtocolVersion;
  if (connect_seen && (v5() || mqtt::connect_return_code(code))) {
    mqtt::Connack packet;
    packet.code = for_packet(mqtt::PacketType::Connack, code);
    if (v5() && !why.empty()) packet.reason = why;
    shard_.packet.clear();
    mqtt::append(shard_.packet, packet, version_);
    if (shard_.packet.size() > client_packet_size_max_) {  // [MQTT-3.2.2-19]
      packet.reason.reset();
      shard_.packet.clear();
      mqtt::append(shard_.packet, packet, version_);
    }
    send(shard_.packet);
  }
  close();
}

}  // namespace twinmq::core
