#include "modules/access/acl_file.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <vector>

using namespace twinmq;
using namespace twinmq::access;

namespace {

class Rights {
 public:
  explicit Rights(std::string_view text) {
    auto file = AclFile::parse(text, "acl", 1);
    if (!file) FAIL(file.error().detail);
    file_ = std::move(*file);
  }
  Rights& as(std::string principal, std::string client_id = "client") {
    identity_.principal = std::move(principal);
    identity_.client_id = std::move(client_id);
    return *this;
  }
  bool publish(std::string_view name) { return may(Action::Publish, name); }
  bool receive(std::string_view name) { return may(Action::Receive, name); }
  bool subscribe(std::string_view filter) { return may(Action::Subscribe, filter); }

 private:
  bool may(Action action, std::string_view topic) {
    return file_->may(identity_, action, topic, QoS::AtMostOnce, false);
  }
  std::unique_ptr<AclFile> file_;
  Identity identity_;
};

std::string complaint_about(std::string_view text) {
  const auto file = AclFile::parse(text, "acl", 1);
  REQUIRE_FALSE(file);
  CHECK(file.error().code == ErrorCode::InvalidConfig);
  return file.error().detail;
}

}  // namespace

TEST_CASE("what no line allows is denied") {
  Rights rights("# nothing\n");
  CHECK_FALSE(rights.publish("a"));
  CHECK_FALSE(rights.receive("a"));
  CHECK_FALSE(rights.subscribe("#"));
  CHECK_FALSE(rights.as("alice").publish("a"));
}

TEST_CASE("read, write and readwrite give what they say, and no word means both") {
  Rights rights(
      "topic read r\ntopic write w\ntopic readwrite rw\ntopic both\ntopic read wild/r/+\n"
      "topic write wild/w/#\n");
  CHECK(rights.receive("r"));
  CHECK_FALSE(rights.publish("r"));
  CHECK(rights.publish("w"));
  CHECK_FALSE(rights.receive("w"));
  CHECK_FALSE(rights.subscribe("w"));
  CHECK((rights.publish("rw") && rights.receive("rw")));
  CHECK((rights.publish("both") && rights.receive("both") && rights.subscribe("both")));
  CHECK(
      (rights.receive("wild/r/x") && !rights.publish("wild/r/x") && !rights.receive("wild/r/x/y")));
  CHECK((rights.publish("wild/w") && rights.publish("wild/w/x/y") && !rights.receive("wild/w/x")));
}

TEST_CASE("two lines for one topic add up") {
  Rights rights("topic read a\ntopic write a\n");
  CHECK((rights.publish("a") && rights.receive("a")));
}

TEST_CASE("topic lines belong to the user line above them, the first ones to anonymous clients") {
  Rights rights("topic a\nuser alice\ntopic b\nuser bob marley\ntopic c\nuser alice\ntopic d\n");
  CHECK((rights.as("").publish("a") && !rights.publish("b")));
  CHECK((rights.as("alice").publish("b") && rights.publish("d")));
  CHECK((!rights.publish("a") && !rights.publish("c")));
  CHECK((rights.as("bob marley").publish("c") && !rights.publish("d")));
  CHECK_FALSE(rights.as("carol").publish("a"));
}

TEST_CASE("deny wins over every allowing line wherever it stands") {
  Rights rights(
      "topic readwrite #\ntopic deny vault/#\ntopic deny x\ntopic readwrite vault/open\n"
      "pattern readwrite vault/#\npattern deny p/+\n");
  CHECK(rights.publish("a/b"));
  CHECK_FALSE(rights.publish("vault/open"));
  CHECK_FALSE(rights.receive("vault"));
  CHECK_FALSE(rights.receive("x"));
  CHECK_FALSE(rights.receive("p/q"));
  CHECK(rights.as("alice").receive("vault/open"));
  CHECK_FALSE(rights.receive("p/q"));
}

TEST_CASE("topics with a leading $ need a line that starts with $") {
  Rights rights(
      "topic readwrite #\ntopic readwrite +/broker/+\nuser op\ntopic read $SYS/#\ntopic deny "
      "$SYS/secret\n");
  CHECK_FALSE(rights.receive("$SYS/broker/uptime"));
  CHECK_FALSE(rights.subscribe("$SYS/#"));
  CHECK_FALSE(rights.publish("$aws/things/x"));
  CHECK((rights.as("op").receive("$SYS/broker/uptime") && rights.subscribe("$SYS/+/uptime")));
  CHECK_FALSE(rights.receive("$SYS/secret"));
  CHECK_FALSE(rights.subscribe("$SYS/secret"));
}

TEST_CASE("patterns hold for all users and put in the client id and the user") {
  Rights rights(
      "pattern write d/%u/out/#\npattern read d/%u/in\npattern c/%c\npattern x/%c/%u\npattern read "
      "all/#\n"
      "pattern part/id-%c-%u/y\nuser alice\ntopic own\n");
  rights.as("alice", "c1");
  CHECK((rights.publish("d/alice/out") && rights.publish("d/alice/out/1/2") &&
         rights.receive("d/alice/in")));
  CHECK_FALSE(rights.publish("d/bob/out"));
  CHECK_FALSE(rights.publish("d/%u/out"));
  CHECK((rights.publish("c/c1") && !rights.publish("c/c2")));
  CHECK((rights.publish("x/c1/alice") && rights.publish("part/id-c1-alice/y") &&
         rights.receive("all/1")));
  CHECK(rights.publish("own"));
  CHECK((rights.subscribe("d/+/in") && rights.subscribe("d/alice/#") &&
         !rights.subscribe("d/bob/in")));
}

TEST_CASE("a pattern with %u does not match a client without user") {
  Rights rights("pattern d/%u/x\npattern e/%u\npattern c/%c\n");
  rights.as("", "c1");
  CHECK_FALSE(rights.publish("d//x"));
  CHECK_FALSE(rights.publish("e/"));
  CHECK(rights.subscribe("#"));  // meets c/c1
  CHECK_FALSE(rights.subscribe("d/#"));
  CHECK(rights.publish("c/c1"));
}

TEST_CASE(
    "a client id or user with wildcard or level characters never matches a pattern that uses it") {
  Rights rights("pattern c/%c\npattern c/%c/sub\npattern u/%u/#\npattern %c/top\npattern free\n");
  for (const std::string value :
       {"+", "#", "a+", "+/b", "a/b", "/", "a/#", "a#b", "../x", "++++"}) {
    INFO(value);
    rights.as("alice", value);
    for (const std::string& topic : std::vector<std::string>{
             "c/a", "c/" + value, "c/victim", "c/a/b", "c/victim/sub", "a/b/top", "victim/top"}) {
      CHECK_FALSE(rights.publish(topic));
      CHECK_FALSE(rights.receive(topic));
    }
    CHECK_FALSE(rights.subscribe("c/#"));
    CHECK(rights.publish("u/alice/x"));
    CHECK(rights.publish("free"));
    rights.as(value, "c1");
    CHECK_FALSE(rights.publish("u/" + value));
    CHECK_FALSE(rights.publish("u/victim/x"));
    CHECK_FALSE(rights.subscribe("u/#"));
    CHECK(rights.publish("c/c1"));
  }
}

TEST_CASE("every other character in a client id or user has its literal meaning only") {
  Rights rights("pattern c/%c\npattern u/%u/%c\n");
  for (const std::string value : {".*", "\\", "(a|b)", "[a-z]", "^a$", "%c", "%u", "%", "%%c",
                                  "a b", "*", "?", "$SYS", "'; --", "*)(uid=*", "\xC3\xA4"}) {
    INFO(value);
    rights.as("u1", value);
    CHECK(rights.publish("c/" + value));
    CHECK(rights.publish("u/u1/" + value));
    CHECK_FALSE(rights.publish("c/a"));
    CHECK_FALSE(rights.publish("c/u1"));
    CHECK_FALSE(rights.publish("c/"));
    rights.as(value, "c1");
    CHECK(rights.publish("u/" + value + "/c1"));
    CHECK_FALSE(rights.publish("u/a/c1"));
    CHECK_FALSE(rights.publish("u/c1/c1"));
  }
  rights.as("u1", std::string("a\0b", 3));
  CHECK_FALSE(rights.publish("c/a"));
  rights.as(std::string(65'535, '+'), std::string(65'535, '#'));
  CHECK_FALSE(rights.publish("c/a"));
  CHECK_FALSE(rights.subscribe("#"));
  const std::string big(65'535, 'x');
  rights.as(big, big);
  CHECK_FALSE(rights.publish("c/x"));
  CHECK(rights.publish("c/" + big));
}

TEST_CASE("a client id cannot reach $SYS through a pattern that begins with it") {
  Rights rights("pattern readwrite %c/#\npattern readwrite $%c/#\n");
  rights.as("", "$SYS");
  CHECK_FALSE(rights.receive("$SYS/broker/uptime"));
  CHECK_FALSE(rights.subscribe("$SYS/#"));
  rights.as("", "SYS");
  CHECK_FALSE(rights.receive("$SYS/broker/uptime"));
  CHECK_FALSE(rights.subscribe("$SYS/broker/uptime"));
  CHECK(rights.receive("SYS/x"));
}

TEST_CASE("a deny pattern is not escaped by a strange client id or user") {
  Rights rights("pattern readwrite #\npattern deny secret/%u/x\npattern deny lock-%c/y\n");
  rights.as("bob", "c1");
  CHECK(rights.publish("secret/alice/x"));
  CHECK_FALSE(rights.publish("secret/bob/x"));
  rights.as("a/b", "c1");
  CHECK_FALSE(rights.publish("secret/a/b/x"));
  CHECK_FALSE(rights.subscribe("secret/a/b/x"));
  CHECK(rights.publish("other"));
}

TEST_CASE("a subscription needs an overlap, and every delivery is asked for") {
  Rights rights("topic read a/b\n");
  for (const char* filter : {"#", "+/b", "a/#", "a/+", "a/b", "a/b/#", "+/+"}) {
    INFO(filter);
    CHECK(rights.subscribe(filter));
  }
  for (const char* filter :
       {"a", "+", "b/#", "a/c", "a/b/c", "a/b/+", "$SYS/#", "+/+/+", "/a/b", "/#"}) {
    INFO(filter);
    CHECK_FALSE(rights.subscribe(filter));
  }
  CHECK(rights.receive("a/b"));
  CHECK_FALSE(rights.receive("a/c"));
  CHECK_FALSE(rights.receive("a"));
  CHECK_FALSE(rights.receive("a/b/c"));
  CHECK(AclFile::parse("", "acl", 1).value()->checks_receive());
}

TEST_CASE("a subscription that a deny line covers whole is refused, one it only touches is not") {
  Rights rights("topic read #\ntopic deny vault/#\ntopic deny x/y\n");
  CHECK(rights.subscribe("#"));
  CHECK(rights.subscribe("+/y"));
  CHECK_FALSE(rights.subscribe("vault/#"));
  CHECK_FALSE(rights.subscribe("vault/+/a"));
  CHECK_FALSE(rights.subscribe("x/y"));
  CHECK_FALSE(rights.receive("vault/a"));
  CHECK_FALSE(rights.receive("x/y"));
}

TEST_CASE("a line may be indented, end in white space, and hold a topic with spaces") {
  Rights rights(
      "\xEF\xBB\xBF  topic   read   a b c \t\r\n\tuser\talice  \n topic\twrite\tx\n   # comment\n");
  CHECK(rights.receive("a b c"));
  CHECK(rights.as("alice").publish("x"));
}

TEST_CASE("every mistake of an ACL file is told with file, line, column and what is allowed") {
  const std::string detail = complaint_about(
      "topic read a/#/b\nuser\ntopic raed x\n  tpoic x\ntopic\npattern deny\ntopic a+\nuser "
      "ok\ntopic read fine\n");
  CHECK_THAT(detail, Catch::Contains("acl:1:12: 'a/#/b' is no valid topic filter"));
  CHECK_THAT(detail, Catch::Contains("acl:2:5: the user name is missing; allowed: 'user NAME'"));
  CHECK_THAT(
      detail,
      Catch::Contains("acl:3:7: 'raed' is no access word; allowed: read, write, readwrite, deny"));
  CHECK_THAT(detail, Catch::Contains("acl:4:3: 'tpoic' begins no line; allowed: 'topic [read|"));
  CHECK_THAT(detail, Catch::Contains("acl:5:6: the topic filter is missing"));
  CHECK_THAT(detail, Catch::Contains("acl:6:13: the topic filter is missing"));
  CHECK_THAT(detail, Catch::Contains("acl:7:7: 'a+' is no valid topic filter"));
  CHECK_THAT(detail, !Catch::Contains("acl:9"));
}

TEST_CASE("what an error quotes is short and printable") {
  const std::string detail = complaint_about("\x1B[31m" + std::string(100'000, 'x') + "\n");
  CHECK(detail.size() < 400);
  CHECK(detail.find('\x1B') == std::string::npos);
}

TEST_CASE("the epoch is the one given at loading") {
  CHECK(AclFile::parse("", "acl", 42).value()->epoch() == 42);
  const auto missing = AclFile::load("/nonexistent/acl", 1);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == ErrorCode::NotFound);
}

TEST_CASE("the example file loads and says what its comments promise") {
  const auto conf = std::filesystem::path(TWINMQ_SOURCE_DIR) / "conf";
  const auto file = AclFile::load((conf / "acl.example").string(), 1);
  if (!file) FAIL(file.error().detail);
  Identity thing;
  thing.principal = "thing";
  const auto publishes = [&](std::string_view name) {
    return (*file)->may(thing, Action::Publish, name, QoS::AtMostOnce, false);
  };
  CHECK(publishes("devices/thing/measurements/1"));
  CHECK_FALSE(publishes("devices/other/measurements/1"));
  CHECK_FALSE(publishes("public/x"));
}
