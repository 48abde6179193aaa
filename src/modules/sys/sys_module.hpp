#pragma once
// $SYS/broker/… with the names that Mosquitto's users know, and every metric under
// $SYS/broker/metrics/.

#include <array>
#include <deque>
#include <string>
#include <unordered_map>

#include <twinmq/system_topics.hpp>

namespace twinmq::sys {

class SysModule final : public SystemTopics {
 public:
  explicit SysModule(std::string version) : version_(std::move(version)) {}

  /// Publishes what changed since the last call.
  void publish(const Statistics& statistics, Now now, const Publish& publish) override;

 private:
  /// Moving averages per minute over 1, 5 and 15 minutes, as `uptime` computes its load.
  struct Load {
    std::uint64_t last = 0;
    std::array<double, 3> per_minute{};
  };

  void tell(const Publish& publish, std::string_view topic, std::string value);
  void tell_load(const Publish& publish, std::string_view name, std::uint64_t total,
                 double minutes);

  std::string version_;
  Instant last_{};
  bool started_ = false;
  std::uint64_t clients_maximum_ = 0;
  std::unordered_map<std::string, std::string> told_;
  std::unordered_map<std::string, Load> loads_;
};

}  // namespace twinmq::sys
