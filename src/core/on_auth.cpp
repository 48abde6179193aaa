// Link's part for AUTH: enhanced authentication and re-authentication. Section 4.12.

#include <utility>

#include "core/home_topics.hpp"
#include "core/link.hpp"
#include "core/pending_connect.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"
#include "mqtt/encode.hpp"

namespace twinmq::core {

void Link::ask(bool reauthentication, std::string_view method) {
  const std::uint64_t question = enhanced_ ? enhanced_->question : 0;
  auto authentication = shard_.parts.authenticator->start(method);
  if (!authentication) {
    shard_.counters.add(Metric::AuthenticationFailures);
    return disconnect(ReasonCode::BadAuthenticationMethod,
                      "this authentication method is not offered");  // [MQTT-4.12.0-1]
  }
  enhanced_ = std::make_unique<Enhanced>();
  enhanced_->method = method;
  enhanced_->authentication = std::move(authentication);
  enhanced_->question = question;
  enhanced_->reauthentication = reauthentication;
  if (!reauthentication)
    enhanced_->authentication->begin(credentials(pending_connect_->packet), answer());
}

// The answer may come on any thread and after the connection has gone: it goes by errand, and names
// its question.
Authentication::Done Link::answer() {
  return [post = shard_.parts.post, link = key,
          question = ++enhanced_->question](AuthenticationResult result) {
    post([link, question, result = std::move(result)](ShardCore& core) {
      core.on_authenticated(link, question, result);
    });
  };
}

void Link::on_authenticated(std::uint64_t question, const AuthenticationResult& result) {
  if (!enhanced_ || enhanced_->question != question || enhanced_->awaiting_client ||
      phase_ == Phase::Closing)
    return;
  if (enhanced_->reauthentication) return on_reauthenticated(result);
  if (phase_ != Phase::Authenticating) return;
  if (result.code == ReasonCode::ContinueAuthentication) {
    enhanced_->awaiting_client = true;
    send_auth(ReasonCode::ContinueAuthentication, result.authentication_data);
    return let_go(kHoldConnect);
  }
  enhanced_->data = result.authentication_data;
  on_verdict(pending_connect_->packet, result);
}

void Link::on_auth(const mqtt::Frame& frame) {
  const auto packet = mqtt::decode_auth(frame);
  if (!packet) return refuse(packet.error());
  // A client that named no method in CONNECT may not send AUTH [MQTT-4.12.0-7].
  if (!enhanced_ || enhanced_->method.empty())
    return refuse({ReasonCode::ProtocolError, "AUTH without an authentication method"});
  if (packet->method.value_or(std::string_view()) != enhanced_->method)
    return refuse(
        {ReasonCode::ProtocolError, "the authentication method changed"});  // [MQTT-4.12.1-1]
  const std::string data(packet->data.value_or(std::string_view()));

  if (packet->code == ReasonCode::ReAuthenticate && phase_ == Phase::Connected) {
    if (enhanced_->reauthentication)
      return refuse({ReasonCode::ProtocolError, "a second re-authentication"});
    const std::string method = enhanced_->method;
    ask(true, method);
    if (phase_ != Phase::Connected) return;
    Credentials again;
    again.client_id = session_->client_id();
    again.authentication_method = enhanced_->method;
    again.authentication_data = data;
    add_origin(again);
    return enhanced_->authentication->begin(again, answer());
  }
  if (packet->code != ReasonCode::ContinueAuthentication || !enhanced_->awaiting_client)
    return refuse({ReasonCode::ProtocolError, "AUTH out of turn"});  // [MQTT-4.12.0-3]
  enhanced_->awaiting_client = false;
  if (phase_ == Phase::Authenticating) hold(kHoldConnect);
  enhanced_->authentication->proceed(data, answer());
}

void Link::on_reauthenticated(const AuthenticationResult& result) {
  if (result.code == ReasonCode::ContinueAuthentication) {
    enhanced_->awaiting_client = true;
    return send_auth(ReasonCode::ContinueAuthentication, result.authentication_data);
  }
  if (result.code != ReasonCode::Success || result.principal != session_->principal()) {
    shard_.counters.add(Metric::AuthenticationFailures);
    return disconnect(is_failure(result.code) ? result.code : ReasonCode::NotAuthorized,
                      "re-authentication failed");  // [MQTT-4.12.1-2]
  }
  enhanced_->reauthentication = false;
  enhanced_->authentication.reset();
  send_auth(ReasonCode::Success, result.authentication_data);
}

void Link::send_auth(ReasonCode code, std::string_view data) {
  mqtt::Auth packet;
  packet.code = code;
  packet.method = enhanced_->method;  // [MQTT-4.12.0-5]
  if (!data.empty()) packet.data = data;
  shard_.packet.clear();
  mqtt::append(shard_.packet, packet);
  send(shard_.packet);
}

}  // namespace twinmq::core
