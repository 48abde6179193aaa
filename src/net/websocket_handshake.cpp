#include "net/websocket_handshake.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

namespace twinmq::net {
namespace {

constexpr std::string_view kAcceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::array<std::string_view, 2> kSubprotocols{"mqtt", "mqttv3.1"};

WebSocketAnswer refused(int status, std::string reason, std::vector<HttpHeader> headers = {}) {
  HttpResponse response = http_refusal({status, reason});
  for (HttpHeader& each : headers) response.headers.push_back(std::move(each));
  return {false, write_http(response), std::move(reason)};
}

/// Sixteen bytes in base64.
bool is_key(std::string_view key) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return key.size() == 24 && key.ends_with("==") &&
         key.substr(0, 22).find_first_not_of(kAlphabet) == std::string_view::npos;
}

/// The client's own order of preference counts.
std::string_view choose_subprotocol(const HttpRequest& request) {
  for (const HttpHeader& each : request.headers) {
    if (!same_word(each.name, "Sec-WebSocket-Protocol")) continue;
    for (std::string_view rest = each.value; !rest.empty();) {
      const std::string_view offered = next_list_element(rest);
      const auto known = std::find(kSubprotocols.begin(), kSubprotocols.end(), offered);
      if (known != kSubprotocols.end()) return *known;
    }
  }
  return {};
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + std::string(kAcceptSuffix);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
    return {};
  std::array<unsigned char, 64> encoded;
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

WebSocketAnswer answer_upgrade(const HttpRequest& request, const WebSocketOptions& options) {
  if (!options.path.empty() && request.path() != options.path)
    return refused(404, "nothing is served under this path");
  if (request.method != "GET")
    return refused(405, "a WebSocket is opened with GET", {{"Allow", "GET"}});
  if (request.minor < 1) return refused(505, "a WebSocket needs HTTP/1.1");
  if (!request.has_token("Upgrade", "websocket") || !request.has_token("Connection", "upgrade")) {
    return refused(426, "MQTT is spoken here over WebSocket: the request does not ask for it",
                   {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}});
  }
  const std::string* version = request.header("Sec-WebSocket-Version");
  if (version == nullptr || *version != "13" || request.count("Sec-WebSocket-Version") != 1) {
    return refused(426, "version 13 of WebSocket is spoken here",
                   {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}});
  }
  const std::string* key = request.header("Sec-WebSocket-Key");
  if (key == nullptr || request.count("Sec-WebSocket-Key") != 1 || !is_key(*key))
    return refused(400, "one Sec-WebSocket-Key of sixteen bytes in base64 is needed");
  if (!request.body.empty()) return refused(400, "a WebSocket is opened without a body");
  if (!options.origins.empty()) {
    const std::string* origin = request.header("Origin");
    // Only browsers send it, and only they must be kept from lending a visitor's rights.
    if (request.count("Origin") > 1 ||
        (origin != nullptr && std::none_of(options.origins.begin(), options.origins.end(),
                                           [origin](const std::string& allowed) {
                                             return same_word(allowed, *origin);
                                           }))) {
      return refused(403, "this origin may not connect");
    }
  }
  const std::string_view subprotocol = choose_subprotocol(request);
  if (subprotocol.empty())
    return refused(400, "the subprotocol mqtt is needed in Sec-WebSocket-Protocol");

  HttpResponse response;
  response.status = 101;
  response.headers = {{"Upgrade", "websocket"},
                      {"Connection", "Upgrade"},
                      {"Sec-WebSocket-Accept", websocket_accept(*key)},
                      {"Sec-WebSocket-Protocol", std::string(subprotocol)}};
  return {true, write_http(response), {}};
}

std::string forwarded_for(const HttpRequest& request, const AddressList& trusted) {
  std::vector<std::string_view> chain;
  for (const HttpHeader& each : request.headers) {
    if (!same_word(each.name, "X-Forwarded-For")) continue;
    for (std::string_view rest = each.value; !rest.empty();)
      chain.push_back(next_list_element(rest));
  }
  // Each proxy adds whom it spoke with at the end; what stands before an untrusted one is hearsay.
  std::string_view client;
  for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
    const std::optional<IpAddress> address = parse_address(*at);
    if (!address) break;
    client = *at;
    if (!trusted.contains(*address)) break;
  }
  return std::string(client);
}

}  // namespace twinmq::net
