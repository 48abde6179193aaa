#include "plugins/access_doors.hpp"

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

namespace twinmq::plugins {
namespace {

// Credentials that outlive the packet they came in.
struct Kept {
  explicit Kept(const Credentials& from)
      : client_id(from.client_id),
        username(from.username),
        password(from.password),
        peer(from.peer),
        listener(from.listener),
        certificate_subject(from.certificate_subject),
        transport_principal(from.transport_principal),
        credentials(from) {
    if (from.facts != nullptr) facts = *from.facts;
    credentials.client_id = client_id;
    credentials.username = username;
    credentials.password = password;
    credentials.authentication_method = {};
    credentials.authentication_data = {};
    credentials.peer = peer;
    credentials.listener = listener;
    credentials.certificate_subject = certificate_subject;
    credentials.transport_principal = transport_principal;
    if (from.facts != nullptr) credentials.facts = &facts;
  }
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

  const std::string client_id, username, password, peer, listener, certificate_subject,
      transport_principal;
  ConnectionFacts facts;
  Credentials credentials;
};

struct Verdict {
  std::uint32_t said = TWINMQ_DENY;
  bool failed = false;
  std::string text;
};

Verdict ask(const PluginAuthenticator::Asked& asked, const Credentials& from) {
  twinmq_credentials shown_credentials{};
  shown_credentials.size = sizeof shown_credentials;
  shown_credentials.has_username = from.has_username ? 1 : 0;
  shown_credentials.has_password = from.has_password ? 1 : 0;
  shown_credentials.anonymous_allowed = from.anonymous_allowed ? 1 : 0;
  shown_credentials.client_id = shown(from.client_id);
  shown_credentials.username = shown(from.username);
  shown_credentials.password = shown(from.password);
  shown_credentials.peer = shown(from.peer);
  shown_credentials.listener = shown(from.listener);
  shown_credentials.certificate_subject = shown(from.certificate_subject);
  json::Arena arena;
  Answer answer(arena);
  Verdict verdict;
  const auto& door = asked.offer.door;
  const bool done = asked.plugin->call_here(asked.offer.name, answer, [&] {
    verdict.said = door.authenticate(door.context, &shown_credentials, answer.raw());
  });
  verdict.failed = !done;
  verdict.text = answer.text();
  return verdict;
}

AuthenticationResult refusal(ReasonCode code, std::string reason = {}) {
  AuthenticationResult result;
  result.code = code;
  result.reason = std::move(reason);
  return result;
}

// What a conversation shares with the workers that answer it, which may come when it is gone.
struct Talk {
  Talk(const Credentials& from, std::shared_ptr<const PluginAuthenticator::AskedList> list,
       Authentication::Done answer)
      : kept(from), asked(std::move(list)), done(std::move(answer)) {}

  const Kept kept;
  const std::shared_ptr<const PluginAuthenticator::AskedList> asked;
  const Authentication::Done done;
  std::optional<AuthenticationResult> inner_says;
  std::mutex mutex;  // over what follows
  bool ended = false;
  std::unique_ptr<Authentication> inner;
};

void ask_from(const std::shared_ptr<Talk>& talk, std::size_t place);

void on_verdict(const std::shared_ptr<Talk>& talk, std::size_t place, const Verdict& verdict) {
  if (verdict.failed) return talk->done(refusal(ReasonCode::ServerUnavailable));
  if (verdict.said == TWINMQ_PASS) return ask_from(talk, place + 1);
  if (verdict.said != TWINMQ_ALLOW)
    return talk->done(refusal(ReasonCode::NotAuthorized, verdict.text));
  AuthenticationResult result = refusal(ReasonCode::Success);
  result.principal = verdict.text.empty() ? talk->kept.username : verdict.text;
  talk->done(std::move(result));
}

void ask_from(const std::shared_ptr<Talk>& talk, std::size_t place) {
  if (place < talk->asked->size()) {
    const auto& asked = (*talk->asked)[place];
    return asked.plugin->call_later(
        asked.plugin->deadline(),
        [talk, place]() -> WorkerPool::Result {
          return std::make_shared<Verdict>(ask((*talk->asked)[place], talk->kept.credentials));
        },
        [talk, place](WorkerPool::End, const WorkerPool::Result& result) {
          if (!result) return talk->done(refusal(ReasonCode::ServerUnavailable));
          on_verdict(talk, place, *std::static_pointer_cast<Verdict>(result));
        });
  }
  if (talk->inner_says) return talk->done(*talk->inner_says);
  const std::scoped_lock lock(talk->mutex);
  if (talk->ended) return;
  if (!talk->inner) return talk->done(refusal(ReasonCode::NotAuthorized));
  talk->inner->begin(talk->kept.credentials, talk->done);
}

class Conversation final : public Authentication {
 public:
  Conversation(std::shared_ptr<const PluginAuthenticator::AskedList> asked,
               std::shared_ptr<Authenticator> inner)
      : asked_(std::move(asked)), inner_(std::move(inner)) {}

  ~Conversation() override {
    if (!talk_) return;
    const std::scoped_lock lock(talk_->mutex);
    talk_->ended = true;
    talk_->inner.reset();
  }

  void begin(const Credentials& credentials, Done done) override {
    talk_ = std::make_shared<Talk>(credentials, asked_, std::move(done));
    talk_->inner_says = inner_->decide(credentials);
    if (!talk_->inner_says) talk_->inner = inner_->start({});
    ask_from(talk_, 0);
  }

  void proceed(std::string_view, Done done) override { done(refusal(ReasonCode::ProtocolError)); }

 private:
  const std::shared_ptr<const PluginAuthenticator::AskedList> asked_;
  const std::shared_ptr<Authenticator> inner_;
  std::shared_ptr<Talk> talk_;
};

}  // namespace

PluginAuthenticator::PluginAuthenticator(AskedList asked, std::shared_ptr<Authenticator> inner)
    : asked_(std::make_shared<const AskedList>(std::move(asked))), inner_(std::move(inner)) {}

std::shared_ptr<Authenticator> PluginAuthenticator::over(const PluginSet& plugins,
                                                         std::shared_ptr<Authenticator> inner) {
  AskedList asked;
  for (const auto& plugin : plugins.plugins())
    for (const auto& offer : plugin->offers().authenticators) asked.push_back({plugin, offer});
  if (asked.empty()) return nullptr;
  return std::shared_ptr<Authenticator>(
      new PluginAuthenticator(std::move(asked), std::move(inner)));
}

std::optional<AuthenticationResult> PluginAuthenticator::decide(const Credentials& credentials) {
  return credentials.authentication_method.empty() ? std::nullopt : inner_->decide(credentials);
}

std::unique_ptr<Authentication> PluginAuthenticator::start(std::string_view method) {
  if (!method.empty()) return inner_->start(method);
  return std::make_unique<Conversation>(asked_, inner_);
}

PluginAuthorizer::PluginAuthorizer(std::vector<Asked> asked, std::shared_ptr<Authorizer> inner)
    : asked_(std::move(asked)), inner_(std::move(inner)) {
  asks_receive_ = std::any_of(asked_.begin(), asked_.end(), [](const Asked& each) {
    return (each.offer.door.flags & TWINMQ_ASK_RECEIVE) != 0;
  });
}

std::shared_ptr<Authorizer> PluginAuthorizer::over(const PluginSet& plugins,
                                                   std::shared_ptr<Authorizer> inner) {
  std::vector<Asked> asked;
  for (const auto& plugin : plugins.plugins())
    for (const auto& offer : plugin->offers().authorizers) asked.push_back({plugin, offer});
  if (asked.empty()) return nullptr;
  return std::shared_ptr<Authorizer>(new PluginAuthorizer(std::move(asked), std::move(inner)));
}

bool PluginAuthorizer::may(const Identity& identity, Action action, std::string_view topic, QoS qos,
                           bool retain) {
  twinmq_question question{};
  question.size = sizeof question;
  question.access = static_cast<std::uint8_t>(action);
  question.qos = static_cast<std::uint8_t>(qos);
  question.retain = retain ? 1 : 0;
  question.topic = shown(topic);
  question.principal = shown(identity.principal);
  question.client_id = shown(identity.client_id);
  question.username = shown(identity.username);
  question.peer = shown(identity.peer);
  question.listener = shown(identity.listener);
  for (const auto& [plugin, offer] : asked_) {
    if (action == Action::Receive && (offer.door.flags & TWINMQ_ASK_RECEIVE) == 0) continue;
    json::Arena arena(4096);
    Answer answer(arena);
    std::uint32_t said = TWINMQ_DENY;
    const bool done = plugin->call_here(offer.name, answer, [&, &door = offer.door] {
      said = door.may(door.context, &question, answer.raw());
    });
    if (!done) return false;
    if (said != TWINMQ_PASS) return said == TWINMQ_ALLOW;
  }
  return inner_->may(identity, action, topic, qos, retain);
}

}  // namespace twinmq::plugins
