#pragma once
// The truth of a simulated run: what was published, acknowledged, subscribed and delivered, as the
// clients saw it. Checkers read it and complain.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/message.hpp>
#include <twinmq/reason_code.hpp>

namespace twinmq::sim {

struct ShadowAsk;
struct Wire;

/// A moment in the order of the run; every entry of the ledger takes the next one.
using Event = std::uint64_t;
inline constexpr Event kNotYet = ~Event{0};

/// One application message. Its payload begins with "number;" and is `size` bytes long, or is that
/// of a request to a shadow.
struct Sent {
  std::uint32_t number = 0;  ///< ascending over the whole run
  std::uint32_t publisher = 0;
  std::uint32_t topic = 0;
  QoS qos = QoS::AtMostOnce;
  bool retain = false;
  bool will = false;
  std::size_t size = 0;
  std::shared_ptr<const ShadowAsk> ask;  ///< null: not to a shadow
  Event first_sent = kNotYet;
  std::uint32_t times_sent = 0;
  std::uint32_t connection = 0;  ///< over which it was sent first
  Event accepted = kNotYet;      ///< PUBACK or PUBREC with a success code was seen
};

/// One subscription as its client knows it. It was in force at least from `granted` to `leaving`,
/// and at most from `asked` to `left`.
struct Interest {
  std::string filter;
  std::string share;  ///< "name/filter"; empty: not shared
  QoS qos = QoS::AtMostOnce;
  bool replays = true;  ///< retained messages were asked for
  Event asked = kNotYet;
  Event granted = kNotYet;
  Event leaving = kNotYet;
  Event left = kNotYet;
};

/// A client's session from its first CONNACK to its end, as far as the client knows.
struct SimSession {
  std::uint32_t client = 0;
  std::uint32_t number = 0;  ///< index in Ledger::sessions
  bool alive = true;
  bool lasting = true;               ///< it outlives its connection
  bool unknown_past = false;         ///< the broker had it, the client did not know
  std::shared_ptr<const Wire> wire;  ///< its last connection
  std::vector<Interest> interests;

  /// Whether the broker has it, or must have kept it.
  bool counts() const;
};

/// A PUBLISH that reached the application (QoS 2 duplicates are already filtered by the client's
/// protocol).
struct Received {
  const Sent& message;
  QoS qos = QoS::AtMostOnce;
  bool dup = false;
  bool retain = false;
};

class Ledger;

/// Watches one promise of the broker. Complains by Ledger::complain().
class Checker {
 public:
  explicit Checker(Ledger& ledger) : ledger_(ledger) {}
  virtual ~Checker() = default;

  virtual void on_sent(const Sent&) {}
  virtual void on_accepted(const Sent&, ReasonCode) {}
  virtual void on_asked(const SimSession&, const Interest&) {}
  virtual void on_granted(const SimSession&, const Interest&) {}
  virtual void on_leaving(const SimSession&, const Interest&) {}
  virtual void on_received(const SimSession&, const Received&) {}
  /// A shadow's answer reached the application.
  virtual void on_answer(const SimSession&, std::string_view /*topic*/,
                         std::string_view /*payload*/, bool /*dup*/) {}
  virtual void on_welcomed(const SimSession&) {}
  virtual void on_connection_lost(const SimSession&) {}
  virtual void on_session_ended(const SimSession&) {}
  /// The broker knows of the end now at the latest.
  virtual void on_session_buried(const SimSession&) {}
  /// The broker lost its memory and started again from its store.
  virtual void on_restart() {}
  /// The last phase begins: no more troubles.
  virtual void on_calm() {}
  /// Everything has drained.
  virtual void on_finish() {}

 protected:
  Ledger& ledger_;
};

class Ledger {
 public:
  Event now() const { return now_; }

  std::vector<std::string> topics;
  std::deque<Sent> messages;
  std::deque<SimSession> sessions;
  std::vector<std::unique_ptr<Checker>> checkers;
  Event last_restart = 0;

  Sent& make(std::uint32_t publisher, std::uint32_t topic, QoS qos, bool retain, std::size_t size);
  Sent& make(std::uint32_t publisher, QoS qos, const ShadowAsk& ask);
  void sent(Sent& message);
  void accepted(Sent& message, ReasonCode code);

  SimSession& open_session(std::uint32_t client);
  /// A connection has the session, which is lasting or not from now on.
  void welcomed(SimSession& session);
  void end_session(SimSession& session);
  void bury(SimSession& session);
  void asked(SimSession& session, const std::string& filter, bool replays);
  void granted(SimSession& session, const std::string& filter, QoS qos);
  void refused(SimSession& session, const std::string& filter);
  void leaving(SimSession& session, const std::string& filter);
  void left(SimSession& session, const std::string& filter);
  void received(SimSession& session, const Received& received);
  void answered(SimSession& session, std::string_view topic, std::string_view payload, bool dup);
  void connection_lost(SimSession& session);
  void restarted();
  void calm();
  void finish();

  std::string_view topic_of(const Sent& message) const { return topics[message.topic]; }
  /// The message a payload belongs to; complains and answers null if it is not the one that was
  /// sent.
  const Sent* find(std::string_view topic, std::string_view payload);
  static std::string payload_of(const Sent& message);

  /// Only the first complaint counts: what follows may be its consequence.
  void complain(std::string_view checker, std::string what);
  const std::optional<std::string>& complaint() const { return complaint_; }

 private:
  Event tick() { return ++now_; }

  Event now_ = 0;
  std::optional<std::string> complaint_;
};

/// Whether the interest matches the message's topic.
bool wants(const Ledger& ledger, const Interest& interest, const Sent& message);

std::string describe(const Ledger& ledger, const Sent& message);

}  // namespace twinmq::sim
