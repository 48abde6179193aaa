#include "app/http_api.hpp"

#include <algorithm>
#include <utility>

#include "app/http_call.hpp"
#include "modules/shadow/shadow_topics.hpp"

namespace twinmq::app {
namespace {

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

// --- What is asked

void HttpCall::route(ShardThread& thread) {
  query_ = read_query(request_.query());
  std::string_view path = request_.path();
  if (serve_management(thread)) return;
  std::string decoded;
  const auto after = [&](std::string_view prefix) {
    if (!path.starts_with(prefix)) return false;
    decoded.clear();
    return decode_percent(path.substr(prefix.size()), decoded);
  };
  if (after("/things/") && decoded.ends_with("/shadow")) {
    const std::string_view thing = std::string_view(decoded).substr(0, decoded.size() - 7);
    if (!shadow::is_thing_name(thing)) return refuse(thread, 400, "Invalid thing name");
    if (request_.method != "GET" && request_.method != "POST" && request_.method != "DELETE")
      return refuse(thread, 405, kNoMethod);
    return serve_shadow(thread, thing);
  }
  if (after("/api/things/shadow/ListNamedShadowsForThing/")) {
    if (request_.method != "GET") return refuse(thread, 405, kNoMethod);
    if (!shadow::is_thing_name(decoded)) return refuse(thread, 400, "Invalid thing name");
    return serve_list(thread, decoded);
  }
  if (after("/topics/")) {
    if (request_.method != "POST") return refuse(thread, 405, kNoMethod);
    return serve_publish(thread, decoded);
  }
  if (path == "/retainedMessage" || path == "/retainedMessage/") {
    if (request_.method != "GET") return refuse(thread, 405, kNoMethod);
    return serve_retained_list(thread);
  }
  if (after("/retainedMessage/")) {
    if (request_.method != "GET") return refuse(thread, 405, kNoMethod);
    return serve_retained(thread, decoded);
  }
  if (path == "/api/v1/shadows") {
    if (request_.method != "GET") return refuse(thread, 405, kNoMethod);
    return serve_query(thread);
  }
  if (after("/api/v1/shadows/")) {
    const std::size_t slash = decoded.find('/');
    if (slash != std::string::npos)
      return serve_own(thread, std::string_view(decoded).substr(0, slash),
                       std::string_view(decoded).substr(slash + 1));
  }
  refuse(thread, 404, kNothing);
}

void serve_http(ShardThread& thread, const std::shared_ptr<const HttpDoors>& doors,
                net::HttpExchange exchange, net::HttpRequest request, const net::HttpPeer& peer) {
  std::make_shared<HttpCall>(thread, doors, exchange, std::move(request), peer)->begin(thread);
}

bool decode_percent(std::string_view text, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const bool whole = i + 2 < text.size();
    const int high = whole ? hex_digit(text[i + 1]) : -1;
    const int low = whole ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

std::vector<std::pair<std::string, std::string>> read_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::string key;
    std::string value;
    if (decode_percent(pair.substr(0, equals), key) &&
        decode_percent(pair.substr(std::min(equals + 1, pair.size())), value))
      pairs.emplace_back(std::move(key), std::move(value));
  }
  return pairs;
}

}  // namespace twinmq::app
