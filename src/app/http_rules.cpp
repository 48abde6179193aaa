// Management over HTTP, for administrators alone: AWS's paths of rules, and the table of
// administrators' operations below /api/v1.

#include <algorithm>
#include <span>
#include <utility>

#include <nlohmann/json.hpp>

#include <twinmq/rules.hpp>

#include "app/admin_operations.hpp"
#include "app/aws_rules.hpp"
#include "app/http_call.hpp"
#include "sql/statement.hpp"

namespace twinmq::app {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kAwsRules = "/rules";
constexpr std::string_view kRules = "/api/v1/rules";
constexpr std::string_view kSinks = "/api/v1/sinks";

bool below(std::string_view path, std::string_view folder) {
  return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument:
    case ErrorCode::InvalidConfig: return 400;
    case ErrorCode::PermissionDenied: return 403;
    case ErrorCode::NotFound: return 404;
    case ErrorCode::AlreadyExists: return 409;
    case ErrorCode::LimitReached: return 429;
    case ErrorCode::Unavailable: return 503;
    default: return 500;
  }
}

// What AWS's programs expect: a rule that is not there is one they may not see.
void refuse_as_aws(const HttpCall& call, const Error& error, const std::string& name) {
  switch (error.code) {
    case ErrorCode::NotFound:
      return call.refuse_later(401, "Access to topic rule '" + name + "' was denied",
                               "UnauthorizedException");
    case ErrorCode::AlreadyExists:
      return call.refuse_later(409, error.detail, "ResourceAlreadyExistsException");
    case ErrorCode::InvalidArgument: {
      const bool sql = error.detail.find("sql: line ") != std::string::npos;
      return call.refuse_later(400, error.detail,
                               sql ? "SqlParseException" : "InvalidRequestException");
    }
    case ErrorCode::LimitReached:
      return call.refuse_later(400, error.detail, "InvalidRequestException");
    case ErrorCode::Unavailable: return call.refuse_later(503, error.detail);
    case ErrorCode::PermissionDenied: return call.refuse_later(403, error.detail);
    default: return call.refuse_later(500, error.detail, "InternalException");
  }
}

bool concerns(const RuleStatus& status, const std::string& topic) {
  const auto statement = sql::Statement::compile(
      status.config.sql, {status.config.dialect == "aws" ? sql::Dialect::Aws : sql::Dialect::Twinmq,
                          sql::Version::V2016});
  if (!statement) return false;
  return statement->covers(topic) ||
         std::ranges::find(statement->filters(), topic) != statement->filters().end();
}

}  // namespace

// Whoever is not named in admin.principals learns nothing, not even what there is.
bool HttpCall::serve_management(ShardThread& thread) {
  const std::string_view path = request_.path();
  const bool aws = below(path, kAwsRules);
  if (!aws && !below(path, kRules) && !below(path, kSinks)) return false;
  if (identity_.principal.empty() || !doors_->administrator(identity_.principal)) {
    thread.counters().add(Metric::RefusedNotAuthorized);
    refuse(thread, 403, "Forbidden");
    return true;
  }
  std::string decoded;
  if (!decode_percent(path, decoded)) {
    refuse(thread, 404, kNothing);
    return true;
  }
  if (aws && decoded.size() <= kAwsRules.size() + 1) {
    serve_aws_rules(thread);
  } else if (aws) {
    serve_aws_rule(thread, std::string_view(decoded).substr(kAwsRules.size() + 1));
  } else {
    serve_own_management(thread, decoded);
  }
  return true;
}

void HttpCall::serve_aws_rules(ShardThread& thread) {
  if (request_.method != "GET") return refuse(thread, 405, kNoMethod);
  std::uint32_t size = 100;
  if (const auto asked = parameter("maxResults")) {
    const auto number = read_http_number(*asked);
    if (!number || *number < 1 || *number > 10'000)
      return refuse(thread, 400, "Invalid maxResults");
    size = *number;
  }
  const auto disabled = parameter("ruleDisabled");
  if (disabled && *disabled != "true" && *disabled != "false")
    return refuse(thread, 400, "Invalid ruleDisabled");
  manage([self = shared_from_this(), size, disabled](Broker& broker) {
    const std::string after = self->parameter("nextToken").value_or("");
    const auto topic = self->parameter("topic");
    Json answer = {{"rules", Json::array()}};
    std::string last;
    for (const RuleStatus& each : broker.rules().list()) {
      if (each.config.name <= after || (disabled && each.config.enabled == (*disabled == "true")))
        continue;
      if (topic && !concerns(each, *topic)) continue;
      if (answer["rules"].size() == size) {
        answer["nextToken"] = last;
        break;
      }
      last = each.config.name;
      answer["rules"].push_back(aws_list_entry(each));
    }
    self->answer_later(200, answer.dump());
  });
}

void HttpCall::serve_aws_rule(ShardThread& thread, std::string_view path) {
  const std::size_t slash = path.find('/');
  const std::string name(path.substr(0, slash));
  const std::string_view what =
      slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  if (!what.empty() && what != "enable" && what != "disable") return refuse(thread, 404, kNothing);
  const std::string& method = request_.method;
  if (what.empty() ? method != "GET" && method != "POST" && method != "PATCH" && method != "DELETE"
                   : method != "POST")
    return refuse(thread, 405, kNoMethod);
  manage([self = shared_from_this(), name, what = std::string(what), method](Broker& broker) {
    Rules& rules = broker.rules();
    Result<void> done = {};
    if (!what.empty()) {
      done = rules.enable(name, what == "enable");
    } else if (method == "GET") {
      const auto status = rules.get(name);
      if (!status) return refuse_as_aws(*self, status.error(), name);
      return self->answer_later(
          200, aws_of_rule(*status).dump(-1, ' ', false, Json::error_handler_t::replace));
    } else if (method == "DELETE") {
      done = rules.erase(name);
    } else {
      auto rule = rule_of_aws(self->request_.body, name);
      if (!rule) return refuse_as_aws(*self, rule.error(), name);
      done = method == "POST" ? rules.create(std::move(*rule)) : rules.replace(std::move(*rule));
    }
    if (!done) return refuse_as_aws(*self, done.error(), name);
    self->answer_later(200, "{}");
  });
}

// GET, POST, PUT, DELETE /api/v1/rules[/NAME], POST …/enable, …/disable, GET …/stats, …/explain;
// GET /api/v1/sinks, POST /api/v1/sinks/NAME/replay.
void HttpCall::serve_own_management(ShardThread& thread, std::string_view path) {
  const bool sinks = below(path, kSinks);
  std::string_view rest = path.substr(std::min(path.size(), (sinks ? kSinks : kRules).size() + 1));
  const std::string& method = request_.method;
  if (rest.empty()) {
    if (method != "GET") return refuse(thread, 405, kNoMethod);
    return serve_operation(sinks ? "sinks" : "rules", {});
  }
  const std::size_t slash = rest.rfind('/');
  const std::string_view last =
      slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  struct Way {
    std::string_view what;
    std::string_view method;
    std::string_view operation;
  };
  constexpr Way kOfRules[] = {{"", "GET", "rule"},
                              {"", "POST", "rule_create"},
                              {"", "PUT", "rule_replace"},
                              {"", "DELETE", "rule_delete"},
                              {"enable", "POST", "rule_enable"},
                              {"disable", "POST", "rule_disable"},
                              {"stats", "GET", "rule_stats"},
                              {"explain", "GET", "rule_explain"}};
  constexpr Way kOfSinks[] = {{"replay", "POST", "sink_replay"}};
  const std::span<const Way> ways =
      sinks ? std::span<const Way>(kOfSinks) : std::span<const Way>(kOfRules);
  bool known = false;
  for (const Way& way : ways) {
    if (way.what != last) continue;
    known = true;
    if (way.method == method)
      return serve_operation(std::string(way.operation),
                             std::string(last.empty() ? rest : rest.substr(0, slash)));
  }
  refuse(thread, known ? 405 : 404, known ? kNoMethod : kNothing);
}

void HttpCall::serve_operation(std::string operation, std::string name) {
  manage([self = shared_from_this(), operation = std::move(operation),
          name = std::move(name)](Broker& broker) {
    Json arguments = {{"name", name}, {"file", "body"}, {"definition", self->request_.body}};
    const auto done = run_admin_operation(
        broker, operation, arguments.dump(-1, ' ', false, Json::error_handler_t::replace));
    if (!done) return self->refuse_later(status_of(done.error().code), done.error().detail);
    self->answer_later(operation == "rule_create" ? 201 : 200, *done);
  });
}

}  // namespace twinmq::app
