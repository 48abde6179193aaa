#include "app/host_client.hpp"

#include <utility>
#include <variant>

#include <twinmq/bytes.hpp>

#include "mqtt/decode.hpp"
#include "mqtt/encode.hpp"
#include "mqtt/properties.hpp"

namespace twinmq::app {
namespace {

constexpr mqtt::PacketId kSubscribeId = 1;
constexpr mqtt::DecodeLimits kNoLimits{~0u, ~0u, ~0u};

}  // namespace

// A message on its way from the shard's thread to the callback's.
struct HostClient::Delivery {
  std::string topic;
  std::string payload;
  MessageProperties properties;
  std::string publisher;
  std::vector<std::uint32_t> subscription_ids;
  std::uint64_t connection = 0;
  mqtt::PacketId packet_id = 0;
  QoS qos = QoS::AtMostOnce;
  bool retain = false;

  std::size_t size() const { return topic.size() + payload.size() + sizeof(Delivery); }
};

HostClient::HostClient(HostSubscribe options, DeliveryCallback callback,
                       std::shared_ptr<CallbackThreads> threads,
                       std::function<void(const LogLine&)> log)
    : options_(std::move(options)),
      callback_(std::move(callback)),
      threads_(std::move(threads)),
      strand_(threads_->strand(options_.filter)),
      log_(std::move(log)) {}

void HostClient::start(std::shared_ptr<Inbox> home, InForce in_force) {
  home_ = std::move(home);
  in_force_ = std::move(in_force);
  connect();
}

void HostClient::connect() {
  auto link = std::make_shared<LocalLink>(shared_from_this());
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) return;
    link_ = link;
  }
  unread_.clear();
  exactly_once_.clear();
  ++connection_;
  mqtt::Connect packet;
  packet.clean_start = options_.session_expiry_seconds == 0;
  packet.client_id = options_.client_id;
  packet.receive_maximum = options_.receive_maximum;
  if (options_.session_expiry_seconds > 0)
    packet.session_expiry_seconds = options_.session_expiry_seconds;
  std::string bytes;
  mqtt::append(bytes, packet);
  link->send(bytes);
  core::LinkOrigin origin;
  origin.listener = "host";
  origin.anonymous_allowed = true;
  origin.host = true;
  link->open(home_, std::move(origin));
}

void HostClient::stop() {
  std::shared_ptr<LocalLink> link;
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    link.swap(link_);
  }
  // Callbacks end first: what none of them has seen is not acknowledged.
  threads_->close(strand_);
  if (!link) return;
  std::string goodbye;
  mqtt::append(goodbye, mqtt::Disconnect{}, mqtt::Version::V5);
  link->send(goodbye);
}

std::shared_ptr<LocalLink> HostClient::link() const {
  const std::scoped_lock lock(mutex_);
  return link_;
}

void HostClient::send(const std::string& packet) {
  if (const auto near = link()) near->send(packet);
}

void HostClient::send_ack(mqtt::PacketType type, mqtt::PacketId id) {
  std::uint8_t packet[mqtt::kAckSizeMax];
  const std::uint8_t* end =
      mqtt::write_ack(type, id, ReasonCode::Success, mqtt::Version::V5, packet);
  send(std::string(text_of({packet, end})));
}

void HostClient::report(Result<void> result) {
  if (const InForce in_force = std::exchange(in_force_, nullptr)) in_force(std::move(result));
}

void HostClient::ended() {
  std::shared_ptr<LocalLink> gone;
  bool again = false;
  {
    const std::scoped_lock lock(mutex_);
    gone.swap(link_);
    // Whoever still waits for the subscription is told at once.
    again = !stopped_ && !dismissed_ && !in_force_;
  }
  if (again) {
    again = home_->post([self = shared_from_this()](ShardThread&) { self->connect(); });
  }
  if (!again)
    report(
        Error{ErrorCode::Unavailable, "the broker closed the connection of " + options_.client_id});
}

std::size_t HostClient::take(std::string_view bytes) {
  if (waiting_bytes_.load(std::memory_order_relaxed) > kWaitingBytesMax) {
    starved_ = true;
    // Once more, because the callback may have caught up before it could see that.
    if (waiting_bytes_.load() > kWaitingBytesMax / 2) return 0;
    starved_ = false;
  }
  unread_.append(bytes);
  std::size_t used = 0;
  while (used < unread_.size()) {
    const mqtt::Framing framing = mqtt::next_frame(bytes_of(std::string_view(unread_).substr(used)),
                                                   mqtt::kRemainingLengthMax);
    if (framing.status != mqtt::Framing::Status::Complete) break;
    on_frame(framing.frame);
    used += framing.size;
  }
  unread_.erase(0, used);
  return bytes.size();
}

void HostClient::on_frame(const mqtt::Frame& frame) {
  const auto packet = mqtt::decode(frame, mqtt::Version::V5, kNoLimits, scratch_);
  if (packet) std::visit([this](const auto& each) { on_packet(each); }, *packet);
}

void HostClient::on_packet(const mqtt::Connack& packet) {
  if (is_failure(packet.code)) {
    dismissed_ = true;
    return report(Error{ErrorCode::Unavailable, "the broker refused client " + options_.client_id +
                                                    ": " + std::string(reason_text(packet.code))});
  }
  mqtt::Subscribe subscribe;
  subscribe.packet_id = kSubscribeId;
  mqtt::SubscriptionOptions options;
  options.qos = options_.qos;
  options.no_local = options_.no_local;
  options.retain_as_published = options_.retain_as_published;
  options.retain_handling =
      options_.replay_retained ? mqtt::RetainHandling::Send : mqtt::RetainHandling::DoNotSend;
  subscribe.entries.push_back({options_.filter, options});
  std::string bytes;
  mqtt::append(bytes, subscribe, mqtt::Version::V5);
  send(bytes);
}

void HostClient::on_packet(const mqtt::Suback& packet) {
  if (!packet.codes.empty() && !is_failure(packet.codes.front())) return report({});
  dismissed_ = true;
  const ReasonCode code =
      packet.codes.empty() ? ReasonCode::UnspecifiedError : packet.codes.front();
  report(Error{ErrorCode::InvalidArgument, "the broker refused the filter \"" + options_.filter +
                                               "\": " + std::string(reason_text(code))});
}

void HostClient::on_packet(const mqtt::Publish& packet) {
  if (packet.qos == QoS::ExactlyOnce && !exactly_once_.insert(packet.packet_id).second) return;
  auto delivery = std::make_shared<Delivery>();
  delivery->topic = packet.topic;
  delivery->payload = packet.payload;
  delivery->properties = mqtt::decode_message_properties(packet.properties);
  // The link of a host names the publisher in the last user property.
  auto& user_properties = delivery->properties.user_properties;
  if (!user_properties.empty()) {
    delivery->publisher = std::move(user_properties.back().second);
    user_properties.pop_back();
  }
  delivery->subscription_ids = packet.subscription_ids;
  delivery->connection = connection_.load(std::memory_order_relaxed);
  delivery->packet_id = packet.packet_id;
  delivery->qos = packet.qos;
  delivery->retain = packet.retain;
  if (options_.no_local && delivery->publisher.empty() && !delivery->topic.starts_with('$')) {
    if (packet.qos != QoS::AtMostOnce) release(delivery->connection, packet.packet_id, packet.qos);
    return;
  }
  waiting_bytes_ += delivery->size();
  const bool posted =
      threads_->post(strand_, [self = shared_from_this(), delivery] { self->deliver(*delivery); });
  // Nobody is there to hear it: it stays unacknowledged.
  if (!posted) waiting_bytes_ -= delivery->size();
}

void HostClient::on_packet(const mqtt::Ack& packet) {
  if (packet.type != mqtt::PacketType::Pubrel) return;
  exactly_once_.erase(packet.packet_id);
  send_ack(mqtt::PacketType::Pubcomp, packet.packet_id);
}

void HostClient::on_packet(const mqtt::Disconnect& packet) {
  dismissed_ = true;
  if (packet.code == ReasonCode::ServerShuttingDown || !log_) return;
  const std::string detail = "filter=\"" + options_.filter + "\" client=\"" + options_.client_id +
                             "\" reason=\"" + std::string(reason_text(packet.code)) + "\"";
  log_({LogLevel::Warning, "host subscription ended", detail});
}

void HostClient::deliver(Delivery& delivery) {
  const HostDelivery seen{
      delivery.topic,  delivery.payload,   delivery.properties,      delivery.qos,
      delivery.retain, delivery.publisher, delivery.subscription_ids};
  AckToken token;
  if (delivery.qos != QoS::AtMostOnce) {
    token = AckToken([weak = weak_from_this(), connection = delivery.connection,
                      id = delivery.packet_id, qos = delivery.qos] {
      if (const auto self = weak.lock()) self->release(connection, id, qos);
    });
  }
  callback_(seen, std::move(token));
  const std::size_t left = waiting_bytes_.fetch_sub(delivery.size()) - delivery.size();
  if (left <= kWaitingBytesMax / 2 && starved_.exchange(false)) {
    if (const auto near = link()) near->room();
  }
}

void HostClient::release(std::uint64_t connection, mqtt::PacketId id, QoS qos) {
  // A delivery of an earlier connection comes again and is acknowledged then.
  if (connection != connection_.load()) return;
  send_ack(qos == QoS::AtLeastOnce ? mqtt::PacketType::Puback : mqtt::PacketType::Pubrec, id);
}

}  // namespace twinmq::app
