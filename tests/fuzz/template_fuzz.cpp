// A template of any bytes is compiled or refused, and renders within its budget.

#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.hpp"
#include "sql/template.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinmq;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto statement = sql::Statement::compile("SET @v = a.b SELECT * FROM 't'");
  TWINMQ_REQUIRE(statement.has_value());
  const auto made = sql::Template::compile(text, *statement);
  if (!made) {
    TWINMQ_REQUIRE(made.error().offset <= text.size());
    return 0;
  }
  constexpr std::string_view kPayload = R"({"a":{"b":[1,"x",2.5]}})";
  json::Arena document;
  sql::Payload payload(bytes_of(kPayload), document);
  sql::Event event;
  event.topic = "a/b";
  sql::Scratch scratch;
  sql::Budget budget;
  budget.steps = 20'000;
  budget.memory = std::size_t{1} << 20;
  std::string to;
  if (made->render(event, payload, nullptr, scratch, budget, to))
    TWINMQ_REQUIRE(!made->constant() || to == text);
  return 0;
}
