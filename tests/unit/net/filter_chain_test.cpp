#include <catch2/catch.hpp>

#include <string>

#include "net/filter_chain.hpp"
#include "unit/net/toy_filters.hpp"

namespace {

using namespace twinmq;
using namespace twinmq::net;

std::string rise(FilterChain& chain, FilterRoom& room, std::string_view bytes) {
  return std::string(text_of(chain.receive(bytes_of(bytes), room)));
}

std::string taken_down(FilterRoom& room) {
  std::string down(text_of(room.down.view()));
  room.down.clear();
  return down;
}

std::string sink(FilterChain& chain, FilterRoom& room, std::string text) {
  const iovec part{text.data(), text.size()};
  chain.send({&part, 1}, room);
  return taken_down(room);
}

TEST_CASE("a chain is open when each of its filters is, from the bottom up") {
  const auto chain =
      toy::chain(std::make_unique<toy::Cipher>("low"), std::make_unique<toy::Cipher>("high"));
  FilterRoom room;
  CHECK(chain->state() == FilterState::Handshaking);
  CHECK(rise(*chain, room, "hello\n").empty());
  CHECK(taken_down(room) == "welcome\n");
  CHECK(chain->state() == FilterState::Handshaking);
  // What the upper one answers goes through the lower one.
  CHECK(rise(*chain, room, toy::shifted("hello\n" + toy::shifted("text"))) == "text");
  CHECK(taken_down(room) == toy::shifted("welcome\n"));
  CHECK(chain->state() == FilterState::Open);
  CHECK(chain->take_facts()->principal == "high");
  CHECK(sink(*chain, room, "answer") == toy::shifted(toy::shifted("answer")));
}

TEST_CASE("a filter that has done its work leaves what follows to the next one") {
  const auto chain = toy::chain(std::make_unique<toy::Header>(), std::make_unique<toy::Cipher>());
  FilterRoom room;
  CHECK(rise(*chain, room, "10.0").empty());
  CHECK(chain->state() == FilterState::Handshaking);
  CHECK(rise(*chain, room, ".0.1;hello\n" + toy::shifted("text")) == "text");
  CHECK(taken_down(room) == "welcome\n");
  CHECK(chain->state() == FilterState::Open);
  const auto facts = chain->take_facts();
  CHECK(facts->peer == "10.0.0.1");
  CHECK(facts->principal == "toy");
  CHECK(sink(*chain, room, "answer") == toy::shifted("answer"));
}

TEST_CASE("a chain that all filters left passes bytes untouched") {
  const auto chain = toy::chain(std::make_unique<toy::Header>());
  FilterRoom room;
  CHECK(rise(*chain, room, "10.0.0.1;text") == "text");
  CHECK(chain->state() == FilterState::Gone);
  CHECK(chain->open());
  CHECK(rise(*chain, room, "more") == "more");
  CHECK(sink(*chain, room, "answer") == "answer");
}

TEST_CASE("the failure of an upper filter is told through the lower one and ends the chain") {
  const auto chain = toy::chain(std::make_unique<toy::Cipher>(), std::make_unique<toy::Cipher>());
  FilterRoom room;
  CHECK(rise(*chain, room, "hello\n" + toy::shifted("rubbish")).empty());
  CHECK(taken_down(room) == "welcome\n" + toy::shifted("go away\n"));
  CHECK(chain->state() == FilterState::Failed);
  CHECK(chain->error() == "no greeting");
}

TEST_CASE("the end of a lower filter's stream comes behind its last bytes") {
  const auto chain = toy::chain(std::make_unique<toy::Cipher>(), std::make_unique<toy::Header>());
  FilterRoom room;
  CHECK(rise(*chain, room, "hello\n" + toy::shifted("1;last") + '\0') == "last");
  CHECK(chain->state() == FilterState::Ended);
}

TEST_CASE("every layer says goodbye, the highest first and through those below") {
  const auto chain = toy::chain(std::make_unique<toy::Cipher>(), std::make_unique<toy::Cipher>());
  FilterRoom room;
  rise(*chain, room, "hello\n" + toy::shifted("hello\n"));
  taken_down(room);
  chain->end(room);
  CHECK(taken_down(room) == toy::shifted("bye\n") + "bye\n");
}

}  // namespace
