#pragma once
// The door of $SYS: which facts of the broker are published, under which names.

#include <functional>
#include <string_view>

#include <twinmq/statistics.hpp>
#include <twinmq/time.hpp>

namespace twinmq {

class SystemTopics {
 public:
  /// Publishes a retained QoS 0 message.
  using Publish = std::function<void(std::string_view topic, std::string_view payload)>;

  virtual ~SystemTopics() = default;

  /// Called once at start and then every sys.interval_seconds, on the thread of shard 0.
  virtual void publish(const Statistics& statistics, Now now, const Publish& publish) = 0;
};

}  // namespace twinmq
