#pragma once
// An authenticator that follows a script. Plain: user "good" with password "right". Method "steps":
// the data of CONNECT is the number of questions, each to be answered by "answer".

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <twinmq/access.hpp>

namespace twinmq::testing {

class ScriptedAuthenticator final : public Authenticator {
 public:
  std::unique_ptr<Authentication> start(std::string_view method) override {
    if (!method.empty() && method != "steps" && method != "other") return nullptr;
    return std::make_unique<Script>(*this);
  }

  bool answers_later = false;
  std::vector<std::function<void()>> pending;

  void answer_all() {
    for (auto& answer : std::exchange(pending, {})) answer();
  }

 private:
  class Script final : public Authentication {
   public:
    explicit Script(ScriptedAuthenticator& door) : door_(door) {}

    void begin(const Credentials& credentials, Done done) override {
      if (credentials.authentication_method.empty()) {
        AuthenticationResult result;
        if (credentials.has_username) result.code = ReasonCode::BadUserNameOrPassword;
        if (credentials.username == "good" && credentials.password == "right") {
          result.code = ReasonCode::Success;
          result.principal = "good";
        }
        say(std::move(done), result);
        return;
      }
      questions_ = std::stoi("0" + std::string(credentials.authentication_data));
      go_on(std::move(done));
    }

    void proceed(std::string_view data, Done done) override {
      if (data != "answer") {
        say(std::move(done), {});
        return;
      }
      --questions_;
      go_on(std::move(done));
    }

   private:
    void go_on(Done done) {
      AuthenticationResult result;
      result.code = questions_ > 0 ? ReasonCode::ContinueAuthentication : ReasonCode::Success;
      result.principal = "stepper";
      result.authentication_data = questions_ > 0 ? "question" : "proof";
      say(std::move(done), result);
    }

    void say(Done done, AuthenticationResult result) {
      if (!door_.answers_later) {
        done(std::move(result));
        return;
      }
      door_.pending.push_back(
          [done = std::move(done), result = std::move(result)] { done(result); });
    }

    ScriptedAuthenticator& door_;
    int questions_ = 0;
  };
};

}  // namespace twinmq::testing
