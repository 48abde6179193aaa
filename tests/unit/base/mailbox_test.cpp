#include "base/mailbox.hpp"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/prng.hpp"

using twinmq::base::MailExchange;
using twinmq::base::Prng;

namespace {

/// What ends a shard's wait in these tests.
class Bell {
 public:
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    condition_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool rung_ = false;
};

std::vector<unsigned> woken_by(MailExchange<int>& mail, unsigned self) {
  std::vector<unsigned> woken;
  mail.wake_sleepers(self, [&](unsigned shard) { woken.push_back(shard); });
  return woken;
}

}  // namespace

TEST_CASE("letters wait in the outbox until they are handed over", "[base][mailbox]") {
  MailExchange<int> mail(2);
  mail.outbox(0, 1).push_back(7);
  CHECK_FALSE(mail.has_mail(1));
  CHECK(mail.take(1, 0) == nullptr);
  CHECK(mail.hand_over(0, 1));
  CHECK(mail.backlog(0, 1) == 0);
  CHECK(mail.has_mail(1));
  CHECK_FALSE(mail.has_mail(0));
  auto* batch = mail.take(1, 0);
  REQUIRE(batch);
  CHECK(*batch == std::vector{7});
  CHECK(mail.take(1, 0) == nullptr);
  mail.give_back(1, 0, batch);
}

TEST_CASE("while a batch has not been taken, later letters stay and keep their order",
          "[base][mailbox]") {
  MailExchange<int> mail(2);
  mail.outbox(0, 1).push_back(1);
  CHECK(mail.hand_over(0, 1));
  mail.outbox(0, 1).push_back(2);
  CHECK_FALSE(mail.hand_over(0, 1));
  mail.outbox(0, 1).push_back(3);
  CHECK_FALSE(mail.hand_over(0, 1));
  CHECK(mail.backlog(0, 1) == 2);
  auto* batch = mail.take(1, 0);
  CHECK(*batch == std::vector{1});
  mail.give_back(1, 0, batch);
  CHECK(mail.hand_over(0, 1));
  batch = mail.take(1, 0);
  CHECK(*batch == std::vector{2, 3});
  mail.give_back(1, 0, batch);
}

TEST_CASE("a batch may be handed over while the one before is being read", "[base][mailbox]") {
  MailExchange<int> mail(2);
  mail.outbox(0, 1).push_back(1);
  mail.hand_over(0, 1);
  auto* batch = mail.take(1, 0);
  mail.outbox(0, 1).push_back(2);
  CHECK(mail.hand_over(0, 1));
  CHECK(*batch == std::vector{1});
  mail.give_back(1, 0, batch);
}

TEST_CASE("an empty outbox hands nothing over", "[base][mailbox]") {
  MailExchange<int> mail(2);
  CHECK(mail.hand_over(0, 1));
  CHECK_FALSE(mail.has_mail(1));
  CHECK(woken_by(mail, 0).empty());
}

TEST_CASE("letters end on the receiver's side, when the batch is given back", "[base][mailbox]") {
  MailExchange<std::shared_ptr<int>> mail(2);
  const auto letter = std::make_shared<int>(1);
  mail.outbox(0, 1).push_back(letter);
  mail.hand_over(0, 1);
  auto* batch = mail.take(1, 0);
  CHECK(letter.use_count() == 2);
  mail.give_back(1, 0, batch);
  CHECK(letter.use_count() == 1);
}

TEST_CASE("mail wakes a sleeping receiver once, and leaves a waking one alone", "[base][mailbox]") {
  MailExchange<int> mail(3);
  mail.outbox(0, 1).push_back(1);
  mail.outbox(0, 2).push_back(1);
  REQUIRE(mail.sleep(2));
  mail.hand_over(0, 1);
  mail.hand_over(0, 2);
  CHECK(woken_by(mail, 0) == std::vector{2u});
  CHECK(woken_by(mail, 0).empty());
}

TEST_CASE("a shard with mail does not fall asleep", "[base][mailbox]") {
  MailExchange<int> mail(2);
  mail.outbox(0, 1).push_back(1);
  mail.hand_over(0, 1);
  CHECK_FALSE(mail.sleep(1));
  CHECK(woken_by(mail, 0).empty());
}

TEST_CASE("a sender that sleeps on a backlog is woken when its receiver makes room",
          "[base][mailbox]") {
  MailExchange<int> mail(2);
  mail.outbox(0, 1).push_back(1);
  mail.hand_over(0, 1);
  mail.outbox(0, 1).push_back(2);
  CHECK_FALSE(mail.hand_over(0, 1));
  REQUIRE(mail.sleep(0));
  auto* batch = mail.take(1, 0);
  mail.give_back(1, 0, batch);
  CHECK(woken_by(mail, 1) == std::vector{0u});
  mail.awake(0);
  CHECK(mail.hand_over(0, 1));
}

TEST_CASE("a sender does not fall asleep on letters that could be handed over", "[base][mailbox]") {
  MailExchange<int> mail(2);
  mail.outbox(0, 1).push_back(1);
  CHECK_FALSE(mail.sleep(0));
  mail.hand_over(0, 1);
  CHECK(mail.sleep(0));
}

TEST_CASE("the memory of a burst is not kept", "[base][mailbox]") {
  MailExchange<int> mail(2);
  std::size_t largest = 0;
  for (int round = 0; round < 10; ++round) {
    auto& outbox = mail.outbox(0, 1);
    outbox.resize(round == 0 ? 100'000 : 1);
    mail.hand_over(0, 1);
    auto* batch = mail.take(1, 0);
    if (round > 5) largest = std::max(largest, batch->capacity());
    mail.give_back(1, 0, batch);
  }
  CHECK(largest < 1000);
}

TEST_CASE("shards on threads of their own lose, repeat and reorder nothing and never oversleep",
          "[base][mailbox]") {
  constexpr unsigned kShards = 3;
  constexpr std::uint64_t kLetters = 20'000;
  struct Letter {
    std::unique_ptr<std::uint64_t> number;
  };
  MailExchange<Letter> mail(kShards);
  Bell bells[kShards];
  std::uint64_t wrong[kShards] = {};

  const auto run = [&](unsigned self) {
    Prng random(self + 1);
    std::uint64_t sent[kShards] = {};
    std::uint64_t seen[kShards] = {};
    sent[self] = seen[self] = kLetters;
    for (;;) {
      bool done = true;
      for (unsigned peer = 0; peer < kShards; ++peer) {
        if (auto* batch = mail.take(self, peer)) {
          for (const Letter& letter : *batch) wrong[self] += *letter.number != seen[peer]++;
          mail.give_back(self, peer, batch);
        }
        for (std::uint64_t n = random.below(20); n > 0 && sent[peer] < kLetters; --n)
          mail.outbox(self, peer).push_back({std::make_unique<std::uint64_t>(sent[peer]++)});
        done =
            mail.hand_over(self, peer) && done && sent[peer] == kLetters && seen[peer] == kLetters;
      }
      mail.wake_sleepers(self, [&](unsigned shard) { bells[shard].ring(); });
      if (done) return;
      // Sleeps with letters unsent too, so that only mail and room can end the wait: the others go
      // on until all letters have arrived, so somebody always acts next.
      bool all_sent = true;
      for (const std::uint64_t count : sent) all_sent = all_sent && count == kLetters;
      if (!all_sent && random.chance(0.5)) continue;
      if (!all_sent) {
        bool backlog = false;
        for (unsigned peer = 0; peer < kShards; ++peer)
          backlog = backlog || mail.backlog(self, peer) > 0;
        if (!backlog) continue;
      }
      if (mail.sleep(self)) bells[self].wait();
      mail.awake(self);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned shard = 0; shard < kShards; ++shard) threads.emplace_back(run, shard);
  for (std::thread& thread : threads) thread.join();
  for (const std::uint64_t count : wrong) CHECK(count == 0);
}
