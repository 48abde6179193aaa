#pragma once
// Transformations of plugins, one after the other in the order of the configuration.

#include <memory>
#include <string>
#include <vector>

#include <twinmq/delivery.hpp>

#include "plugins/plugin_set.hpp"

namespace twinmq::plugins {

class Transformations final : public PublishFilter {
 public:
  /// Null without any transformation among the plugins.
  static std::shared_ptr<PublishFilter> of(const PluginSet& plugins);

  Verdict on_publish(const PublishedMessage& message, std::string& payload) override;

 private:
  struct Asked {
    std::shared_ptr<Plugin> plugin;
    Offer<twinmq_transformation> offer;
  };
  std::vector<Asked> asked_;
};

}  // namespace twinmq::plugins
