#include "modules/shadow/shadow_topics.hpp"

#include <catch2/catch.hpp>

namespace twinmq::shadow::test {

TEST_CASE("requests are read from topics of classic and named shadows", "[shadow]") {
  const ShadowTopic classic = read_topic("$aws/things/T-1/shadow/update");
  CHECK(classic.kind == TopicKind::Request);
  CHECK(classic.operation == Operation::Update);
  CHECK(classic.shadow == ShadowName{"T-1", ""});
  const ShadowTopic named = read_topic("$aws/things/T/shadow/name/cfg/get");
  CHECK(named.kind == TopicKind::Request);
  CHECK(named.operation == Operation::Get);
  CHECK(named.shadow == ShadowName{"T", "cfg"});
  CHECK(read_topic("$aws/things/T/shadow/delete").operation == Operation::Delete);
  CHECK(read_topic("$aws/things/T/shadow/name/name/delete").shadow == ShadowName{"T", "name"});
}

TEST_CASE("what the service answers with is told from requests", "[shadow]") {
  for (const char* prefix : {"$aws/things/T/shadow/", "$aws/things/T/shadow/name/n/"}) {
    for (const char* rest :
         {"get/accepted", "get/rejected", "update/accepted", "update/rejected", "update/delta",
          "update/documents", "delete/accepted", "delete/rejected"})
      CHECK(read_topic(std::string(prefix) + rest).kind == TopicKind::Answer);
    for (const char* rest : {"", "gets", "get/", "get/delta", "delete/documents",
                             "update/accepted/x", "GET", "list", "update/Accepted", "name"})
      CHECK(read_topic(std::string(prefix) + rest).kind == TopicKind::Unknown);
  }
  for (const char* topic : {"$aws/things/T/shadow", "$aws/things/T/shadow/",
                            "$aws/things/T/shadow/name", "$aws/things/T/shadow/name/",
                            "$aws/things/T/shadow/name/n", "$aws/things/T/shadow/name//get"})
    CHECK(read_topic(topic).kind == TopicKind::Unknown);
}

TEST_CASE("other topics are not judged", "[shadow]") {
  for (const char* topic : {"", "a", "$aws", "$aws/things", "$aws/things/", "$aws/things/T",
                            "$aws/things/T/jobs/get", "$aws/things/T/shadows/get", "$aws/rules/r/x",
                            "x/$aws/things/T/shadow/get", "$AWS/things/T/shadow/get"})
    CHECK(read_topic(topic).kind == TopicKind::Other);
}

TEST_CASE("names have AWS's characters and lengths", "[shadow]") {
  CHECK(is_thing_name("aZ09:_-"));
  CHECK(is_thing_name(std::string(128, 'a')));
  CHECK_FALSE(is_thing_name(std::string(129, 'a')));
  CHECK(is_shadow_name("$package:1_-"));
  CHECK(is_shadow_name(std::string(64, 'a')));
  CHECK_FALSE(is_shadow_name(std::string(65, 'a')));
  CHECK_FALSE(is_thing_name("$x"));
  for (const char* name : {"", "a b", "a.b", "a/b", "ü", "a+", "#"}) {
    CHECK_FALSE(is_thing_name(name));
    CHECK_FALSE(is_shadow_name(name));
  }
}

TEST_CASE("a prefix is what it was read from", "[shadow]") {
  std::string out;
  write_prefix({"T", ""}, out);
  CHECK(out == "$aws/things/T/shadow");
  out.clear();
  write_prefix({"T", "n"}, out);
  CHECK(out == "$aws/things/T/shadow/name/n");
}

TEST_CASE("what goes beyond AWS has topics of its own", "[shadow]") {
  const ShadowTopic patch = read_topic("$twinmq/things/T/shadow/name/n/patch");
  CHECK(patch.kind == TopicKind::Request);
  CHECK(patch.operation == Operation::Patch);
  CHECK(patch.extended);
  CHECK(patch.shadow == ShadowName{"T", "n"});
  CHECK(read_topic("$twinmq/things/T/shadow/update").operation == Operation::Update);
  for (const char* rest :
       {"removed", "patch/accepted", "patch/rejected", "update/accepted", "update/rejected"})
    CHECK(read_topic(std::string("$twinmq/things/T/shadow/") + rest).kind == TopicKind::Answer);
  for (const char* rest : {"get", "delete", "update/delta", "update/documents", "x", ""})
    CHECK(read_topic(std::string("$twinmq/things/T/shadow/") + rest).kind == TopicKind::Unknown);
  CHECK(read_topic("$aws/things/T/shadow/patch").kind == TopicKind::Unknown);
  CHECK(read_topic("$twinmq/other").kind == TopicKind::Other);
}

}  // namespace twinmq::shadow::test
