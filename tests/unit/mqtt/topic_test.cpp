#include "mqtt/topic.hpp"

#include <string>
#include <vector>

#include "support/plain_utf8.hpp"
#include "unit/mqtt/wire_text.hpp"

namespace twinmq::mqtt::test {
namespace {

constexpr std::uint32_t kLevels = 128;

/// All topics of up to three levels over a small alphabet.
std::vector<std::string> every_topic(const std::vector<std::string>& alphabet) {
  std::vector<std::string> topics;
  for (const std::string& a : alphabet) {
    topics.push_back(a);
    for (const std::string& b : alphabet) {
      topics.push_back(a + "/" + b);
      for (const std::string& c : alphabet) topics.push_back(a + "/" + b + "/" + c);
    }
  }
  std::erase(topics, "");
  return topics;
}

}  // namespace

TEST_CASE("text is judged alike wherever in it a sequence stands", "[MQTT-1.5.4-1][MQTT-1.5.4-2]") {
  const std::vector<std::string> sequences{
      wire("00"),     wire("7f"),       wire("80"),         wire("bf"),       wire("c0af"),
      wire("c1bf"),   wire("c280"),     wire("c2"),         wire("dfbf"),     wire("df7f"),
      wire("e08080"), wire("e09fbf"),   wire("e0a080"),     wire("e282"),     wire("e282ac"),
      wire("ed9fbf"), wire("eda080"),   wire("edbfbf"),     wire("ee8080"),   wire("efbbbf"),
      wire("efbfbf"), wire("f0808080"), wire("f08fbfbf"),   wire("f0908080"), wire("f09f9880"),
      wire("f09f98"), wire("f48fbfbf"), wire("f4908080"),   wire("f5808080"), wire("f888808080"),
      wire("fe"),     wire("ff"),       wire("c3a9e282ac"), wire("c3a9c3")};
  for (const std::string& sequence : sequences) {
    for (std::size_t before = 0; before < 36; ++before) {
      for (const std::size_t after : {0U, 1U, 2U, 3U, 5U, 8U, 13U, 16U, 21U, 34U}) {
        const std::string text = std::string(before, 'a') + sequence + std::string(after, 'z');
        const ExactBytes exact(text);
        const bool utf8 = testing::is_utf8_plainly(text);
        const bool nul = text.find('\0') != std::string::npos;
        INFO(hex(text));
        CHECK(is_well_formed_utf8(text_of(exact.view())) == utf8);
        CHECK(is_valid_text(text_of(exact.view())) == (utf8 && !nul));
        CHECK(is_valid_topic_name(text_of(exact.view()), 1) == (utf8 && !nul));
      }
    }
  }
}

TEST_CASE("every lead byte with every second byte is judged right", "[MQTT-1.5.4-1]") {
  for (unsigned lead = 0; lead < 256; ++lead) {
    for (unsigned second = 0; second < 256; ++second) {
      for (const std::string_view tail : {"", "\x80", "\x80\x80", "a"}) {
        const std::string text =
            std::string{static_cast<char>(lead), static_cast<char>(second)}.append(tail);
        if (is_well_formed_utf8(text) != testing::is_utf8_plainly(text)) FAIL(hex(text));
      }
    }
  }
}

TEST_CASE("wildcards and levels are found wherever they stand", "[MQTT-3.3.2-2][MQTT-4.7.0-1]") {
  for (std::size_t before = 0; before < 40; ++before) {
    for (std::size_t after = 0; after < 20; ++after) {
      const std::string front(before, 'a');
      const std::string back(after, 'z');
      CHECK_FALSE(is_valid_topic_name(front + '+' + back, kLevels));
      CHECK_FALSE(is_valid_topic_name(front + '#' + back, kLevels));
      CHECK_FALSE(is_valid_topic_name(front + '/' + back, 1));
      CHECK(is_valid_topic_name(front + '/' + back, 2));
      CHECK_FALSE(is_valid_topic_name(front + "\xC3\xA9/" + back, 1));
      CHECK(is_valid_topic_name(front + "\xC3\xA9/" + back, 2));
    }
  }
}

TEST_CASE("topic names and filters have their bounds", "[MQTT-4.7.3-1][MQTT-4.7.3-3]") {
  CHECK_FALSE(is_valid_topic_name("", kLevels));
  CHECK_FALSE(is_valid_topic_filter("", kLevels));
  CHECK(is_valid_topic_name("/", kLevels));
  CHECK(is_valid_topic_name(std::string(65'535, 'x'), kLevels));
  CHECK_FALSE(is_valid_topic_name(std::string(65'536, 'x'), kLevels));
  CHECK_FALSE(is_valid_topic_filter(std::string(65'536, 'x'), kLevels));
  CHECK(is_valid_topic_filter("a/b/#", 3));
  CHECK_FALSE(is_valid_topic_filter("a/b/#", 2));
  CHECK_FALSE(is_valid_topic_name(std::string("a\0b", 3), kLevels));
  CHECK_FALSE(is_valid_topic_filter(std::string("a\0b", 3), kLevels));
}

TEST_CASE("wildcards fill whole levels and # comes last", "[MQTT-4.7.1-1][MQTT-4.7.1-2]") {
  for (const std::string_view filter :
       {"#", "+", "/", "+/+", "/+", "+/", "a/#", "+/#", "/#", "a/+/b", "sport/tennis/player1/#",
        "+/tennis/#", "$SYS/#"}) {
    INFO(filter);
    CHECK(is_valid_topic_filter(filter, kLevels));
  }
  for (const std::string_view filter :
       {"#/", "#/a", "a#", "#a", "a/#/b", "a+", "+a", "a/b+", "a/+b/c", "++", "+#", "a/#b", "##",
        "sport/tennis#", "sport/tennis/#/ranking", "sport+"}) {
    INFO(filter);
    CHECK_FALSE(is_valid_topic_filter(filter, kLevels));
  }
}

TEST_CASE("filters match as the specification's examples say", "[4.7.1][MQTT-4.7.2-1]") {
  struct Case {
    std::string_view filter;
    std::string_view name;
    bool expected;
  };
  for (const Case& one : {
           Case{"sport/tennis/player1/#", "sport/tennis/player1", true},
           Case{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
           Case{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
           Case{"sport/tennis/player1/#", "sport/tennis/player10", false},
           Case{"sport/#", "sport", true},
           Case{"sport/#", "sports", false},
           Case{"#", "a", true},
           Case{"#", "/", true},
           Case{"sport/tennis/+", "sport/tennis/player1", true},
           Case{"sport/tennis/+", "sport/tennis/player1/ranking", false},
           Case{"sport/+", "sport", false},
           Case{"sport/+", "sport/", true},
           Case{"+/+", "/finance", true},
           Case{"/+", "/finance", true},
           Case{"+", "/finance", false},
           Case{"+", "finance", true},
           Case{"a/b", "a/b", true},
           Case{"a/b", "a/B", false},
           Case{"a/b", "a/b/", false},
           Case{"a", "a/b", false},
           Case{"a//b", "a//b", true},
           Case{"a/+/b", "a//b", true},
           Case{"#", "$SYS/x", false},
           Case{"+/monitor/Clients", "$SYS/monitor/Clients", false},
           Case{"$SYS/#", "$SYS/monitor", true},
           Case{"$SYS/monitor/+", "$SYS/monitor/Clients", true},
           Case{"$SYS/#", "$SYS", true},
           Case{"a/#", "a/$b", true},
           Case{"a/+", "a/$b", true},
           Case{"ACCOUNTS", "Accounts", false},
       }) {
    INFO(one.filter << " and " << one.name);
    CHECK(matches(one.filter, one.name) == one.expected);
  }
}

TEST_CASE("a filter covers another exactly if it matches whatever that one matches") {
  std::vector<std::string> filters;
  for (const std::string& filter : every_topic({"", "a", "$a", "+", "#"})) {
    if (is_valid_topic_filter(filter, kLevels)) filters.push_back(filter);
  }
  // "b" and "$b" stand for all that the filters do not name, and names are one level deeper than
  // filters.
  std::vector<std::string> names = every_topic({"", "a", "b", "$a", "$b"});
  for (std::size_t i = 0, count = names.size(); i < count; ++i) names.push_back(names[i] + "/b");
  for (const std::string& outer : filters) {
    for (const std::string& inner : filters) {
      bool expected = true;
      for (const std::string& name : names) {
        if (matches(inner, name) && !matches(outer, name)) expected = false;
      }
      if (covers(outer, inner) != expected)
        FAIL(outer << " and " << inner << ": expected " << expected);
    }
  }
}

TEST_CASE("a shared filter has a share name and a filter", "[MQTT-4.8.2-1][MQTT-4.8.2-2]") {
  const auto halves = parse_shared("$share/group/a/+/#");
  REQUIRE(halves.has_value());
  CHECK(halves->share_name == "group");
  CHECK(halves->filter == "a/+/#");
  CHECK(parse_shared("$share/g//")->filter == "/");
  for (const std::string_view filter :
       {"$share/", "$share//a", "$share/g", "$share/g/", "$share/+/a", "$share/#/a", "$share/g+/a",
        "$share", "$shared/g/a", "share/g/a", "a/$share/g/a", ""}) {
    INFO(filter);
    CHECK_FALSE(parse_shared(filter).has_value());
  }
  CHECK(is_shared("$share/g"));
  CHECK_FALSE(is_shared("$share"));
  CHECK_FALSE(is_shared("$SHARE/g/a"));
}

}  // namespace twinmq::mqtt::test
