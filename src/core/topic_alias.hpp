#pragma once
// Topic aliases of one connection, section 3.3.2.3.4. They end with it [MQTT-3.3.2-7].

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twinmq::core {

/// What the client has named.
class IncomingAliases {
 public:
  void set(std::uint16_t alias, std::string_view topic);
  /// Empty: the client never set this alias.
  std::string_view topic(std::uint16_t alias) const;

 private:
  std::vector<std::string> topics_;
};

/// What we have named: the topics the client gets most often. Counts fade, so that a topic which
/// was busy once gives way to one that is busy now.
class OutgoingAliases {
 public:
  /// `maximum`: the client's Topic Alias Maximum, bounded by our own.
  explicit OutgoingAliases(std::uint16_t maximum) : maximum_(maximum) {}

  struct Choice {
    std::uint16_t alias = 0;  ///< 0: send the topic without an alias
    bool known = false;       ///< the client knows the alias already: the topic may be left out
  };
  /// Call once per PUBLISH that is really sent.
  Choice choose(std::string_view topic);
  /// The PUBLISH that would have named this alias was not sent with it.
  void forget(std::uint16_t alias);

 private:
  struct Named {
    std::string topic;
    std::uint32_t uses = 0;
  };
  void fade();

  std::uint16_t maximum_;
  std::vector<Named> named_;                    ///< alias - 1
  std::array<std::uint16_t, 64> candidates_{};  ///< uses of topics without alias, by hash
  std::uint32_t since_fade_ = 0;
};

}  // namespace twinmq::core
