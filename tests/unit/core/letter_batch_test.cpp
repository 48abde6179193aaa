#include "core/letter_batch.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace twinmq;
using namespace twinmq::core;

namespace {

MessageParts parts_of(std::string_view topic, std::string_view payload) {
  MessageParts parts;
  parts.topic = topic;
  parts.payload = payload;
  parts.properties = "pp";
  parts.publisher = "who";
  parts.publisher_session = 7;
  parts.qos = QoS::AtLeastOnce;
  parts.retain = true;
  parts.hops = 3;
  return parts;
}

struct Reader {
  std::vector<std::string>& read_so_far;

  void deliver(const MessageParts& message, const PartOf& part) const {
    read_so_far.push_back("deliver " + std::string(message.topic) + "=" +
                          std::to_string(message.payload.size()) + std::string(message.properties) +
                          std::string(message.publisher) +
                          std::to_string(message.publisher_session) + std::to_string(message.hops) +
                          (message.retain ? "r" : "") + " part " +
                          std::to_string(part.transaction) + "/" + std::to_string(part.weight));
  }
  void deliver_to_member(const MessageParts& message, const PartOf& part,
                         const MemberCopy& copy) const {
    read_so_far.push_back("member " + std::string(message.topic) + " " + std::string(copy.share) +
                          " " + std::to_string(copy.member.index) + " " +
                          std::to_string(copy.subscription_id) + " part " +
                          std::to_string(part.transaction));
  }
  void read(Letter& letter) const {
    if (const auto* closed = std::get_if<PartClosed>(&letter)) {
      read_so_far.push_back("closed " + std::to_string(closed->transaction) + "+" +
                            std::to_string(closed->more) + (closed->refused ? " refused" : ""));
    } else {
      read_so_far.push_back("other");
    }
  }
};

}  // namespace

TEST_CASE("letters and messages are read in the order they were posted") {
  LetterBatch batch;
  batch.deliver(parts_of("a", "12345"), {1, 2, 3});
  batch.deliver(parts_of("b", std::string(900, 'x')), {1, 4, 5});
  batch.push_back(FencePassed{1});
  DeliverToMember to;
  to.member = SessionKey{9, 1};
  to.subscription_id = 11;
  to.share = "group/#";
  batch.deliver_to_member(parts_of("c", ""), {1, 6, 7}, to);
  std::vector<std::string> read;
  batch.read(Reader{read});
  CHECK(read == std::vector<std::string>{"deliver a=5ppwho73r part 2/3",
                                         "deliver b=900ppwho73r part 4/5", "other",
                                         "member c group/# 9 11 part 6"});
  batch.clear();
  CHECK(batch.empty());
  batch.deliver(parts_of("again", ""), {});
  read.clear();
  batch.read(Reader{read});
  CHECK(read == std::vector<std::string>{"deliver again=0ppwho73r part 0/0"});
}

TEST_CASE("a batch grows with its messages and keeps each of them whole") {
  LetterBatch batch;
  for (int i = 0; i < 2000; ++i)
    batch.deliver(
        parts_of("t" + std::to_string(i), std::string(static_cast<std::size_t>(i) % 800, 'y')), {});
  std::vector<std::string> read;
  batch.read(Reader{read});
  REQUIRE(read.size() == 2000);
  CHECK(read[1999] == "deliver t1999=399ppwho73r part 0/0");
  CHECK(read[801] == "deliver t801=1ppwho73r part 0/0");
}

TEST_CASE("parts of one transaction after the other that closed alike are one letter") {
  LetterBatch batch;
  const auto closed = [](TransactionId id, bool refused) {
    PartClosed letter;
    letter.transaction = id;
    letter.weight = 8;
    letter.refused = refused;
    return letter;
  };
  for (const TransactionId id : {5u, 6u, 7u}) batch.close_part(closed(id, false));
  batch.close_part(closed(8, true));
  batch.close_part(closed(10, true));
  std::vector<std::string> read;
  batch.read(Reader{read});
  CHECK(read ==
        std::vector<std::string>{"closed 5+2", "closed 8+0 refused", "closed 10+0 refused"});
}
