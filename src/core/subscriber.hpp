#pragma once
// Whoever a message can be delivered to. A session is one, a share group is one; a rule, the shadow
// service and an embedder's callback are others. There is no other way to react to messages.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/mail.hpp"
#include "core/publication.hpp"

namespace twinmq::core {

/// One message for one receiver.
struct Delivery {
  Publication& publication;
  QoS qos = QoS::AtMostOnce;  ///< min(published, granted) [MQTT-3.8.4-8]
  bool retain = false;        ///< the RETAIN flag to send
  std::span<const std::uint32_t> subscription_ids;
  std::string_view share;  ///< "name/filter" if a share group chose this receiver
};

/// A delivery of a persistent session that must be written before its publisher is answered.
struct Kept {
  SessionKey session;
  std::uint64_t sequence = 0;
};

class ServiceSeat;

/// A service of this shard whose turn comes once the message is routed.
struct ServiceCall {
  ServiceSeat* service;
  std::size_t first_tag;  ///< in Route::tags
  std::size_t tags;
};

/// What the routing of one message on one shard found.
struct Route {
  std::uint32_t matched = 0;
  bool refused = false;
  bool enters_here = false;  ///< services see a message where it enters the broker, once
  std::vector<Kept> kept;
  std::vector<SessionKey>
      held_back;  ///< sessions that are full, and took it for the publisher to wait
  std::vector<std::pair<ShardId, DeliverToMember>>
      forwards;  ///< messages are filled in by the router
  std::vector<ServiceCall> calls;
  std::vector<std::uint32_t> tags;

  void clear() {
    matched = 0;
    refused = false;
    enters_here = false;
    kept.clear();
    held_back.clear();
    forwards.clear();
    calls.clear();
    tags.clear();
  }
};

class Subscriber {
 public:
  enum class Kind : std::uint8_t { Session, ShareGroup, Service };

  /// `place` orders the receivers of one message: what the shard does is a matter of what it was
  /// told, and never of where its memory lies.
  Subscriber(Kind kind, std::uint32_t place) : kind_(kind), place_(place) {}
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  Kind kind() const { return kind_; }
  std::uint32_t place() const { return place_; }

  /// Takes the message, or tells why not in the route.
  virtual void deliver(const Delivery& delivery, Route& route) = 0;

 protected:
  ~Subscriber() = default;

 private:
  Kind kind_;
  std::uint32_t place_;
};

}  // namespace twinmq::core
