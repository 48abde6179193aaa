#pragma once
// $twinmq/events/dropped/<reason>: messages that somebody does not get, as events.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <twinmq/service.hpp>

namespace twinmq::rules {

/// What the broker tells about itself here; clients cannot publish it.
constexpr std::string_view kEventTopics = "$twinmq/events/";

/// "queue_full", …: the last level of the topic.
std::string_view name_of(DroppedMessage::Reason reason);

/// Of one shard. At most one event for each reason in a second: the first message since the last
/// event, and how many there were. A dropped event is told by none.
class DropEvents final : public Service {
 public:
  std::string_view name() const override { return "drops"; }
  void attach(ServiceHost& host) override { host_ = &host; }
  void on_message(const ServiceMessage&, Reaction&) override {}
  bool wants_drops() const override { return true; }
  void on_drop(const DroppedMessage& message) override;
  Instant next_deadline() const override;
  void on_time(Reaction& reaction) override;

 private:
  struct Untold {
    std::uint64_t count = 0;
    std::string client_id;
    std::string topic;
    Instant earliest{};  ///< of the next event
  };

  ServiceHost* host_ = nullptr;
  std::array<Untold, DroppedMessage::kReasons> untold_;
};

}  // namespace twinmq::rules
