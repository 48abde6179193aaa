#pragma once
// $aws/events/presence/… and $aws/events/subscriptions/…: who connects, disconnects, subscribes,
// unsubscribes, with AWS's fields.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include <twinmq/service.hpp>

namespace twinmq::shadow {

/// The payload of an event at that moment of wall-clock time. `process` makes session identifiers
/// unlike those of other runs.
std::string lifecycle_payload(const ClientEvent& event, WallTime at, std::uint64_t process,
                              std::uint64_t version);

/// "$aws/events/presence/connected/{clientId}"; empty for a client identifier that no topic can end
/// with.
std::string lifecycle_topic(const ClientEvent& event);

class LifecycleEvents final : public Service {
 public:
  std::string_view name() const override { return "events"; }
  void attach(ServiceHost& host) override;
  void on_message(const ServiceMessage&, Reaction&) override {}
  bool wants_client_events() const override { return true; }
  bool wants_client_event(const ClientEvent& event) const override;
  void on_client_event(const ClientEvent& event, Reaction& reaction) override;

 private:
  /// Connections of one client identifier, counted while it is not away for too long.
  struct Presence {
    std::uint64_t version = 0;
    std::uint64_t connection = 0;  ///< the latest
    Instant left = kNever;         ///< kNever: it is here
  };
  std::uint64_t version_of(const ClientEvent& event);
  void forget_absent();

  ServiceHost* host_ = nullptr;
  std::uint64_t process_ = 0;
  std::unordered_map<std::string, Presence> presence_;
  std::size_t absent_ = 0;
};

}  // namespace twinmq::shadow
