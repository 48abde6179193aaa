// What lies in the store for a window is any bytes: it is taken or refused, and messages go on
// either way.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "sql/windows.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::sql;

void run(const char* text, std::string_view name, std::string_view cell) {
  const auto statement = Statement::compile(text);
  if (!statement) std::abort();
  Windows windows(*statement, 100);
  windows.track();
  const bool taken = windows.restore_cell(name, cell);
  Scratch scratch;
  Windows::Context context{nullptr, scratch, {}};
  std::vector<std::string> closed;
  for (const std::int64_t now : {0, 5000, 20'000}) {
    json::Arena document;
    Payload payload(bytes_of(std::string_view(R"({"d":1,"t":2})")), document);
    Event event;
    event.topic = "t";
    event.now = now;
    windows.add(event, payload, context, closed);
    for (const auto& [changed, value] : windows.take_touched()) {
      Windows again(*statement, 100);
      if (value && !again.restore_cell(changed, *value)) std::abort();
    }
  }
  windows.close_all(context, closed);
  if (taken && windows.groups() != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  if (line == std::string_view::npos) return 0;
  const std::string_view name = text.substr(0, line);
  const std::string_view cell = text.substr(line + 1);
  run("SELECT d, avg(t) AS a, collect(t) AS c FROM 't' GROUP BY d, TUMBLING('10s')", name, cell);
  run("SELECT d, median(t) AS m FROM 't' GROUP BY d, SESSION('3s')", name, cell);
  run("SELECT d, sum(t) AS s FROM 't' GROUP BY d, SLIDING('10s')", name, cell);
  run("SELECT d, count(*) AS n FROM 't' GROUP BY d, COUNT(2)", name, cell);
  return 0;
}
