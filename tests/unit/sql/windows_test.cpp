#include "sql/windows.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <memory>
#include <string>

#include "sql/window_group.hpp"
#include "sql_world.hpp"

namespace twinmq::sql {
namespace {

/// Messages at virtual times, and what windows yield.
class Stream {
 public:
  explicit Stream(std::string_view sql, std::size_t groups_max = 1000)
      : statement_(make(sql)), windows(statement_, groups_max) {}

  /// The results that this message closes, with blanks between.
  std::string add(std::int64_t time, std::string_view payload) {
    document_.reset();
    scratch_.reset();
    Payload parsed(bytes_of(payload), document_);
    Event event;
    event.topic = "t";
    event.now = time;
    std::vector<std::string> closed;
    windows.add(event, parsed, context_, closed);
    return joined(closed);
  }

  std::string advance(std::int64_t time) {
    std::vector<std::string> closed;
    windows.advance(time, context_, closed);
    return joined(closed);
  }

 private:
  static Statement make(std::string_view sql) {
    auto statement = Statement::compile(sql);
    if (!statement) FAIL(describe(sql, statement.error()));
    return std::move(*statement);
  }

  static std::string joined(const std::vector<std::string>& texts) {
    std::string all;
    for (const std::string& text : texts) all += (all.empty() ? "" : " ") + text;
    return all;
  }

  Statement statement_;
  json::Arena document_;
  Scratch scratch_;
  Windows::Context context_{nullptr, scratch_, {}};

 public:
  Windows windows;
};

}  // namespace

TEST_CASE("a tumbling window yields one result for each group when its time is over", "[windows]") {
  Stream stream(
      "SELECT d, count(*) AS n, sum(t) AS s, avg(t) AS a, min(t) AS lo, max(t) AS hi, "
      "window_start() AS b, window_end() AS e "
      "FROM 't' WHERE t > 0 GROUP BY d, TUMBLING('10s')");
  CHECK(stream.add(12'000, R"({"d":"y","t":0.1})").empty());
  CHECK(stream.add(13'000, R"({"d":"x","t":5})").empty());
  CHECK(stream.add(14'000, R"({"d":"y","t":0.2})").empty());
  CHECK(stream.add(14'000, R"({"d":"y","t":-1})").empty());
  CHECK(stream.windows.next_deadline() == 20'000);
  CHECK(stream.advance(19'999).empty());
  CHECK(stream.advance(20'000) ==
        R"({"d":"x","n":1,"s":5,"a":5,"lo":5,"hi":5,"b":10000,"e":20000} )"
        R"({"d":"y","n":2,"s":0.3,"a":0.15,"lo":0.1,"hi":0.2,"b":10000,"e":20000})");
  CHECK(stream.windows.groups() == 0);
  CHECK_FALSE(stream.windows.next_deadline());
  stream.add(21'000, R"({"d":"x","t":1})");
  CHECK(stream.add(30'000, R"({"d":"x","t":2})") ==
        R"({"d":"x","n":1,"s":1,"a":1,"lo":1,"hi":1,"b":20000,"e":30000})");
}

TEST_CASE("a window that cannot be counted rightly is refused with its place", "[windows]") {
  CHECK_THAT(fault_of("SELECT count(*) AS n FROM 't' GROUP BY HOPPING('1001s', '1s')"),
             Catch::Contains("line 1, column 57: a message lies in at most 1000 windows: the step "
                             "of these is '1001ms' or more"));
  CHECK(fault_of("SELECT count(*) AS n FROM 't' GROUP BY HOPPING('1000s', '1s')").empty());
  CHECK_THAT(fault_of("SELECT count(*) AS n FROM 't' GROUP BY HOPPING('10s')"),
             Catch::Contains("HOPPING takes two durations"));
  CHECK_THAT(fault_of("SELECT count(*) AS n FROM 't' GROUP BY TUMBLING('10s', '5s')"),
             Catch::Contains(
                 "line 1, column 56: TUMBLING takes one duration; HOPPING('10s', '5s') takes two"));
  CHECK_THAT(fault_of("SELECT count(*) AS n FROM 't' GROUP BY SLIDING('10s', '5s')"),
             Catch::Contains("SLIDING takes one duration"));
  CHECK_THAT(fault_of("SELECT count(*) AS n FROM 't' GROUP BY COUNT(10, 5)"),
             Catch::Contains("COUNT takes one number"));
  CHECK(fault_of("SELECT count(*) AS n FROM 't' GROUP BY SESSION('10s', '50s')").empty());
}

TEST_CASE("which windows closed is told to whom asks for it", "[windows]") {
  Stream stream("SELECT count(*) AS n FROM 't' GROUP BY d, TUMBLING('10s')");
  stream.windows.note_closings();
  stream.add(1'000, R"({"d":1})");
  stream.add(2'000, R"({"d":2})");
  stream.add(11'000, R"({"d":2})");
  stream.advance(20'000);
  const auto closings = stream.windows.take_closings();
  REQUIRE(closings.size() == 2);
  CHECK((closings[0].begin == 0 && closings[0].end == 10'000 && closings[0].groups == 2));
  CHECK((closings[1].begin == 10'000 && closings[1].groups == 1));
  CHECK(stream.windows.take_closings().empty());
  Stream sessions("SELECT count(*) AS n FROM 't' GROUP BY d, SESSION('5s')");
  sessions.windows.note_closings();
  sessions.add(1'000, R"({"d":1})");
  sessions.add(9'000, R"({"d":1})");
  CHECK(sessions.windows.take_closings().size() == 1);
}

TEST_CASE("a message counts in every window that covers it, up to a thousand", "[windows]") {
  Stream stream("SELECT count(*) AS n FROM 't' GROUP BY HOPPING('1000ms', '1ms')");
  stream.add(10'000, "{}");
  CHECK(stream.windows.groups() == 1000);
  std::size_t results = 0;
  for (const char each : stream.advance(20'000)) results += each == '{';
  CHECK(results == 1000);
}

TEST_CASE("a hopping window counts a message in each window that covers it", "[windows]") {
  Stream stream("SELECT count(*) AS n, window_end() AS e FROM 't' GROUP BY HOPPING('20s', '10s')");
  stream.add(15'000, "{}");
  CHECK(stream.advance(100'000) == R"({"n":1,"e":20000} {"n":1,"e":30000})");
}

TEST_CASE("a session ends when its group is silent, or lasts too long", "[windows]") {
  Stream stream("SELECT d, count(*) AS n FROM 't' GROUP BY d, SESSION('5s', '12s')");
  stream.add(0, R"({"d":1})");
  stream.add(4000, R"({"d":1})");
  stream.add(4000, R"({"d":2})");
  CHECK(stream.advance(8999).empty());
  CHECK(stream.add(8000, R"({"d":1})").empty());
  CHECK(stream.advance(9000) == R"({"d":2,"n":1})");
  CHECK(stream.add(12'500, R"({"d":1})") == R"({"d":1,"n":3})");
  CHECK(stream.advance(17'500) == R"({"d":1,"n":1})");
}

TEST_CASE("a count window yields a result every so many messages", "[windows]") {
  Stream stream("SELECT avg(t) AS a FROM 't' GROUP BY COUNT(2)");
  CHECK(stream.add(0, R"({"t":1})").empty());
  CHECK(stream.add(1, R"({"t":2})") == R"({"a":1.5})");
  CHECK(stream.add(2, R"({"t":9})").empty());
}

TEST_CASE("a sliding window yields a result for every message over the time before it",
          "[windows]") {
  Stream stream("SELECT count(*) AS n, sum(t) AS s FROM 't' GROUP BY SLIDING('10s')");
  CHECK(stream.add(0, R"({"t":1})") == R"({"n":1,"s":1})");
  CHECK(stream.add(9000, R"({"t":2})") == R"({"n":2,"s":3})");
  CHECK(stream.add(10'000, R"({"t":4})") == R"({"n":2,"s":6})");
}

TEST_CASE("with EVENT TIME messages make the time pass, and late ones are counted", "[windows]") {
  Stream stream(
      "SELECT count(*) AS n, window_start() AS b FROM 't' GROUP BY TUMBLING('10s') EVENT TIME ts "
      "LATE '5s'");
  stream.add(0, R"({"ts":1000})");
  stream.add(0, R"({"ts":12000})");
  stream.add(0, R"({"ts":2000})");
  CHECK(stream.advance(999'999'999).empty());
  CHECK(stream.add(0, R"({"ts":15000})") == R"({"n":2,"b":0})");
  CHECK(stream.add(0, R"({"ts":3000})").empty());
  CHECK(stream.windows.late() == 1);
  CHECK(stream.add(0, R"({"ts":"x"})").empty());
}

TEST_CASE("aggregates that keep values yield lists, medians and shares", "[windows]") {
  Stream stream(
      "SELECT median(t) AS m, percentile(t, 0.9) AS p, stddev(t) AS s, first(t) AS f, last(t) AS "
      "l, collect(t) AS c, "
      "distinct(t) AS d, count(t) AS n FROM 't' GROUP BY COUNT(5)");
  for (const char* value : {"4", "1", "1", "null"})
    stream.add(0, std::string("{\"t\":") + value + "}");
  CHECK(stream.add(0, R"({"t":2})") ==
        R"({"m":1.5,"p":3.4,"s":1.22474487139159,"f":4,"l":2,"c":[4,1,1,2],"d":[4,1,2],"n":4})");
}

TEST_CASE("HAVING keeps results back", "[windows]") {
  Stream stream("SELECT d, count(*) AS n FROM 't' GROUP BY d, TUMBLING('1s') HAVING count(*) > 1");
  for (const char* d : {"1", "2", "2"}) stream.add(0, std::string("{\"d\":") + d + "}");
  CHECK(stream.advance(1000) == R"({"d":2,"n":2})");
}

TEST_CASE("groups beyond the limit are dropped and counted", "[windows]") {
  Stream stream("SELECT d, count(*) AS n FROM 't' GROUP BY d, TUMBLING('1s')", 2);
  for (const char* d : {"1", "2", "3", "1"}) stream.add(0, std::string("{\"d\":") + d + "}");
  CHECK(stream.windows.dropped() == 1);
  CHECK(stream.advance(1000) == R"({"d":1,"n":2} {"d":2,"n":1})");
}

TEST_CASE("what is neither key nor aggregate is refused with its place", "[windows]") {
  CHECK(fault_of("SELECT d, t FROM 't' GROUP BY d, COUNT(2)")
            .starts_with("line 1, column 11: this is neither a key of GROUP BY"));
  CHECK(fault_of("SELECT a.b FROM 't' GROUP BY a, COUNT(2)").empty());
  CHECK(fault_of("SELECT sum(*) AS s FROM 't' GROUP BY COUNT(2)").find("only count() takes *") !=
        std::string::npos);
  CHECK(fault_of("SELECT count(*) AS n FROM 't' GROUP BY d").find("needs a window") !=
        std::string::npos);
  CHECK(fault_of("SELECT count(*) AS n FROM 't' GROUP BY TUMBLING('10 parsecs')")
            .find("a duration such as") != std::string::npos);
}

TEST_CASE("windows go on in another run as if there had been none between", "[windows]") {
  const auto sql = GENERATE(
      as<std::string>(),
      "SELECT d, count(*) AS n, avg(t) AS a, stddev(t) AS s, collect(t) AS all FROM 't' GROUP BY "
      "d, TUMBLING('10s')",
      "SELECT d, count(*) AS n, max(t) AS m FROM 't' GROUP BY d, HOPPING('10s', '5s')",
      "SELECT d, sum(t) AS s, window_start() AS b FROM 't' GROUP BY d, SESSION('3s')",
      "SELECT d, sum(t) AS s, last(t) AS l FROM 't' GROUP BY d, SLIDING('10s')",
      "SELECT d, median(t) AS m FROM 't' GROUP BY d, COUNT(3)",
      "SELECT d, count(*) AS n FROM 't' GROUP BY d, TUMBLING('10s') EVENT TIME at LATE '2s'");
  const auto payload = [](int i) {
    return "{\"d\":" + std::to_string(i % 2) + ",\"t\":" + std::to_string(i * 7 % 11) +
           ".5,\"at\":" + std::to_string(i * 900 - (i % 3) * 2500) + "}";
  };
  Stream whole(sql);
  auto parts = std::make_unique<Stream>(sql);
  parts->windows.track();
  std::map<std::string, std::string> store;
  for (int i = 0; i < 60; ++i) {
    CHECK(parts->add(i * 900, payload(i)) == whole.add(i * 900, payload(i)));
    for (const auto& [name, text] : parts->windows.take_touched()) {
      if (text)
        store[name] = *text;
      else
        store.erase(name);
    }
    if (i % 5 != 4) continue;
    CHECK(parts->windows.groups() == whole.windows.groups());
    parts = std::make_unique<Stream>(sql);
    parts->windows.track();
    for (const auto& [name, text] : store) REQUIRE(parts->windows.restore_cell(name, text));
    CHECK(parts->windows.next_deadline().has_value() == whole.windows.next_deadline().has_value());
  }
  CHECK(parts->advance(100'000'000) == whole.advance(100'000'000));
  for (const auto& [name, text] : store)
    for (std::size_t size = 0; size < text.size(); ++size)
      CHECK_FALSE(parts->windows.restore_cell(name, std::string_view(text).substr(0, size)));
  CHECK_FALSE(parts->windows.restore_cell("x", "y"));
  CHECK_FALSE(parts->windows.restore_cell("", ""));
}

}  // namespace twinmq::sql
