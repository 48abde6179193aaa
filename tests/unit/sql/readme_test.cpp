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
    if (text.starts_with("in  ")) answer_ = grouped_ ? gather(rest) : bench_->run(rest, now_);
    if (!text.starts_with("out ")) return;
    ++checked;
    CHECK((answer_.starts_with("no match") ? "-" : answer_) == rest);
  }

  int checked = 0;

 private:
  void begin(const std::string& sql) {
    sql_ = sql;
    statement_ = std::make_unique<Statement>(std::move(*Statement::compile(sql, {Dialect::Twinmq, Version::Twinmq})));
    grouped_ = statement_->program().group != nullptr;
    windows_ = std::make_unique<Windows>(*statement_);
    bench_ = std::make_unique<Bench>(sql);
    now_ = 0;
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

  std::string sql_;
  std::unique_ptr<Statement> statement_;
  std::unique_ptr<Windows> windows_;
  std::unique_ptr<Bench> bench_;
  bool grouped_ = false;
  std::int64_t now_ = 0;
  std::string answer_;
};

}  // namespace

TEST_CASE("every example of the rules' README does what it says", "[sql]") {
  std::ifstream file(TWINMQ_SOURCE_DIR "/src/modules/rules/README.md");
  REQUIRE(file);
  Example example;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) inside = line == "```rule";
    else if (inside) example.line(line);
  }
  CHECK(example.checked >= 15);
}

}  // namespace twinmq::sql
