// What a rule's statement costs a message: one that does not match, one that does, ten on one
// payload; and its parts.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "json/write.hpp"
#include "sql/statement.hpp"
#include "sql/template.hpp"
#include "sql/windows.hpp"

namespace {

using namespace twinmq;

constexpr std::string_view kSql =
    "SELECT temperature, topic(2) AS device FROM 'sensors/+/data' WHERE temperature > 50 AND "
    "location.site = 'a'";

std::string payload_of(int temperature) {
  std::string text =
      R"({"temperature":)" + std::to_string(temperature) +
      R"(,"humidity":32.43,"location":{"site":"a","floor":2,"room":"201"},"device":"s1234567",)"
      R"("battery":87,"firmware":"1.20.3","tags":["x","y","z"],"status":"ok","note":")";
  text.append(200 - text.size() - 2, '.');
  return text + "\"}";
}

// The statement, and a message to evaluate it on.
struct Subject {
  explicit Subject(int temperature) : payload(payload_of(temperature)) {
    event.topic = "sensors/s1/data";
  }

  Result<sql::Statement, sql::SyntaxFault> statement = sql::Statement::compile(kSql);
  std::string payload;
  sql::Event event;
  json::Arena document;
  sql::Payload parsed{bytes_of(payload), document};
  sql::Scratch scratch;
};

void evaluate(benchmark::State& state, int temperature, int rules) {
  Subject subject(temperature);
  sql::State memory;
  std::string out;
  for (auto _ : state) {
    subject.document.reset();
    sql::Payload parsed(bytes_of(subject.payload), subject.document);
    for (int i = 0; i < rules; ++i) {
      subject.scratch.reset();
      out.clear();
      const sql::Evaluated result =
          subject.statement->evaluate(subject.event, parsed, nullptr, memory, subject.scratch);
      if (result.outcome == sql::Outcome::Match) json::write(result.value, out);
      benchmark::DoNotOptimize(out.data());
    }
  }
}

void without_match(benchmark::State& state) {
  evaluate(state, 20, 1);
}
BENCHMARK(without_match);

void with_match(benchmark::State& state) {
  evaluate(state, 60, 1);
}
BENCHMARK(with_match);

void ten_without_match(benchmark::State& state) {
  evaluate(state, 20, 10);
}
BENCHMARK(ten_without_match);

void read_payload(benchmark::State& state) {
  const std::string payload = payload_of(20);
  json::Arena document;
  for (auto _ : state) {
    document.reset();
    benchmark::DoNotOptimize(json::read(payload, document).fault);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(payload.size()));
}
BENCHMARK(read_payload);

void evaluate_what_was_read(benchmark::State& state) {
  Subject subject(60);
  sql::State memory;
  for (auto _ : state) {
    subject.scratch.reset();
    benchmark::DoNotOptimize(
        subject.statement->evaluate(subject.event, subject.parsed, nullptr, memory, subject.scratch)
            .outcome);
  }
}
BENCHMARK(evaluate_what_was_read);

void compile_statement(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(sql::Statement::compile(kSql));
}
BENCHMARK(compile_statement);

void render_template(benchmark::State& state) {
  Subject subject(60);
  const auto text =
      sql::Template::compile("alerts/${topic(2)}/${location.site}", *subject.statement);
  std::string out;
  for (auto _ : state) {
    subject.scratch.reset();
    out.clear();
    benchmark::DoNotOptimize(
        text->render(subject.event, subject.parsed, nullptr, subject.scratch, {}, out));
  }
}
BENCHMARK(render_template);

void gather_into_thousand_groups(benchmark::State& state) {
  const auto statement = sql::Statement::compile(
      "SELECT d, count(*) AS n, sum(t) AS s, avg(t) AS a, min(t) AS low, max(t) AS high FROM '#' "
      "GROUP BY d, TUMBLING('1h')");
  std::vector<std::string> payloads;
  for (int i = 0; i < 1000; ++i)
    payloads.push_back("{\"d\":\"device" + std::to_string(i) + "\",\"t\":21.5}");
  sql::Windows windows(*statement);
  sql::Event event;
  json::Arena document;
  sql::Scratch scratch;
  sql::Windows::Context context{nullptr, scratch, {}};
  std::vector<std::string> closed;
  std::size_t at = 0;
  for (auto _ : state) {
    document.reset();
    scratch.reset();
    sql::Payload parsed(bytes_of(payloads[at++ % payloads.size()]), document);
    benchmark::DoNotOptimize(windows.add(event, parsed, context, closed));
  }
}
BENCHMARK(gather_into_thousand_groups);

}  // namespace
