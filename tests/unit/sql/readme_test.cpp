// The examples of src/modules/rules/README.md do what it says.
#include <catch2/catch.hpp>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "sql/windows.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {
namespace {

class Example {
 public:
  void line(const std::string& text) {
    INFO(sql_ << "\n" << text);
    const std::string rest = text.size() > 4 ? text.substr(4) : "";
    if (text.starts_with("sql ")) begin(rest);
    if (text.starts_with("at  ")) now_ = std::stoll(rest);
    if (text.starts_with("on  ")) topic_ = rest;
    if (text.starts_with("by  ")) publisher_ = rest;
    if (text.starts_with("in  "))
      answer_ = !statement_->covers(topic_) ? "-" : grouped_ ? gather(rest) : run(rest);
    if (!text.starts_with("out ")) return;
    ++checked;
    CHECK((answer_.starts_with("no match") ? "-" : answer_) == rest);
  }

  void table(const std::string& name, const std::string& text) {
    auto read = LookupTable::read_csv(text, 1 << 20);
    REQUIRE(read);
    tables_.tables[name.substr(0, name.find('.'))] = *read;
  }

  int checked = 0;

 private:
  void begin(const std::string& sql) {
    sql_ = sql;
    statement_ = std::make_unique<Statement>(
        std::move(*Statement::compile(sql, {Dialect::Twinmq, Version::Twinmq})));
    grouped_ = statement_->program().group != nullptr;
    windows_ = std::make_unique<Windows>(*statement_);
    bench_ = std::make_unique<Bench>(sql);
    bench_->world.files = tables_;
    now_ = 0;
    topic_ = "sensors/s1/data";
    publisher_.clear();
  }

  // by: user name, QoS, and "retained" if it is.
  std::string run(const std::string& payload) {
    std::istringstream words(publisher_);
    std::string user;
    std::string retained;
    int qos = 0;
    words >> user >> qos >> retained;
    bench_->event.topic = topic_;
    bench_->event.user_name = user;
    bench_->event.qos = static_cast<std::uint8_t>(qos);
    bench_->event.retain = retained == "retained";
    return bench_->run(payload, now_);
  }

  std::string gather(const std::string& payload) {
    json::Arena document;
    Scratch scratch;
    Payload parsed(bytes_of(payload), document);
    Event event;
    event.now = now_;
    Windows::Context context{nullptr, scratch, {}};
    std::vector<std::string> closed;
    windows_->add(event, parsed, context, closed);
    std::string all;
    for (const std::string& each : closed) all += each;
    return all.empty() ? "-" : all;
  }

  KnownFiles tables_;
  std::string sql_;
  std::unique_ptr<Statement> statement_;
  std::unique_ptr<Windows> windows_;
  std::unique_ptr<Bench> bench_;
  bool grouped_ = false;
  std::int64_t now_ = 0;
  std::string topic_;
  std::string publisher_;
  std::string answer_;
};

}  // namespace

TEST_CASE("every example of the rules' README does what it says", "[sql]") {
  std::ifstream file(TWINMQ_SOURCE_DIR "/src/modules/rules/README.md");
  REQUIRE(file);
  Example example;
  std::string fence;
  std::string text;
  constexpr std::string_view kTable = "```lookup ";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      if (fence.starts_with(kTable)) example.table(fence.substr(kTable.size()), text);
      fence = fence.empty() ? line : "";
      text.clear();
    } else if (fence == "```rule") {
      example.line(line);
    } else {
      text += line + "\n";
    }
  }
  CHECK(example.checked >= 15);
}

}  // namespace twinmq::sql
