#pragma once
// The host program as a subscriber: an MQTT 5 client inside the process, which speaks bytes through
// a link like every other.

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include <twinmq/broker.hpp>
#include <twinmq/result.hpp>

#include "app/callback_threads.hpp"
#include "app/local_link.hpp"
#include "mqtt/framing.hpp"
#include "mqtt/packets.hpp"

namespace twinmq::app {

using DeliveryCallback = std::function<void(const HostDelivery&, AckToken)>;

/// One subscription of the host. After the link broke without a DISCONNECT from the broker (the
/// shard was built anew), it connects again by itself.
class HostClient final : public FarEnd, public std::enable_shared_from_this<HostClient> {
 public:
  /// Called once, on the shard's thread, when the subscription is in force or has failed.
  using InForce = std::function<void(Result<void>)>;

  HostClient(HostSubscribe options, DeliveryCallback callback,
             std::shared_ptr<CallbackThreads> threads, std::function<void(const LogLine&)> log);

  /// Opens the link at the client's home.
  void start(std::shared_ptr<Inbox> home, InForce in_force);
  /// Disconnects. Returns when no callback runs, or at once inside one. Any thread.
  void stop();

  const std::string& client_id() const { return options_.client_id; }

  // --- FarEnd: on the shard's thread
  std::size_t take(std::string_view bytes) override;
  void ended() override;

 private:
  struct Delivery;
  enum class Exactly : std::uint8_t { Delivered, Answered };

  void connect();
  void send(const std::string& packet);
  void send_ack(mqtt::PacketType type, mqtt::PacketId id);
  void report(Result<void> result);
  void on_frame(const mqtt::Frame& frame);
  void on_packet(const mqtt::Connack& packet);
  void on_packet(const mqtt::Suback& packet);
  void on_packet(const mqtt::Publish& packet);
  void on_packet(const mqtt::Ack& packet);
  void on_packet(const mqtt::Disconnect& packet);
  template <typename Other>
  void on_packet(const Other&) {}
  void deliver(Delivery& delivery);
  void release(std::uint64_t connection, mqtt::PacketId id, QoS qos);
  std::shared_ptr<LocalLink> link() const;

  /// Payloads waiting for the callback beyond which no more is taken from the broker.
  static constexpr std::size_t kWaitingBytesMax = 4'194'304;

  const HostSubscribe options_;
  const DeliveryCallback callback_;
  const std::shared_ptr<CallbackThreads> threads_;
  const std::shared_ptr<CallbackThreads::Strand> strand_;
  const std::function<void(const LogLine&)> log_;
  std::shared_ptr<Inbox> home_;

  mutable std::mutex mutex_;
  std::shared_ptr<LocalLink> link_;
  bool stopped_ = false;

  // The rest belongs to the shard's thread, but for the atomics.
  InForce in_force_;
  std::string unread_;
  std::string scratch_;
  bool dismissed_ = false;  ///< the broker said DISCONNECT, or refused
  std::set<mqtt::PacketId>
      exactly_once_;  ///< QoS 2 messages handed to the callback and not yet complete
  std::atomic<std::uint64_t> connection_{0};
  std::atomic<std::size_t> waiting_bytes_{0};
  std::atomic<bool> starved_{false};  ///< bytes were refused: room() is due
};

/// What the host holds.
class ClientSubscription final : public HostSubscription {
 public:
  explicit ClientSubscription(std::shared_ptr<HostClient> client) : client_(std::move(client)) {}
  ~ClientSubscription() override { client_->stop(); }
  std::string_view client_id() const override { return client_->client_id(); }

 private:
  const std::shared_ptr<HostClient> client_;
};

}  // namespace twinmq::app
