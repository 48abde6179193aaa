#pragma once
// One request over HTTP: who asks, what, and the answer.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/http_api.hpp"
#include "modules/shadow/shadow_service.hpp"

namespace twinmq::app {

inline constexpr std::string_view kNoMethod = "Specified method is not allowed.";
inline constexpr std::string_view kNothing = "There is nothing at this path";

/// `type`: AWS's name of the error; empty: the status's.
net::HttpResponse http_response(int status, std::string body, std::string_view type = {});
std::string http_error_body(std::string_view message);
/// Nothing: it is no number of 32 bits.
std::optional<std::uint32_t> read_http_number(std::string_view text);

/// From the arrival to the answer. Lives as long as somebody will call it back.
class HttpCall : public std::enable_shared_from_this<HttpCall> {
 public:
  HttpCall(ShardThread& thread, std::shared_ptr<const HttpDoors> doors, net::HttpExchange exchange,
           net::HttpRequest request, const net::HttpPeer& peer)
      : shard_(thread.id()),
        inbox_(thread.inbox()),
        doors_(std::move(doors)),
        exchange_(exchange),
        request_(std::move(request)),
        peer_(peer) {}

  void begin(ShardThread& thread);

  /// From any thread. `type`: AWS's name of the error; empty: the status's.
  void refuse_later(int status, std::string_view message, std::string_view type = {}) const;

 private:
  void on_verdict(ShardThread& thread, AuthenticationResult verdict);
  void route(ShardThread& thread);
  void serve_shadow(ShardThread& thread, std::string_view thing);
  void serve_list(ShardThread& thread, std::string_view thing);
  void serve_query(ShardThread& thread);
  void serve_own(ShardThread& thread, std::string_view thing, std::string_view what);
  bool read_version(std::string_view name, std::optional<std::int64_t>& version) const;
  void serve_publish(ShardThread& thread, std::string topic);
  void serve_retained(ShardThread& thread, std::string topic);
  void serve_retained_list(ShardThread& thread);
  bool serve_management(ShardThread& thread);
  void serve_operation(std::string operation, std::string name);
  void serve_own_management(ShardThread& thread, std::string_view path);
  void serve_aws_rules(ShardThread& thread);
  void serve_aws_rule(ShardThread& thread, std::string_view path);
  std::optional<std::string> read_properties(MessageProperties& properties,
                                             std::optional<std::uint32_t>& expiry);

  bool may(Action action, std::string_view topic, QoS qos = QoS::AtLeastOnce,
           bool retain = false) const;
  std::optional<std::string> parameter(std::string_view name) const;
  shadow::Author author() const { return {{}, identity_.principal, peer_.address}; }
  /// Calls `work` on the shard where the key is at home.
  void on_shard(std::string_view key, std::function<void(ShardThread&)> work);
  /// Calls `work` with the shadow service at the key's home.
  void at_home(std::string_view key, std::function<void(shadow::ShadowService&)> work);

  /// Answers from the shard's own thread.
  void answer(ShardThread& thread, int status, std::string body) const;
  void refuse(ShardThread& thread, int status, std::string_view message) const;
  /// Answers from any thread.
  void answer_later(int status, std::string body) const;
  /// Runs `work` on a thread that may wait for shards.
  void manage(std::function<void(Broker&)> work) const;

  const core::ShardId shard_;
  const std::shared_ptr<Inbox> inbox_;
  const std::shared_ptr<const HttpDoors> doors_;
  const net::HttpExchange exchange_;
  const net::HttpRequest request_;
  const net::HttpPeer peer_;
  std::unique_ptr<Authentication> authentication_;
  std::string username_;
  std::string password_;
  Identity identity_;
  std::vector<std::pair<std::string, std::string>> query_;
};

}  // namespace twinmq::app
