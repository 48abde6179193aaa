#include "records/key_runs.hpp"

#include <catch2/catch.hpp>

#include "records/session_record.hpp"

using namespace twinmq::records;

TEST_CASE(
    "The deliveries of one session are one run, and so is every shadow's document by itself") {
  const auto delivery = [](std::string_view client, std::uint64_t sequence) {
    return session_key(client, SessionRecordKind::Delivery, delivery_rest(sequence));
  };
  const std::string first = delivery("a", 1);
  const std::string second = delivery("a", 2);
  const std::size_t size = run_prefix(first);
  CHECK(size == first.size() - 8);
  CHECK(run_prefix(second) == size);
  CHECK(first.substr(0, size) == second.substr(0, size));
  CHECK(delivery("b", 1).substr(0, size) != first.substr(0, size));
  CHECK(run_prefix(session_key("a", SessionRecordKind::Session)) == 0);
  CHECK(run_prefix("retained/topic") == 0);
  CHECK(run_prefix(std::string("dlamp\0", 6)) == 6);
  CHECK(run_prefix("elamp") == 0);
  const std::string message = common_message_key((std::uint64_t{3} << 48) + 1);
  CHECK(run_prefix(message) == 3);
  CHECK(run_prefix(message.substr(0, 2)) == 2);
  CHECK(run_prefix("") == 0);
}
