#include "app/http_api.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/ids.hpp"
#include "modules/access/base64.hpp"
#include "modules/shadow/query_text.hpp"
#include "modules/shadow/shadow_service.hpp"
#include "mqtt/properties.hpp"
#include "mqtt/topic.hpp"
#include "records/retained_record.hpp"

namespace twinmq::app {
namespace {

using Json = nlohmann::json;
using shadow::DirectAnswer;
using shadow::Operation;
using shadow::ShadowService;

std::string_view error_type(int status) {
  switch (status) {
    case 400:
      return "InvalidRequestException";
    case 401:
      return "UnauthorizedException";
    case 403:
      return "ForbiddenException";
    case 404:
      return "ResourceNotFoundException";
    case 405:
      return "MethodNotAllowedException";
    case 409:
      return "ConflictException";
    case 413:
      return "RequestEntityTooLargeException";
    case 415:
      return "UnsupportedDocumentEncodingException";
    case 429:
      return "ThrottlingException";
    case 503:
      return "ServiceUnavailableException";
    case 504:
      return "GatewayTimeoutException";
    default:
      return "InternalFailureException";
  }
}

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::optional<std::uint32_t> read_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// One request from its arrival to its answer. Lives as long as somebody will call it back.
class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(ShardThread& thread, std::shared_ptr<const HttpDoors> doors, net::HttpExchange exchange,
       net::HttpRequest request, const net::HttpPeer& peer)
      : shard_(thread.id()),
        inbox_(thread.inbox()),
        doors_(std::move(doors)),
        exchange_(exchange),
        request_(std::move(request)),
        peer_(peer) {}

  void begin(ShardThread& thread);

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
  std::optional<std::string> read_properties(MessageProperties& properties,
                                             std::optional<std::uint32_t>& expiry);

  bool may(Action action, std::string_view topic, QoS qos = QoS::AtLeastOnce,
           bool retain = false) const;
  std::optional<std::string> parameter(std::string_view name) const;
  shadow::Author author() const { return {{}, identity_.principal, peer_.address}; }
  /// Calls `work` on the shard where the key is at home.
  void on_shard(std::string_view key, std::function<void(ShardThread&)> work);
  /// Calls `work` with the shadow service at the key's home.
  void at_home(std::string_view key, std::function<void(ShadowService&)> work);

  /// Answers from the shard's own thread.
  void answer(ShardThread& thread, int status, std::string body) const;
  void refuse(ShardThread& thread, int status, std::string_view message) const;
  /// Answers from any thread.
  void answer_later(int status, std::string body) const;
  void refuse_later(int status, std::string_view message) const;

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

net::HttpResponse response_of(int status, std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.keep_alive = true;
  response.headers.push_back({"Content-Type", "application/json"});
  response.headers.push_back({"Cache-Control", "no-store"});
  if (status >= 400)
    response.headers.push_back({"x-amzn-ErrorType", std::string(error_type(status))});
  if (status == 401)
    response.headers.push_back({"WWW-Authenticate", "Basic realm=\"TwinMQ\", charset=\"UTF-8\""});
  return response;
}

std::string error_body(std::string_view message) {
  return Json{{"message", message}}.dump();
}

void Call::answer(ShardThread& thread, int status, std::string body) const {
  thread.answer(exchange_, response_of(status, std::move(body)));
}

void Call::refuse(ShardThread& thread, int status, std::string_view message) const {
  answer(thread, status, error_body(message));
}

void Call::answer_later(int status, std::string body) const {
  inbox_->post([exchange = exchange_, response = response_of(status, std::move(body))](
                   ShardThread& thread) { thread.answer(exchange, response); });
}

void Call::refuse_later(int status, std::string_view message) const {
  answer_later(status, error_body(message));
}

std::optional<std::string> Call::parameter(std::string_view name) const {
  for (const auto& [key, value] : query_)
    if (key == name) return value;
  return std::nullopt;
}

bool Call::may(Action action, std::string_view topic, QoS qos, bool retain) const {
  Authorizer* const authorizer = doors_->authorizer(shard_);
  return authorizer == nullptr || authorizer->may(identity_, action, topic, qos, retain);
}

void Call::at_home(std::string_view key, std::function<void(ShadowService&)> work) {
  on_shard(key, [self = shared_from_this(), work = std::move(work)](ShardThread& thread) {
    auto* const service = static_cast<ShadowService*>(thread.core()->service("shadow"));
    if (service == nullptr) return self->refuse_later(404, "Device shadows are switched off");
    work(*service);
  });
}

void Call::on_shard(std::string_view key, std::function<void(ShardThread&)> work) {
  const std::shared_ptr<Inbox> home = doors_->home(key);
  const bool posted = home && home->post(std::move(work));
  if (!posted) refuse_later(503, "The broker stops");
}

// --- Who asks

void Call::begin(ShardThread& thread) {
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

void Call::on_verdict(ShardThread& thread, AuthenticationResult verdict) {
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

// --- What is asked

void Call::route(ShardThread& thread) {
  query_ = read_query(request_.query());
  std::string_view path = request_.path();
  std::string decoded;
  const auto after = [&](std::string_view prefix) {
    if (!path.starts_with(prefix)) return false;
    decoded.clear();
    return decode_percent(path.substr(prefix.size()), decoded);
  };
  constexpr std::string_view kNoMethod = "Specified method is not allowed.";
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
  refuse(thread, 404, "There is nothing at this path");
}

void Call::serve_shadow(ShardThread& thread, std::string_view thing) {
  const std::string name = parameter("name").value_or("");
  if (parameter("name") && !shadow::is_shadow_name(name))
    return refuse(thread, 400, "Invalid shadow name");
  const Operation operation = request_.method == "GET"    ? Operation::Get
                              : request_.method == "POST" ? Operation::Update
                                                          : Operation::Delete;
  std::string topic;
  shadow::write_prefix({thing, name}, topic);
  topic += '/';
  topic += shadow::word(operation);
  // Whoever may ask by MQTT may ask here, and reads only what it could subscribe to.
  if (!may(Action::Publish, topic) ||
      (operation == Operation::Get && !may(Action::Receive, topic + "/accepted")))
    return refuse(thread, 403, "Forbidden");
  at_home(thing, [self = shared_from_this(), operation, thing = std::string(thing),
                  name](ShadowService& service) {
    const std::string_view payload =
        operation == Operation::Update ? self->request_.body : std::string_view();
    service.ask(operation, {thing, name}, payload, [self](const DirectAnswer& answer) {
      if (answer.code != 200) return self->refuse_later(answer.code, answer.message);
      self->answer_later(200, answer.body);
    }, self->author());
  });
}

void Call::serve_list(ShardThread& thread, std::string_view thing) {
  std::string topic;
  shadow::write_prefix({thing, {}}, topic);
  topic += "/get";
  if (!may(Action::Publish, topic)) return refuse(thread, 403, "Forbidden");
  constexpr std::uint32_t kPageMax = 100;
  std::uint32_t size = 25;
  if (const auto asked = parameter("pageSize")) {
    const auto number = read_number(*asked);
    if (!number || *number < 1 || *number > kPageMax)
      return refuse(thread, 400, "Invalid pageSize");
    size = *number;
  }
  const std::string next = parameter("nextToken").value_or("");
  if (!next.empty() && !shadow::is_shadow_name(next))
    return refuse(thread, 400, "Invalid nextToken");
  const auto wall =
      std::chrono::duration_cast<Seconds>(thread.now().wall.time_since_epoch()).count();
  at_home(thing, [self = shared_from_this(), thing = std::string(thing), next, size,
                  wall](ShadowService& service) {
    service.list(thing, next, size,
                 [self, wall](Result<std::vector<std::string>> names, bool more) {
                   if (!names) return self->refuse_later(500, "Internal service failure");
                   Json body = {{"results", *names}, {"timestamp", wall}};
                   if (more) body["nextToken"] = names->back();
                   self->answer_later(200, body.dump());
                 });
  });
}

bool Call::read_version(std::string_view name, std::optional<std::int64_t>& version) const {
  const auto asked = parameter(name);
  if (!asked) return true;
  const auto number = read_number(*asked);
  if (number) version = *number;
  return number.has_value();
}

// What goes beyond AWS: POST …/update, POST …/patch, GET …/history.
void Call::serve_own(ShardThread& thread, std::string_view thing, std::string_view what) {
  const std::string name = parameter("name").value_or("");
  if (!shadow::is_thing_name(thing)) return refuse(thread, 400, "Invalid thing name");
  if (parameter("name") && !shadow::is_shadow_name(name))
    return refuse(thread, 400, "Invalid shadow name");
  if (what != "history" && what != "update" && what != "patch")
    return refuse(thread, 404, "There is nothing at this path");
  if (request_.method != (what == "history" ? "GET" : "POST"))
    return refuse(thread, 405, "Specified method is not allowed.");
  std::string topic;
  shadow::write_prefix({thing, name}, topic, true);
  topic += '/';
  topic += what;
  if (!may(Action::Publish, topic) ||
      (what == "history" && !may(Action::Receive, topic + "/accepted")))
    return refuse(thread, 403, "Forbidden");
  shadow::HistoryRequest history;
  std::optional<std::int64_t> limit;
  if (!read_version("limit", limit) || !read_version("before", history.before) ||
      !read_version("from", history.from) || !read_version("to", history.to))
    return refuse(thread, 400, "Invalid version");
  if (limit) history.limit = static_cast<std::size_t>(*limit);
  at_home(thing, [self = shared_from_this(), thing = std::string(thing), name, history,
                  what = std::string(what)](ShadowService& service) {
    const auto done = [self](const DirectAnswer& answer) {
      if (answer.code != 200) return self->refuse_later(answer.code, answer.message);
      self->answer_later(200, answer.body);
    };
    if (what == "history") return service.history({thing, name}, history, done);
    service.ask(what == "patch" ? Operation::Patch : Operation::Update, {thing, name},
                self->request_.body, done, self->author(), true);
  });
}

void Call::serve_query(ShardThread& thread) {
  if (!may(Action::Publish, "$twinmq/shadows/query") ||
      !may(Action::Receive, "$twinmq/shadows/query/accepted"))
    return refuse(thread, 403, "Forbidden");
  // Forms write blanks as plus signs.
  std::string form(request_.query());
  std::ranges::replace(form, '+', ' ');
  query_ = read_query(form);
  ShadowQuery query;
  query.condition = parameter("query").value_or("");
  if (query.condition.empty()) return refuse(thread, 400, "Invalid query");
  query.after = parameter("nextToken").value_or("");
  if (const auto asked = parameter("limit")) {
    const auto number = read_number(*asked);
    if (!number || *number < 1) return refuse(thread, 400, "Invalid limit");
    query.limit = *number;
  }
  at_home(query.condition, [self = shared_from_this(), query](ShadowService& service) {
    service.query(query, [self](const Result<ShadowPage>& page) {
      if (!page) return self->refuse_later(shadow::query_code(page.error().code), page.error().detail);
      self->answer_later(200, shadow::query_answer(*page, std::nullopt));
    });
  });
}

// Why the message is not sound; nothing: it is.
std::optional<std::string> Call::read_properties(MessageProperties& properties,
                                                 std::optional<std::uint32_t>& expiry) {
  properties.content_type = parameter("contentType").value_or("");
  properties.response_topic = parameter("responseTopic").value_or("");
  if (const auto text = parameter("messageExpiry")) {
    expiry = read_number(*text);
    if (!expiry) return "Invalid messageExpiry";
  }
  if (const std::string* data = request_.header("x-amz-mqtt5-correlation-data")) {
    const auto decoded = access::decode_base64(*data);
    if (!decoded) return "Invalid correlation data";
    properties.correlation_data = *decoded;
  }
  if (const std::string* format = request_.header("x-amz-mqtt5-payload-format-indicator")) {
    if (*format != "UTF8_DATA" && *format != "UNSPECIFIED_BYTES")
      return "Invalid payload format indicator";
    properties.payload_is_text = *format == "UTF8_DATA";
  }
  if (const std::string* encoded = request_.header("x-amz-mqtt5-user-properties")) {
    const auto decoded = access::decode_base64(*encoded);
    const Json list = decoded ? Json::parse(*decoded, nullptr, false) : Json();
    if (!list.is_array()) return "Invalid user properties";
    for (const Json& each : list) {
      if (!each.is_object() || each.size() != 1 || !each.begin().value().is_string())
        return "Invalid user properties";
      properties.user_properties.emplace_back(each.begin().key(),
                                              each.begin().value().get<std::string>());
    }
  }
  return std::nullopt;
}

void Call::serve_publish(ShardThread& thread, std::string topic) {
  HostPublish message;
  const std::string qos = parameter("qos").value_or("0");
  if (qos != "0" && qos != "1") return refuse(thread, 400, "Invalid qos");
  const std::string retain = parameter("retain").value_or("false");
  if (retain != "true" && retain != "false") return refuse(thread, 400, "Invalid retain");
  message.qos = qos == "1" ? QoS::AtLeastOnce : QoS::AtMostOnce;
  message.retain = retain == "true";
  if (const auto fault = read_properties(message.properties, message.expiry_seconds))
    return refuse(thread, 400, *fault);
  if (thread.core()->reserved(topic, message.retain) ||
      !may(Action::Publish, topic, message.qos, message.retain)) {
    thread.counters().add(Metric::RefusedNotAuthorized);
    return refuse(thread, 403, "Forbidden");
  }
  message.topic = std::move(topic);
  message.payload = request_.body;
  message.as = identity_;
  doors_->publish(std::move(message), [self = shared_from_this()](const PublishOutcome& outcome) {
    switch (outcome.code) {
      case ReasonCode::Success:
      case ReasonCode::NoMatchingSubscribers:
        return self->answer_later(200, R"({"message":"OK"})");
      case ReasonCode::NotAuthorized:
        return self->refuse_later(403, "Forbidden");
      case ReasonCode::TopicNameInvalid:
        return self->refuse_later(400, "Invalid topic");
      case ReasonCode::PacketTooLarge:
        return self->refuse_later(413, "The payload exceeds the maximum size allowed");
      case ReasonCode::QuotaExceeded:
        return self->refuse_later(429, "Too many requests");
      case ReasonCode::ServerUnavailable:
        return self->refuse_later(503, "The broker stops");
      default:
        return self->refuse_later(400, "The message is not sound");
    }
  });
}

void Call::serve_retained(ShardThread& thread, std::string topic) {
  if (!may(Action::Receive, topic)) return refuse(thread, 403, "Forbidden");
  const std::string key = std::string(1, records::kRetainedPrefix) + topic;
  const Now now = thread.now();
  on_shard(topic, [self = shared_from_this(), key, now](ShardThread& home) {
    home.core()->read({key, key + '\0', 1}, [self, key, now](Result<StoreEntries> found) {
      if (!found) return self->refuse_later(500, "Internal service failure");
      if (found->entries.empty())
        return self->refuse_later(404, "There is no retained message for this topic");
      const Result<MessageRef> kept =
          records::decode_retained(key, found->entries.front().second, now);
      if (!kept || (*kept)->expired(now.steady))
        return self->refuse_later(404, "There is no retained message for this topic");
      const Message& message = **kept;
      Json body = {{"topic", message.topic()},
                   {"payload", access::encode_base64(message.payload())},
                   {"qos", static_cast<int>(message.qos())},
                   {"lastModifiedTime", records::retained_set_at(found->entries.front().second)}};
      self->answer_later(200, body.dump());
    });
  });
}

void Call::serve_retained_list(ShardThread& thread) {
  std::uint32_t size = 200;
  if (const auto asked = parameter("maxResults")) {
    const auto number = read_number(*asked);
    if (!number || *number < 1 || *number > 200) return refuse(thread, 400, "Invalid maxResults");
    size = *number;
  }
  std::string from(1, records::kRetainedPrefix);
  if (const auto token = parameter("nextToken")) {
    const auto topic = access::decode_base64(*token);
    if (!topic) return refuse(thread, 400, "Invalid nextToken");
    from += *topic + '\0';
  }
  const Now now = thread.now();
  on_shard(from, [self = shared_from_this(), from, size, now](ShardThread& home) {
    const StoreRange range{from, std::string(1, records::kRetainedPrefix + 1), size};
    home.core()->read(range, [self, now](Result<StoreEntries> found) {
      if (!found) return self->refuse_later(500, "Internal service failure");
      Json topics = Json::array();
      for (const auto& [key, record] : found->entries) {
        const Result<MessageRef> kept = records::decode_retained(key, record, now);
        if (key.size() > 1 && key[1] == '$') continue;  // facts of the broker and its services
        if (!kept || (*kept)->expired(now.steady) || !self->may(Action::Receive, (*kept)->topic()))
          continue;
        topics.push_back({{"topic", (*kept)->topic()},
                          {"payloadSize", (*kept)->payload().size()},
                          {"qos", static_cast<int>((*kept)->qos())},
                          {"lastModifiedTime", records::retained_set_at(record)}});
      }
      Json body = {{"retainedTopics", std::move(topics)}};
      if (found->more)
        body["nextToken"] = access::encode_base64(found->entries.back().first.substr(1));
      self->answer_later(200, body.dump());
    });
  });
}

}  // namespace

void serve_http(ShardThread& thread, const std::shared_ptr<const HttpDoors>& doors,
                net::HttpExchange exchange, net::HttpRequest request, const net::HttpPeer& peer) {
  std::make_shared<Call>(thread, doors, exchange, std::move(request), peer)->begin(thread);
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
