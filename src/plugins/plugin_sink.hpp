#pragma once
// An action of a plugin as a sink of a durable queue.

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>

#include "plugins/plugin.hpp"

namespace twinmq::plugins {

/// Deliveries run on the plugin's workers; one that takes longer than the timeout is answered Retry
/// and left to end by itself, and until it does every further one is answered Retry too.
class PluginSink final : public Sink {
 public:
  /// `options` is a JSON object.
  static Result<std::unique_ptr<Sink>> open(std::shared_ptr<Plugin> plugin, std::string name,
                                            const twinmq_action& door, const std::string& options,
                                            Milliseconds timeout);
  ~PluginSink() override;

  SinkVerdict deliver(std::span<const SinkEntry> batch) override;
  void cancel() override;

 private:
  struct Opened;
  class Awaited;
  PluginSink(std::shared_ptr<Opened> opened, Milliseconds timeout)
      : opened_(std::move(opened)), timeout_(timeout) {}

  const std::shared_ptr<Opened> opened_;
  const Milliseconds timeout_;
  std::mutex mutex_;
  std::shared_ptr<Awaited> awaited_;  ///< of the newest delivery
};

}  // namespace twinmq::plugins
