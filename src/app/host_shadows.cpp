#include "app/host_shadows.hpp"

#include <utility>

#include "app/shard_thread.hpp"

namespace twinmq::app {
namespace {

shadow::ShadowService* service_of(ShardThread& thread) {
  return static_cast<shadow::ShadowService*>(thread.core()->service("shadow"));
}

ShadowReply switched_off() {
  return {404, "Device shadows are switched off", {}, 0};
}

}  // namespace

void HostShadows::get(const ShadowId& shadow, Done done) {
  ask(shadow::Operation::Get, shadow, {}, std::move(done));
}

void HostShadows::update(const ShadowId& shadow, std::string request, Done done) {
  ask(shadow::Operation::Update, shadow, std::move(request), std::move(done));
}

void HostShadows::erase(const ShadowId& shadow, Done done) {
  ask(shadow::Operation::Delete, shadow, {}, std::move(done));
}

void HostShadows::ask(shadow::Operation operation, const ShadowId& shadow, std::string request,
                      Done done) {
  const auto tell = [run = run_, done = std::move(done)](ShadowReply reply) {
    if (done) run([done, reply = std::move(reply)] { done(reply); });
  };
  const std::shared_ptr<Inbox> home = home_(shadow.thing);
  const bool posted = home && home->post([operation, shadow, request = std::move(request),
                                          tell](ShardThread& thread) {
    shadow::ShadowService* const service = service_of(thread);
    if (service == nullptr) return tell(switched_off());
    service->ask(operation, {shadow.thing, shadow.name}, request,
                 [tell](const shadow::DirectAnswer& answer) {
                   tell({answer.code, answer.message,
                         answer.code == 200 ? answer.body : std::string(), answer.version});
                 });
  });
  if (!posted) tell({503, "The broker is not running", {}, 0});
}

void HostShadows::list(std::string_view thing, std::string_view after, std::size_t count,
                       Names names) {
  const auto tell = [run = run_, names = std::move(names)](Result<std::vector<std::string>> found,
                                                           bool more) {
    run([names, found = std::move(found), more] { names(found, more); });
  };
  const std::shared_ptr<Inbox> home = home_(thing);
  const bool posted = home && home->post([thing = std::string(thing), after = std::string(after),
                                          count, tell](ShardThread& thread) {
    shadow::ShadowService* const service = service_of(thread);
    if (service == nullptr) return tell(Error{ErrorCode::NotFound, switched_off().message}, false);
    service->list(thing, after, count, tell);
  });
  if (!posted) tell(Error{ErrorCode::Unavailable, "the broker is not running"}, false);
}

void HostShadows::query(ShadowQuery query, Page page) {
  const auto tell = [run = run_, page = std::move(page)](const Result<ShadowPage>& found) {
    run([page, found] { page(found); });
  };
  const std::shared_ptr<Inbox> home = home_(query.condition);
  const bool posted = home && home->post([query = std::move(query), tell](ShardThread& thread) {
    shadow::ShadowService* const service = service_of(thread);
    if (service == nullptr) return tell(Error{ErrorCode::NotFound, switched_off().message});
    service->query(query, tell);
  });
  if (!posted) tell(Error{ErrorCode::Unavailable, "the broker is not running"});
}

Result<std::unique_ptr<HostSubscription>> HostShadows::watch(
    const ShadowId& shadow, std::function<void(const ShadowChange&)> changed) {
  HostSubscribe options;
  shadow::write_prefix({shadow.thing, shadow.name}, options.filter);
  options.filter += "/update/documents";
  return broker_.subscribe(
      std::move(options), [changed = std::move(changed)](const HostDelivery& delivery, AckToken) {
        const std::string_view topic = delivery.topic;
        const shadow::ShadowTopic read = shadow::read_topic(topic);
        changed({{std::string(read.shadow.thing), std::string(read.shadow.name)},
                 std::string(delivery.payload)});
      });
}

}  // namespace twinmq::app
