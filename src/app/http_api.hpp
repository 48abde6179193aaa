#pragma once
// What the broker serves over HTTP: AWS's data plane (shadows, publishing, retained messages) with
// its status codes, headers and bodies.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/access.hpp>
#include <twinmq/broker.hpp>

#include "app/shard_thread.hpp"
#include "net/http_server.hpp"

namespace twinmq::app {

/// What requests need of the broker. Called on the shard that has the request's connection.
struct HttpDoors {
  std::function<Authenticator*(core::ShardId)> authenticator;  ///< null: everybody may enter
  std::function<Authorizer*(core::ShardId)> authorizer;        ///< null: everything is allowed
  /// The shard where a key is at home.
  std::function<std::shared_ptr<Inbox>(std::string_view key)> home;
  std::function<void(HostPublish, std::function<void(const PublishOutcome&)>)> publish;
  /// Whether admin.principals names it.
  std::function<bool(std::string_view principal)> administrator;
  /// Runs the work on a thread that may wait for shards, one after the other. False: the broker
  /// stops.
  std::function<bool(std::function<void(Broker&)> work)> manage;
};

/// Answers the request, at once or later.
void serve_http(ShardThread& thread, const std::shared_ptr<const HttpDoors>& doors,
                net::HttpExchange exchange, net::HttpRequest request, const net::HttpPeer& peer);

/// "%41b" is "Ab"; false: a percent sign without two digits behind it.
bool decode_percent(std::string_view text, std::string& out);

/// "a=1&b=%20" in its order. What cannot be decoded is left out.
std::vector<std::pair<std::string, std::string>> read_query(std::string_view query);

}  // namespace twinmq::app
