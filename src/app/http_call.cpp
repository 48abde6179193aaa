#include "app/http_call.hpp"

#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/ids.hpp"
#include "modules/access/base64.hpp"

namespace twinmq::app {
namespace {

using Json = nlohmann::json;

std::string_view error_type(int status) {
  switch (status) {
    case 400: return "InvalidRequestException";
    case 401: return "UnauthorizedException";
    case 403: return "ForbiddenException";
    case 404: return "ResourceNotFoundException";
    case 405: return "MethodNotAllowedException";
    case 409: return "ConflictException";
    case 413: return "RequestEntityTooLargeException";
    case 415: return "UnsupportedDocumentEncodingException";
    case 429: return "ThrottlingException";
    case 503: return "ServiceUnavailableException";
    case 504: return "GatewayTimeoutException";
    default: return "InternalFailureException";
  }
}

}  // namespace

std::optional<std::uint32_t> read_http_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

net::HttpResponse http_response(int status, std::string body, std::string_view type) {
  net::HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.keep_alive = true;
  response.headers.push_back({"Content-Type", "application/json"});
  response.headers.push_back({"Cache-Control", "no-store"});
  if (status >= 400)
    response.headers.push_back(
        {"x-amzn-ErrorType", std::string(type.empty() ? error_type(status) : type)});
  if (status == 401 && type.empty())
    response.headers.push_back({"WWW-Authenticate", "Basic realm=\"TwinMQ\", charset=\"UTF-8\""});
  return response;
}

std::string http_error_body(std::string_view message) {
  return Json{{"message", message}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void HttpCall::answer(ShardThread& thread, int status, std::string body) const {
  thread.answer(exchange_, http_response(status, std::move(body)));
}

void HttpCall::refuse(ShardThread& thread, int status, std::string_view message) const {
  answer(thread, status, http_error_body(message));
}

void HttpCall::answer_later(int status, std::string body) const {
  inbox_->post([exchange = exchange_, response = http_response(status, std::move(body))](
                   ShardThread& thread) { thread.answer(exchange, response); });
}

void HttpCall::refuse_later(int status, std::string_view message, std::string_view type) const {
  inbox_->post(
      [exchange = exchange_, response = http_response(status, http_error_body(message), type)](
          ShardThread& thread) { thread.answer(exchange, response); });
}

void HttpCall::manage(std::function<void(Broker&)> work) const {
  if (!doors_->manage(std::move(work))) refuse_later(503, "The broker stops");
}

std::optional<std::string> HttpCall::parameter(std::string_view name) const {
  for (const auto& [key, value] : query_)
    if (key == name) return value;
  return std::nullopt;
}

bool HttpCall::may(Action action, std::string_view topic, QoS qos, bool retain) const {
  Authorizer* const authorizer = doors_->authorizer(shard_);
  return authorizer == nullptr || authorizer->may(identity_, action, topic, qos, retain);
}

void HttpCall::on_shard(std::string_view key, std::function<void(ShardThread&)> work) {
  const std::shared_ptr<Inbox> home = doors_->home(key);
  const bool posted = home && home->post(std::move(work));
  if (!posted) refuse_later(503, "The broker stops");
}

// --- Who asks

void HttpCall::begin(ShardThread& thread) {
  Credentials credentials;
  const std::string* const authorization = request_.header("Authorization");
  if (authorization != nullptr) {
    const std::size_t blank = authorization->find(' ');
    const std::string_view scheme = std::string_view(*authorization).substr(0, blank);
    const std::string_view rest = blank == std::string::npos
                                      ? std::string_view()
                                      : std::string_view(*authorization).substr(blank + 1);
    if (net::same_word(scheme, "Bearer")) {
      password_ = rest;
    } else if (net::same_word(scheme, "Basic")) {
      const std::optional<std::string> pair = access::decode_base64(rest);
      const std::size_t colon = pair ? pair->find(':') : std::string::npos;
      if (colon == std::string::npos) return refuse(thread, 401, "Unauthorized");
      username_ = pair->substr(0, colon);
      password_ = pair->substr(colon + 1);
      credentials.has_username = true;
    } else {
      return refuse(thread, 401, "Unauthorized");
    }
    credentials.has_password = true;
  }
  credentials.username = username_;
  credentials.password = password_;
  credentials.peer = peer_.address;
  credentials.listener = peer_.listener;
  credentials.anonymous_allowed = peer_.anonymous_allowed;
  if (peer_.facts) {
    credentials.certificate_subject = peer_.facts->certificate_subject;
    credentials.transport_principal = peer_.facts->principal;
    credentials.facts = peer_.facts.get();
  }
  Authenticator* const authenticator = doors_->authenticator(shard_);
  AuthenticationResult verdict;
  if (authenticator == nullptr) {
    verdict.code = ReasonCode::Success;
    if (peer_.facts) verdict.principal = peer_.facts->principal;
    return on_verdict(thread, std::move(verdict));
  }
  if (auto at_once = authenticator->decide(credentials))
    return on_verdict(thread, std::move(*at_once));
  authentication_ = authenticator->start({});
  if (!authentication_) return refuse(thread, 401, "Unauthorized");
  authentication_->begin(credentials, [self = shared_from_this()](AuthenticationResult result) {
    self->inbox_->post([self, result = std::move(result)](ShardThread& own) {
      self->authentication_.reset();
      self->on_verdict(own, result);
    });
  });
}

void HttpCall::on_verdict(ShardThread& thread, AuthenticationResult verdict) {
  if (verdict.code != ReasonCode::Success) {
    thread.counters().add(Metric::AuthenticationFailures);
    return refuse(thread, 401, "Unauthorized");
  }
  // No client identifier: rights of %c are of MQTT connections alone.
  identity_.principal = std::move(verdict.principal);
  identity_.username = username_;
  identity_.peer = peer_.address;
  identity_.listener = peer_.listener;
  route(thread);
}

}  // namespace twinmq::app
