#include "modules/rules/drop_events.hpp"

#include <catch2/catch.hpp>

#include "rules_world.hpp"

namespace twinmq::rules {
namespace {

using Reason = DroppedMessage::Reason;

struct Drops {
  Drops() {
    host.heard = true;
    events.attach(host);
  }

  std::vector<Published> pass(std::int64_t milliseconds) {
    host.at.steady += Milliseconds(milliseconds);
    host.at.wall += Milliseconds(milliseconds);
    if (events.next_deadline() > host.at.steady) return {};
    Collected reaction;
    events.on_time(reaction);
    return reaction.published;
  }

  Host host;
  DropEvents events;
};

}  // namespace

TEST_CASE("dropped messages are told once a second and reason, with their number", "[rules]") {
  Drops drops;
  CHECK(drops.events.next_deadline() == kNever);
  drops.events.on_drop({Reason::QueueFull, "c\"1", "a/b"});
  drops.events.on_drop({Reason::QueueFull, "c2", "a/c"});
  drops.events.on_drop({Reason::Hops, "", "loop"});
  const auto first = drops.pass(0);
  REQUIRE(first.size() == 2);
  CHECK(first[0].topic == "$twinmq/events/dropped/queue_full");
  CHECK(
      first[0].payload ==
      R"({"reason":"queue_full","clientId":"c\"1","topic":"a/b","count":2,"timestamp":1700000000000})");
  CHECK(first[1].topic == "$twinmq/events/dropped/hops");
  for (int i = 0; i < 5; ++i) drops.events.on_drop({Reason::QueueFull, "c3", "a/d"});
  drops.events.on_drop({Reason::Expired, "c3", "a/d"});
  CHECK(drops.pass(999).size() == 1);
  const auto later = drops.pass(1);
  REQUIRE(later.size() == 1);
  CHECK(
      later[0].payload ==
      R"({"reason":"queue_full","clientId":"c3","topic":"a/d","count":5,"timestamp":1700000001000})");
  CHECK(drops.events.next_deadline() == kNever);
}

TEST_CASE("a dropped event is told by none, and none is made that nobody hears", "[rules]") {
  Drops drops;
  drops.events.on_drop({Reason::QueueFull, "c", "$twinmq/events/dropped/queue_full"});
  CHECK(drops.events.next_deadline() == kNever);
  drops.host.heard = false;
  drops.events.on_drop({Reason::QueueFull, "c", "a"});
  CHECK(drops.pass(0).empty());
  drops.host.heard = true;
  CHECK(drops.pass(5000).empty());
  drops.events.on_drop({Reason::QueueFull, "c", "b"});
  CHECK(drops.pass(0).size() == 1);
}

TEST_CASE("every reason has a name of its own", "[rules]") {
  CHECK(name_of(Reason::QueueFull) == "queue_full");
  CHECK(name_of(Reason::QueueRefused) == "queue_refused");
  CHECK(name_of(Reason::OutputFull) == "output_full");
  CHECK(name_of(Reason::Expired) == "expired");
  CHECK(name_of(Reason::TooLarge) == "too_large");
  CHECK(name_of(Reason::NotAuthorized) == "not_authorized");
  CHECK(name_of(Reason::ByHost) == "by_host");
  CHECK(name_of(Reason::Hops) == "hops");
}

}  // namespace twinmq::rules
