#include "sim/sim_client.hpp"

#include <algorithm>
#include <utility>

#include "mqtt/decode.hpp"
#include "mqtt/encode.hpp"
#include "mqtt/topic.hpp"
#include "sim/shadow_checker.hpp"

namespace twinmq::sim {

using mqtt::PacketId;
using mqtt::PacketType;

// --- What it does

void SimClient::connect(bool clean_start, std::uint32_t expiry_seconds, const WillPlan& will,
                        core::ShardId shard) {
  if (wire_) abandon();
  clean_start_ = clean_start || must_start_clean_ || !traits_.persistent;
  if (clean_start_) {
    end_session();
    must_start_clean_ = true;
  }
  connection_expiry_ = v5()                                  ? expiry_seconds
                       : clean_start_ && !traits_.persistent ? 0
                                                             : traits_.expiry_seconds;
  wire_ = network_.dial(shard);
  phase_ = Phase::Connecting;
  will_ = will.message;

  mqtt::Connect packet;
  packet.version = traits_.version;
  packet.client_id = traits_.id;
  packet.clean_start = clean_start_;
  packet.keep_alive_seconds = traits_.keep_alive_seconds;
  if (v5()) {
    packet.session_expiry_seconds = expiry_seconds;
    packet.receive_maximum = traits_.receive_maximum;
    packet.topic_alias_maximum = traits_.alias_maximum;
  } else if (traits_.persistent) {
    // Before MQTT 5 a clean session would not outlive the connection; a fresh one is made by two
    // connections.
    packet.clean_start = clean_start_;
    if (clean_start_) connection_expiry_ = 0;
  }
  std::string payload;
  if (will.message) {
    payload = Ledger::payload_of(*will.message);
    mqtt::Will last;
    last.topic = ledger_.topic_of(*will.message);
    last.payload = payload;
    last.qos = will.message->qos;
    last.retain = will.message->retain;
    last.delay_seconds = v5() ? will.delay_seconds : 0;
    packet.will = last;
    ledger_.sent(*will.message);
  }
  std::string bytes;
  mqtt::append(bytes, packet);
  send(bytes);
}

void SimClient::publish(Sent& message) {
  message.connection = wire_->number;
  ledger_.sent(message);
  Outgoing outgoing{0, &message, false};
  if (message.qos != QoS::AtMostOnce) {
    outgoing.id = free_id();
    outgoing_.push_back(outgoing);
  }
  send_publish(outgoing, false);
}

void SimClient::send_publish(const Outgoing& outgoing, bool dup) {
  const Sent& message = *outgoing.message;
  const std::string payload = Ledger::payload_of(message);
  mqtt::Publish packet;
  packet.topic = ledger_.topic_of(message);
  packet.payload = payload;
  packet.qos = message.qos;
  packet.retain = message.retain;
  packet.dup = dup;
  packet.packet_id = outgoing.id;
  std::string bytes;
  mqtt::append(bytes, packet, traits_.version);
  send(bytes);
  if (message.qos == QoS::AtLeastOnce) expected_pubacks_.push_back(outgoing.id);
  if (message.qos == QoS::ExactlyOnce) expected_pubrecs_.push_back(outgoing.id);
}

void SimClient::subscribe(const std::vector<std::string>& filters, QoS qos,
                          mqtt::RetainHandling handling) {
  mqtt::Subscribe packet;
  packet.packet_id = free_id();
  for (const std::string& filter : filters) {
    mqtt::SubscriptionOptions options;
    options.qos = qos;
    if (v5()) options.retain_handling = handling;
    packet.entries.push_back({filter, options});
    ledger_.asked(*session_, filter, !v5() || handling != mqtt::RetainHandling::DoNotSend);
    filters_[filter] = qos;
  }
  requests_[packet.packet_id] = {true, filters, qos};
  std::string bytes;
  mqtt::append(bytes, packet, traits_.version);
  send(bytes);
}

void SimClient::unsubscribe(const std::string& filter) {
  mqtt::Unsubscribe packet;
  packet.packet_id = free_id();
  packet.filters.push_back(filter);
  ledger_.leaving(*session_, filter);
  filters_.erase(filter);
  requests_[packet.packet_id] = {false, {filter}, QoS::AtMostOnce};
  std::string bytes;
  mqtt::append(bytes, packet, traits_.version);
  send(bytes);
}

void SimClient::disconnect(bool end_session_too, bool with_will) {
  mqtt::Disconnect packet;
  if (v5() && with_will) packet.code = ReasonCode::DisconnectWithWill;
  if (v5() && end_session_too && connection_expiry_ > 0) {
    packet.session_expiry_seconds = 0;
    connection_expiry_ = 0;
    must_start_clean_ = true;  // until the broker confirms
  }
  std::string bytes;
  mqtt::append(bytes, packet, traits_.version);
  send(bytes);
  goodbye_at_ = clock_.truth;
  wire_->client_shut = true;
  phase_ = Phase::Leaving;
  owed_.clear();
  if (connection_expiry_ == 0) end_session();
}

void SimClient::half_close() {
  goodbye_at_ = clock_.truth;
  wire_->client_shut = true;
  phase_ = Phase::Leaving;
  owed_.clear();
  if (connection_expiry_ == 0) end_session();
}

void SimClient::cut() {
  if (random_.chance(0.5)) {
    wire_->reset = true;
  } else {  // some of what was on its way arrives
    wire_->to_server.resize(random_.below(wire_->to_server.size() + 1));
  }
  lose_connection();
}

// A second connection takes over while the first may still look open to the broker.
void SimClient::abandon() {
  const std::shared_ptr<Wire> wire = wire_;
  const bool open = phase_ == Phase::Connected && random_.chance(0.7);
  lose_connection();
  if (open) wire->client_shut = false;
}

void SimClient::ping() {
  std::string bytes;
  mqtt::append(bytes, mqtt::Pingreq{});
  send(bytes);
}

void SimClient::stall(std::uint64_t until_step) {
  if (wire_) wire_->stalled_to_client = until_step;
}

void SimClient::delay(std::uint64_t until_step) {
  if (wire_) wire_->stalled_to_server = until_step;
}

// --- Bytes

void SimClient::send(const std::string& bytes) {
  if (wire_ && !wire_->client_shut) wire_->to_server += bytes;
}

void SimClient::step(bool everything) {
  bury(false);
  if (!wire_ || (wire_->stalled_to_client > network_.steps && !everything)) return;
  read(everything);
  if (phase_ == Phase::Connected) pay(everything);
}

void SimClient::read(bool everything) {
  const std::size_t waiting = wire_->to_client.size();
  const std::size_t count =
      everything || random_.chance(0.6) ? waiting : random_.below(waiting + 1);
  if (count > 0) ++activity;
  inbox_.append(wire_->to_client, 0, count);
  wire_->to_client.erase(0, count);
  std::size_t used = 0;
  std::string scratch;
  while (wire_) {
    const auto framing = mqtt::next_frame(bytes_of(std::string_view(inbox_).substr(used)), 1 << 28);
    if (framing.status == mqtt::Framing::Status::Malformed)
      return complain("sent a malformed frame");
    if (framing.status == mqtt::Framing::Status::NeedMore) break;
    const auto packet = mqtt::decode(framing.frame, traits_.version, {}, scratch);
    if (!packet)
      return complain("sent a packet that does not decode: " + std::string(packet.error().what));
    on_packet(*packet);
    used += framing.size;
  }
  inbox_.erase(0, std::min(used, inbox_.size()));
  if (wire_ && wire_->server_shut && wire_->to_client.empty()) lose_connection();
}

void SimClient::on_packet(const mqtt::Packet& packet) {
  if (const auto* connack = std::get_if<mqtt::Connack>(&packet)) return on_connack(*connack);
  if (const auto* goodbye = std::get_if<mqtt::Disconnect>(&packet)) return on_disconnect(*goodbye);
  if (phase_ == Phase::Connecting)
    return complain("sent packet " + std::to_string(packet.index()) + " before CONNACK");
  if (phase_ == Phase::Leaving) return;  // nobody listens any more
  if (const auto* publish = std::get_if<mqtt::Publish>(&packet)) return on_publish(*publish);
  if (const auto* ack = std::get_if<mqtt::Ack>(&packet)) return on_ack(*ack);
  if (const auto* suback = std::get_if<mqtt::Suback>(&packet)) return on_suback(*suback);
  if (const auto* unsuback = std::get_if<mqtt::Unsuback>(&packet))
    return on_unsuback(unsuback->packet_id, unsuback->codes.size());
  if (!std::holds_alternative<mqtt::Pingresp>(packet))
    complain("sent a packet that only clients send");
}

void SimClient::on_disconnect(const mqtt::Disconnect& packet) {
  told_to_go_ = true;
  if (packet.code != ReasonCode::SessionTakenOver && packet.code != ReasonCode::KeepAliveTimeout)
    complain("sent DISCONNECT \"" + std::string(reason_text(packet.code)) + "\" (" +
             std::string(packet.reason) + ") to a client that broke no rule");
}

// --- Answers owed

// In order, as [MQTT-4.6.0-2] and its neighbours demand of a client, but as late as the seed likes.
void SimClient::pay(bool everything) {
  while (!owed_.empty() && wire_ && (everything || random_.chance(0.7))) {
    const Owed owed = owed_.front();
    if (trace)
      trace(traits_.id + " sends " + std::string(mqtt::packet_type_text(owed.type)) + ' ' +
            std::to_string(owed.id));
    owed_.pop_front();
    ++activity;
    if (owed.type != PacketType::Pubrec && owed.type != PacketType::Pubrel)
      unacknowledged_.erase(owed.id);
    if (owed.type == PacketType::Pubrec) expected_pubrels_.push_back(owed.id);
    send_ack(owed.type, owed.id);
  }
}

void SimClient::send_ack(PacketType type, PacketId id) {
  std::uint8_t bytes[mqtt::kAckSizeMax];
  const std::uint8_t* const end =
      mqtt::write_ack(type, id, ReasonCode::Success, traits_.version, bytes);
  send(std::string(static_cast<const std::uint8_t*>(bytes), end));
}

PacketId SimClient::free_id() {
  const auto used = [&](PacketId id) {
    return requests_.count(id) != 0 ||
           std::any_of(outgoing_.begin(), outgoing_.end(),
                       [id](const Outgoing& each) { return each.id == id; });
  };
  do {
    last_id_ = static_cast<PacketId>(last_id_ % 65535 + 1);
  } while (used(last_id_));
  return last_id_;
}

// --- The session

void SimClient::lose_connection() {
  if (!wire_) return;
  if (trace) trace(traits_.id + " has lost its connection");
  wire_->client_gone = true;
  if (phase_ == Phase::Connecting) {
    wire_->reset = true;  // a CONNECT that arrives late could undo what a later one does
    wire_->to_server.clear();
  }
  wire_->client_shut = true;
  wire_->to_client.clear();
  // The broker may have found the session gone and begun another one, without our learning of it.
  if (phase_ == Phase::Connecting && session_ && (connection_expiry_ == 0 || may_be_gone())) {
    end_session();
    must_start_clean_ = true;
  }
  if (session_) {
    ledger_.connection_lost(*session_);
    if (phase_ != Phase::Connecting) {
      lost_at_ = clock_.truth;
      if (goodbye_at_) lost_at_ = *goodbye_at_;
      if (wire_->server_left_at >= 0)
        lost_at_ = std::min(lost_at_, Milliseconds(wire_->server_left_at));
    }
  }
  wire_.reset();
  if (session_ && connection_expiry_ == 0 && phase_ != Phase::Connecting) end_session();
  phase_ = Phase::Offline;
  inbox_.clear();
  owed_.clear();
  unacknowledged_.clear();
  expected_pubacks_.clear();
  expected_pubrecs_.clear();
  expected_pubrels_.clear();
  requests_.clear();
  aliases_.clear();
  told_to_go_ = false;
  goodbye_at_.reset();
  will_ = nullptr;
}

void SimClient::end_session() {
  if (session_) {
    graves_.emplace_back(wire_, session_);
    ledger_.end_session(*session_);
  }
  forget_session();
}

bool SimClient::may_be_gone() const {
  if (traits_.auditor) return false;
  return clock_.truth - lost_at_ >= Seconds(traits_.expiry_seconds) || clock_.last_jump >= lost_at_;
}

void SimClient::bury(bool all) {
  std::erase_if(graves_, [&](const auto& grave) {
    if (!all && !(grave.first && grave.first->server_shut)) return false;
    ledger_.bury(*grave.second);
    return true;
  });
}

void SimClient::forget_session() {
  session_ = nullptr;
  outgoing_.clear();
  received_.clear();
  filters_.clear();
}

void SimClient::on_connack(const mqtt::Connack& packet) {
  if (phase_ == Phase::Leaving) return;
  if (phase_ != Phase::Connecting) return complain("sent a second CONNACK");
  // Time may have jumped over the broker's patience with a CONNECT that was on its way.
  if (packet.code == ReasonCode::ServerUnavailable) return;
  if (packet.code != ReasonCode::Success)
    return complain("refused the connection: " + std::string(reason_text(packet.code)));
  if (packet.session_present && clean_start_) return complain("has a session after a clean start");
  if (trace)
    trace(traits_.id + " receives CONNACK" + (packet.session_present ? ", session present" : ""));
  phase_ = Phase::Connected;
  must_start_clean_ = false;
  window_ = std::min(traits_.window, packet.receive_maximum.value_or(65535));
  if (!packet.session_present && session_) {
    if (!may_be_gone())
      complain("lost the session " + std::to_string((clock_.truth - lost_at_).count()) +
               " ms after its last connection");
    end_session();
  }
  if (!session_) {
    session_ = &ledger_.open_session(traits_.number);
    session_->unknown_past = packet.session_present;
  }
  session_->lasting = connection_expiry_ > 0;
  ledger_.welcomed(*session_);
  session_->wire = wire_;
  bury(true);
  resume();
}

// What the last connection left open is sent again, with its old identifiers [MQTT-4.4.0-1].
void SimClient::resume() {
  for (const Outgoing& outgoing : outgoing_) {
    if (outgoing.released) {
      send_ack(PacketType::Pubrel, outgoing.id);
    } else {
      ledger_.sent(*outgoing.message);
      send_publish(outgoing, true);
    }
  }
}

// --- Messages from the broker

void SimClient::on_publish(const mqtt::Publish& packet) {
  std::string topic(packet.topic);
  if (packet.topic_alias != 0) {
    if (packet.topic_alias > traits_.alias_maximum)
      return complain("used a topic alias above our maximum");
    if (topic.empty()) topic = aliases_[packet.topic_alias];
    aliases_[packet.topic_alias] = topic;
  }
  if (ShadowTopics::is_answer(topic)) return on_answer(packet, topic);
  const Sent* const message = ledger_.find(topic, packet.payload);
  if (trace && message)
    trace(traits_.id + " receives " + describe(ledger_, *message) + " with QoS " +
          std::to_string(static_cast<int>(packet.qos)) + " id " + std::to_string(packet.packet_id) +
          (packet.dup ? " DUP" : "") + (packet.retain ? " RETAIN" : ""));
  if (!message) return;
  const Received received{*message, packet.qos, packet.dup, packet.retain};
  if (packet.qos == QoS::AtMostOnce) return ledger_.received(*session_, received);

  const std::string name =
      "identifier " + std::to_string(packet.packet_id) + " for " + describe(ledger_, *message);
  if (!unacknowledged_.emplace(packet.packet_id, packet.qos).second)
    return complain("used " + name + " while it was in flight");
  if (v5() && unacknowledged_.size() > traits_.receive_maximum)
    return complain("exceeded our Receive Maximum with " + name);
  if (packet.qos == QoS::AtLeastOnce) {
    owed_.push_back({PacketType::Puback, packet.packet_id});
    return ledger_.received(*session_, received);
  }
  owed_.push_back({PacketType::Pubrec, packet.packet_id});
  const auto known = received_.find(packet.packet_id);
  if (known == received_.end()) {
    received_.emplace(packet.packet_id, message->number);
    return ledger_.received(*session_, received);
  }
  if (known->second != message->number)
    return complain("used " + name + " before PUBCOMP freed it from message " +
                    std::to_string(known->second));
  if (!packet.dup) complain("sent again without DUP: " + name);
}

// Nobody published it: the broker itself did, at QoS 1.
void SimClient::on_answer(const mqtt::Publish& packet, const std::string& topic) {
  const std::string payload(packet.payload);
  if (trace)
    trace(traits_.id + " receives " + topic + ' ' + payload + " id " +
          std::to_string(packet.packet_id) + (packet.dup ? " DUP" : ""));
  if (packet.qos == QoS::ExactlyOnce || packet.retain)
    return complain("sent an answer at QoS 2 or retained, on " + topic);
  if (packet.qos == QoS::AtLeastOnce) {
    if (!unacknowledged_.emplace(packet.packet_id, packet.qos).second)
      return complain("used identifier " + std::to_string(packet.packet_id) + " for " + topic +
                      " while it was in flight");
    if (v5() && unacknowledged_.size() > traits_.receive_maximum)
      return complain("exceeded our Receive Maximum with " + topic);
    owed_.push_back({PacketType::Puback, packet.packet_id});
  }
  ledger_.answered(*session_, topic, payload, packet.dup);
}

void SimClient::on_pubrel(const mqtt::Ack& packet) {
  if (trace) trace(traits_.id + " receives PUBREL " + std::to_string(packet.packet_id));
  // PUBRELs come in the order of our PUBRECs; those that resume an earlier connection come by
  // themselves.
  if (const auto place =
          std::find(expected_pubrels_.begin(), expected_pubrels_.end(), packet.packet_id);
      place != expected_pubrels_.end()) {
    if (place != expected_pubrels_.begin())
      complain("sent PUBREL " + std::to_string(packet.packet_id) + " before PUBREL " +
               std::to_string(expected_pubrels_.front()));
    expected_pubrels_.erase(place);
  } else if (packet.code == ReasonCode::Success) {
    unacknowledged_.emplace(packet.packet_id, QoS::ExactlyOnce);
    if (v5() && unacknowledged_.size() > traits_.receive_maximum)
      return complain("exceeded our Receive Maximum with PUBREL " +
                      std::to_string(packet.packet_id));
  }
  received_.erase(packet.packet_id);
  owed_.push_back({PacketType::Pubcomp, packet.packet_id});
}

// --- Answers from the broker

void SimClient::on_ack(const mqtt::Ack& packet) {
  if (packet.type == PacketType::Pubrel) return on_pubrel(packet);
  on_own_ack(packet);
}

void SimClient::on_own_ack(const mqtt::Ack& packet) {
  const std::string name =
      std::string(mqtt::packet_type_text(packet.type)) + ' ' + std::to_string(packet.packet_id);
  if (trace) trace(traits_.id + " receives " + name);
  if (packet.type != PacketType::Pubcomp) {
    auto& expected = packet.type == PacketType::Puback ? expected_pubacks_ : expected_pubrecs_;
    if (expected.empty() || expected.front() != packet.packet_id)
      return complain("sent " + name +
                      (expected.empty() ? " for nothing"
                                        : " before that of " + std::to_string(expected.front())));
    expected.pop_front();
  }
  for (std::size_t i = 0; i < outgoing_.size(); ++i) {
    Outgoing& outgoing = outgoing_[i];
    if (outgoing.id != packet.packet_id) continue;
    if (packet.type == PacketType::Puback) return settle(i, packet.code);
    if (packet.type == PacketType::Pubcomp) {
      if (!outgoing.released) return complain("sent " + name + " before PUBREL");
      outgoing_.erase(outgoing_.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
    if (is_failure(packet.code)) return settle(i, packet.code);
    if (!outgoing.released) ledger_.accepted(*outgoing.message, packet.code);
    outgoing.released = true;
    owed_.push_back({PacketType::Pubrel, packet.packet_id});
    return;
  }
  complain("sent " + name + " that nobody waits for");
}

void SimClient::settle(std::size_t index, ReasonCode code) {
  Sent& message = *outgoing_[index].message;
  outgoing_.erase(outgoing_.begin() + static_cast<std::ptrdiff_t>(index));
  if (!is_failure(code)) ledger_.accepted(message, code);
}

void SimClient::on_suback(const mqtt::Suback& packet) {
  const auto request = requests_.find(packet.packet_id);
  if (request == requests_.end() || !request->second.subscribe ||
      request->second.filters.size() != packet.codes.size())
    return complain("sent a SUBACK that nobody waits for");
  if (trace) trace(traits_.id + " receives SUBACK for " + request->second.filters.front());
  for (std::size_t i = 0; i < packet.codes.size(); ++i) {
    if (is_failure(packet.codes[i])) {
      complain("refused a subscription: " + std::string(reason_text(packet.codes[i])));
    } else {
      ledger_.granted(*session_, request->second.filters[i], static_cast<QoS>(packet.codes[i]));
    }
  }
  requests_.erase(request);
}

void SimClient::on_unsuback(PacketId id, std::size_t) {
  const auto request = requests_.find(id);
  if (request == requests_.end() || request->second.subscribe)
    return complain("sent an UNSUBACK that nobody waits for");
  if (trace) trace(traits_.id + " receives UNSUBACK for " + request->second.filters.front());
  ledger_.left(*session_, request->second.filters.front());
  requests_.erase(request);
}

// --- Looking in

std::vector<std::string> SimClient::filters() const {
  std::vector<std::string> all;
  for (const auto& [filter, qos] : filters_) all.push_back(filter);
  return all;
}

bool SimClient::asks(const std::string& filter) const {
  return std::any_of(requests_.begin(), requests_.end(), [&](const auto& request) {
    const auto& filters = request.second.filters;
    return std::find(filters.begin(), filters.end(), filter) != filters.end();
  });
}

std::string SimClient::unrest() const {
  const std::string who = traits_.id;
  if (phase_ == Phase::Connecting) return who + " waits for CONNACK";
  if (phase_ == Phase::Leaving) return who + " waits for the broker to close";
  if (!outgoing_.empty())
    return who + " waits for the answer to " + describe(ledger_, *outgoing_.front().message) +
           ", identifier " + std::to_string(outgoing_.front().id) +
           (outgoing_.front().released ? ", released" : "");
  if (!requests_.empty()) return who + " waits for SUBACK or UNSUBACK";
  if (connected() && !unacknowledged_.empty())
    return who + " waits for PUBREL " + std::to_string(unacknowledged_.begin()->first);
  return {};
}

void SimClient::complain(const std::string& what) {
  ledger_.complain("protocol", "the broker " + what + ", to " + traits_.id);
}

}  // namespace twinmq::sim
