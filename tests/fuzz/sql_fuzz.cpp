// The first line is a statement, the rest a payload. Whatever they are, parsing and evaluating end,
// within their budgets, and the same way twice.

#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.hpp"
#include "json/write.hpp"
#include "sql/linter.hpp"
#include "sql/statement.hpp"
#include "sql/windows.hpp"

namespace twinmq::sql {
namespace {

std::string gather(const Statement& statement, std::string_view payload) {
  json::Arena document(std::size_t{1} << 20);
  Payload parsed(bytes_of(payload), document);
  Event event;
  event.now = 1'700'000'000'000;
  Scratch scratch;
  Windows windows(statement, 100);
  Windows::Context context{nullptr, scratch, {20'000, std::size_t{1} << 20}};
  std::vector<std::string> closed;
  for (int i = 0; i < 3; ++i) {
    event.now += 4000;
    windows.add(event, parsed, context, closed);
  }
  windows.close_all(context, closed);
  TWINMQ_REQUIRE(windows.groups() == 0);
  std::string all;
  for (const std::string& each : closed) all += each;
  return all;
}

std::string run(const Statement& statement, std::string_view payload) {
  json::Arena document(std::size_t{1} << 20);
  Payload parsed(bytes_of(payload), document);
  const UserProperty properties[] = {{"a", "1"}, {"b", "2"}};
  Event event;
  event.topic = "a/b/c";
  event.now = 1'700'000'000'000;
  event.user_properties = properties;
  Scratch scratch;
  State state;
  Budget budget;
  budget.steps = 20'000;
  budget.memory = std::size_t{1} << 20;
  std::string all;
  for (int i = 0; i < 2; ++i) {
    const Evaluated result = statement.evaluate(event, parsed, nullptr, state, scratch, budget);
    all += std::to_string(static_cast<int>(result.outcome));
    json::write(result.value, all);
  }
  return all;
}

}  // namespace
}  // namespace twinmq::sql

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinmq;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view sql = text.substr(0, text.find('\0'));
  const std::string_view payload =
      text.substr(sql.size() == text.size() ? sql.size() : sql.size() + 1);
  for (const auto version : {sql::Version::V2015, sql::Version::Twinmq}) {
    const auto statement = sql::Statement::compile(sql, {sql::Dialect::Twinmq, version});
    if (!statement) {
      TWINMQ_REQUIRE(statement.error().offset <= sql.size() + 1);
      static_cast<void>(sql::describe(sql, statement.error()));
      continue;
    }
    static_cast<void>(sql::warnings(*statement));
    if (statement->program().group)
      TWINMQ_REQUIRE(sql::gather(*statement, payload) == sql::gather(*statement, payload));
    TWINMQ_REQUIRE(sql::run(*statement, payload) == sql::run(*statement, payload));
  }
  return 0;
}
