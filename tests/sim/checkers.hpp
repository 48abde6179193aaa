#pragma once
// The promises of a broker, each watched by a class of its own.

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "sim/ledger.hpp"

namespace twinmq::sim {

/// All of the checkers below.
void add_checkers(Ledger& ledger);

/// What was acknowledged with success at QoS 1 or 2 reaches every session whose subscription was in
/// force from before the first sending until the acknowledgement, unless the session ends first.
class LossChecker final : public Checker {
 public:
  using Checker::Checker;
  void on_accepted(const Sent& message, ReasonCode code) override;
  void on_received(const SimSession& session, const Received& received) override;
  void on_session_ended(const SimSession& session) override;
  void on_finish() override;

 private:
  struct State {
    std::vector<bool> seen;  ///< by message number
    std::set<std::uint32_t> owed;
  };
  std::unordered_map<std::uint32_t, State> states_;  ///< by session
};

/// A QoS 2 delivery happens once per session, whatever breaks; a QoS 1 message comes once per
/// sending, but for copies with DUP; QoS 0 never twice.
class CopiesChecker final : public Checker {
 public:
  using Checker::Checker;
  void on_received(const SimSession& session, const Received& received) override;

 private:
  struct Copies {
    std::uint32_t exactly_once = 0;
    std::uint32_t without_dup = 0;
  };
  std::map<std::pair<std::uint32_t, std::uint32_t>, Copies> copies_;  ///< by session and message
};

/// Messages of one publisher, topic and QoS come in the order in which they were first sent
/// [MQTT-4.6.0-5].
class OrderChecker final : public Checker {
 public:
  using Checker::Checker;
  void on_received(const SimSession& session, const Received& received) override;

 private:
  using Stream = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, QoS, QoS>;
  std::map<Stream, std::uint32_t> last_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> seen_;
};

/// Nothing comes that no subscription of the session asked for.
class InterestChecker final : public Checker {
 public:
  using Checker::Checker;
  void on_received(const SimSession& session, const Received& received) override;
};

/// A message for a share group reaches one member: never two at QoS 2; two at QoS 1 only after a
/// member died, the publisher sent it again or the broker restarted. Acknowledged ones reach
/// somebody as long as the group lives; at QoS 2 they may go with a member that died
/// [MQTT-4.8.2-4].
class GroupChecker final : public Checker {
 public:
  using Checker::Checker;
  void on_accepted(const Sent& message, ReasonCode code) override;
  void on_received(const SimSession& session, const Received& received) override;
  void on_welcomed(const SimSession& session) override;
  void on_session_ended(const SimSession& session) override;
  void on_session_buried(const SimSession& session) override;
  void on_leaving(const SimSession& session, const Interest& interest) override;
  void on_granted(const SimSession& session, const Interest& interest) override;
  void on_restart() override;
  void on_finish() override;

 private:
  struct Group {
    std::set<std::uint32_t> seen;
    std::map<std::uint32_t, std::uint32_t> copies;  ///< by message, without DUP
    std::set<std::uint32_t> exactly_once;           ///< messages that came at QoS 2
    std::set<std::uint32_t> owed;
    Event last_death = 0;
    Event last_burial = 0;
    bool forgets =
        false;  ///< a member's session did not outlive its connection: a crash takes what it had
    int dying = 0;  ///< members whose end the broker may not know yet
  };
  static std::set<std::string> groups_of(const SimSession& session);
  void on_member_gone(const SimSession& session, const std::string& share);
  std::map<std::string, Group> groups_;
};

/// A retained value never goes back: neither from a live delivery to an older replay nor the other
/// way, and a replay is at least as new as what was accepted before the subscription was asked for.
/// At the end all subscribers and the store agree.
class RetainedChecker final : public Checker {
 public:
  using Checker::Checker;
  void on_sent(const Sent& message) override;
  void on_accepted(const Sent& message, ReasonCode code) override;
  void on_asked(const SimSession& session, const Interest& interest) override;
  void on_received(const SimSession& session, const Received& received) override;
  void on_restart() override;
  void on_calm() override { calm_since_ = ledger_.now(); }
  void on_finish() override;

 private:
  struct Topic {
    std::map<std::uint32_t, std::uint32_t> accepted;  ///< publisher -> its last accepted message
  };
  using Stream =
      std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;  ///< session, topic, publisher
  /// What replays must at least be, per session and topic: what was accepted, by publisher, when
  /// each SUBSCRIBE that was not replayed yet was sent.
  std::map<std::pair<std::uint32_t, std::uint32_t>,
           std::deque<std::map<std::uint32_t, std::uint32_t>>>
      floors_;
  std::map<std::uint32_t, Topic> topics_;
  std::map<Stream, std::uint32_t> newest_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>
      last_;  ///< session, topic -> last delivered
  std::set<std::pair<std::uint32_t, std::uint32_t>> moved_in_calm_;
  Event calm_since_ = kNotYet;
};

}  // namespace twinmq::sim
