// Shadows over HTTP.

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "app/http_call.hpp"
#include "modules/shadow/query_text.hpp"

namespace twinmq::app {

using Json = nlohmann::json;
using shadow::DirectAnswer;
using shadow::Operation;
using shadow::ShadowService;

void HttpCall::at_home(std::string_view key, std::function<void(ShadowService&)> work) {
  on_shard(key, [self = shared_from_this(), work = std::move(work)](ShardThread& thread) {
    auto* const service = static_cast<ShadowService*>(thread.core()->service("shadow"));
    if (service == nullptr) return self->refuse_later(404, "Device shadows are switched off");
    work(*service);
  });
}

void HttpCall::serve_shadow(ShardThread& thread, std::string_view thing) {
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
    service.ask(
        operation, {thing, name}, payload,
        [self](const DirectAnswer& answer) {
          if (answer.code != 200) return self->refuse_later(answer.code, answer.message);
          self->answer_later(200, answer.body);
        },
        self->author());
  });
}

void HttpCall::serve_list(ShardThread& thread, std::string_view thing) {
  std::string topic;
  shadow::write_prefix({thing, {}}, topic);
  topic += "/get";
  if (!may(Action::Publish, topic)) return refuse(thread, 403, "Forbidden");
  constexpr std::uint32_t kPageMax = 100;
  std::uint32_t size = 25;
  if (const auto asked = parameter("pageSize")) {
    const auto number = read_http_number(*asked);
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

bool HttpCall::read_version(std::string_view name, std::optional<std::int64_t>& version) const {
  const auto asked = parameter(name);
  if (!asked) return true;
  const auto number = read_http_number(*asked);
  if (number) version = *number;
  return number.has_value();
}

// What goes beyond AWS: POST …/update, POST …/patch, GET …/history.
void HttpCall::serve_own(ShardThread& thread, std::string_view thing, std::string_view what) {
  const std::string name = parameter("name").value_or("");
  if (!shadow::is_thing_name(thing)) return refuse(thread, 400, "Invalid thing name");
  if (parameter("name") && !shadow::is_shadow_name(name))
    return refuse(thread, 400, "Invalid shadow name");
  if (what != "history" && what != "update" && what != "patch")
    return refuse(thread, 404, kNothing);
  if (request_.method != (what == "history" ? "GET" : "POST"))
    return refuse(thread, 405, kNoMethod);
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

void HttpCall::serve_query(ShardThread& thread) {
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
    const auto number = read_http_number(*asked);
    if (!number || *number < 1) return refuse(thread, 400, "Invalid limit");
    query.limit = *number;
  }
  at_home(query.condition, [self = shared_from_this(), query](ShadowService& service) {
    service.query(query, [self](const Result<ShadowPage>& page) {
      if (!page)
        return self->refuse_later(shadow::query_code(page.error().code), page.error().detail);
      self->answer_later(200, shadow::query_answer(*page, std::nullopt));
    });
  });
}

}  // namespace twinmq::app
