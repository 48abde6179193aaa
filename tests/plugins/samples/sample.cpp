// Everything a plugin can offer, and everything it can do wrong.

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <twinmq/plugin.hpp>

using namespace twinmq::plugin;

namespace {

class Range final : public Aggregate {
 public:
  void add(View value) override {
    const double number = value.number();
    low_ = empty_ ? number : std::min(low_, number);
    high_ = empty_ ? number : std::max(high_, number);
    empty_ = false;
  }
  Value finish() override { return empty_ ? Value() : Value(high_ - low_); }

 private:
  bool empty_ = true;
  double low_ = 0;
  double high_ = 0;
};

class Lines final : public Sink {
 public:
  explicit Lines(std::string path) : path_(std::move(path)) {}
  Delivery deliver(std::span<const Entry> batch) override {
    std::ofstream file(path_, std::ios::app);
    for (const Entry& each : batch) {
      if (each.payload == "\"refuse\"") return Delivery::Refused;
      if (each.payload == "\"wait\"") std::this_thread::sleep_for(std::chrono::milliseconds(300));
      if (each.payload == "\"throw\"") throw std::runtime_error("sink threw");
      file << each.id << ' ' << each.topic << ' ' << each.payload << '\n';
    }
    return file.flush() ? Delivery::Delivered : Delivery::Retry;
  }

 private:
  std::string path_;
};

}  // namespace

TWINMQ_PLUGIN(host) {
  if (host.options()["fail"]) throw std::runtime_error(std::string(host.options()["fail"].text()));
  host.log(TWINMQ_INFO,
           "opened with " + std::string(host.options()["greeting"].text_or("no greeting")));

  host.function(
      "twice", [](Arguments arguments) -> Value { return arguments[0].number() * 2; }, kFast);
  host.function("slow_twice",
                [](Arguments arguments) -> Value { return arguments[0].number() * 2; });
  host.function(
      "echo", [](Arguments arguments) -> Value { return Value(arguments[0]); }, kFast);
  host.function(
      "fail", [](Arguments) -> Value { throw std::runtime_error("it \"broke\""); }, kFast);
  host.function("slow_fail", [](Arguments) -> Value { throw 7; });
  host.function("pause", [](Arguments arguments) -> Value {
    std::this_thread::sleep_for(std::chrono::milliseconds(arguments[0].integer()));
    return arguments[0].integer();
  });
  host.function("hang", [](Arguments) -> Value {
    static std::atomic<bool> for_ever{true};
    while (for_ever) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return {};
  });

  host.function(
      "fast_hang",
      [](Arguments) -> Value {
        static std::atomic<bool> for_ever{true};
        while (for_ever) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        return {};
      },
      kFast);
  host.function(
      "crash",
      [](Arguments) -> Value {
        std::raise(SIGSEGV);
        return {};
      },
      kFast);

  host.aggregate("range_of", [] { return std::make_unique<Range>(); });
  host.action("lines", [](View options) {
    return std::make_unique<Lines>(std::string(options["path"].text()));
  });
  host.transformation("shout", [](const Message& message) {
    if (message.payload == "drop") return Transformed::drop();
    if (message.payload == "throw") throw std::runtime_error("no");
    if (!message.topic.starts_with("shout/")) return Transformed::keep();
    std::string loud(message.payload);
    for (char& c : loud) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return Transformed::change(std::move(loud));
  });
  host.authenticator("doorman", [](const Credentials& credentials) {
    if (credentials.username == "guest") return Admission::allow("somebody");
    if (credentials.username == "villain") return Admission::deny("go away");
    if (credentials.username == "sleeper") std::this_thread::sleep_for(std::chrono::seconds(5));
    if (credentials.username == "thrower") throw std::runtime_error("doorman fell");
    return Admission::pass();
  });
  host.authorizer("keeper", [](const Question& question) {
    return question.topic.starts_with("secret/") && question.principal != "somebody"
               ? Verdict::Deny
               : Verdict::Pass;
  });
}
