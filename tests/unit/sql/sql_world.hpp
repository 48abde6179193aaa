#pragma once
// Statements and expressions evaluated in one line.

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "json/write.hpp"
#include "sql/condition.hpp"
#include "sql/known_files.hpp"
#include "sql/statement.hpp"

namespace twinmq::sql {

class TestWorld : public World {
 public:
  std::optional<std::string> zone_file(std::string_view name) override {
    std::ifstream file("/usr/share/zoneinfo/" + std::string(name), std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  std::uint64_t random() override { return ++chance; }
  std::optional<std::string> thing_shadow(std::string_view thing, std::string_view name) override {
    if (thing != "lamp") return std::nullopt;
    return R"({"state":{"reported":{"on":true}},"name":")" + std::string(name) + "\"}";
  }
  std::optional<json::Value> call(std::string_view function, std::span<const json::Value> arguments,
                                  json::Arena&) override {
    if (function != "twice" || arguments.empty() || !arguments[0].is_small_integer())
      return std::nullopt;
    return json::Value::integer(2 * arguments[0].small_integer());
  }

  std::optional<json::Value> look_up(std::string_view table, std::string_view key,
                                     json::Arena&) override {
    return files.row(table, key);
  }

  std::uint64_t chance = 0;
  KnownFiles files;
};

/// One statement over many messages.
class Bench {
 public:
  explicit Bench(std::string_view sql,
                 StatementOptions options = {Dialect::Twinmq, Version::Twinmq})
      : statement_(compile(sql, options)) {}

  /// "no match: …", "raw", "undefined" or the result as JSON.
  std::string run(std::string_view payload, std::int64_t now = 1'700'000'000'000) {
    scratch_.reset();
    document_.reset();
    Payload parsed(bytes_of(payload), document_);
    event.now = now;
    const Evaluated result = statement_.evaluate(event, parsed, &world, state, scratch_, budget);
    if (result.outcome != Outcome::Match)
      return "no match: " + std::string(describe(result.outcome));
    if (result.raw) return "raw";
    if (result.value.is_undefined()) return "undefined";
    return json::text_of(result.value, statement_.version() == Version::V2015
                                           ? json::Numbers::AsWritten
                                           : json::Numbers::Stripped);
  }

  Event event{.topic = "sensors/s1/data", .client_id = "dev-1"};
  TestWorld world;
  State state;
  Budget budget;

 private:
  static Statement compile(std::string_view sql, StatementOptions options) {
    auto statement = Statement::compile(sql, options);
    if (!statement) FAIL(sql::describe(sql, statement.error()));
    return std::move(*statement);
  }

  Statement statement_;
  json::Arena document_;
  Scratch scratch_;
};

inline std::string value_of(std::string_view expression, std::string_view payload = "{}",
                            Version version = Version::V2016) {
  return Bench("SELECT VALUE (" + std::string(expression) + ") FROM '#'",
               {Dialect::Twinmq, version})
      .run(payload);
}

/// What is wrong with a statement; empty: nothing.
inline std::string fault_of(std::string_view sql, Dialect dialect = Dialect::Twinmq) {
  const auto statement = Statement::compile(sql, {dialect, Version::V2016});
  return statement ? "" : describe(sql, statement.error());
}

}  // namespace twinmq::sql
