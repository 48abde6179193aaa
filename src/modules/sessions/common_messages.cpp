// SessionModule's part for messages that several deliveries have in common.

#include <bitset>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "modules/sessions/session_module.hpp"
#include "records/message_record.hpp"
#include "records/session_record.hpp"

namespace twinmq::sessions {

using records::common_message_key;

bool SessionModule::common_message(std::uint64_t number, const Message& message, Now now,
                                   Batch& batch) {
  batch.put(common_message_key(number), records::encode_message(message, now));
  return true;
}

void SessionModule::common_message_gone(std::uint64_t number, Batch& batch) {
  batch.erase(common_message_key(number));
}

std::uint64_t SessionModule::common_message_number(std::string_view key) {
  const Result<std::uint64_t> number = records::common_message_number(key);
  return number ? *number : 0;
}

namespace {

Result<std::optional<std::uint64_t>> first_of(Store& store, const NumberRange& range) {
  std::optional<std::uint64_t> first;
  const Result<void> done = store.scan(common_message_key(range.from), common_message_key(range.to),
                                       [&](std::string_view key, std::string_view) {
                                         const auto number = records::common_message_number(key);
                                         if (number) first = *number;
                                         return !first;
                                       });
  if (!done) return done.error();
  return first;
}

/// Many numbers, of which long runs are common.
class NumberSet {
 public:
  void insert(std::uint64_t number) {
    auto& run = runs_[number / kRun];
    if (!run) run = std::make_unique<std::bitset<kRun>>();
    run->set(number % kRun);
  }
  bool contains(std::uint64_t number) const {
    const auto run = runs_.find(number / kRun);
    return run != runs_.end() && run->second->test(number % kRun);
  }

 private:
  static constexpr std::size_t kRun = 1024;
  std::unordered_map<std::uint64_t, std::unique_ptr<std::bitset<kRun>>> runs_;
};

/// Looks through the store in parts: first at all deliveries, for what they name, then at the
/// messages. References only ever vanish, so that what is seen of them at different moments can be
/// taken together.
class Look {
 public:
  explicit Look(std::vector<NumberRange> among) : among_(std::move(among)) {}

  Result<StoreEntries> go_on(Store& store) {
    if (place_.empty()) {
      const auto any = has_messages(store);
      if (!any) return any.error();
      if (!*any) return StoreEntries{};
      place_ = std::string(1, records::kSessionPrefix);
    }
    return place_.front() == records::kSessionPrefix ? note_deliveries(store)
                                                     : find_messages(store);
  }

 private:
  static constexpr std::size_t kDeliveries = 5000;
  static constexpr std::size_t kMessages = 500;  // long ones, all of them

  Result<bool> has_messages(Store& store) const {
    for (const NumberRange& range : among_) {
      const auto first = first_of(store, range);
      if (!first) return first.error();
      if (*first) return true;
    }
    return false;
  }

  Result<StoreEntries> note_deliveries(Store& store) {
    std::size_t seen = 0;
    std::string next;
    const auto note = [&](std::string_view key, std::string_view record) {
      if (++seen > kDeliveries) {
        next = key;
        return false;
      }
      const auto parts = records::parse_session_key(key);
      if (!parts || parts->kind != records::SessionRecordKind::Delivery) return true;
      if (const std::uint64_t number = records::outline_of(record).common_message; number != 0)
        used_.insert(number);
      return true;
    };
    const std::string to(1, static_cast<char>(records::kSessionPrefix + 1));
    if (auto done = store.scan(place_, to, note); !done) return done.error();
    place_ = next.empty() ? common_message_key(among_.front().from) : std::move(next);
    StoreEntries nothing;
    nothing.more = true;
    return nothing;
  }

  Result<StoreEntries> find_messages(Store& store) {
    StoreEntries unused;
    std::size_t seen = 0;
    std::string next;
    const auto judge = [&](std::string_view key, std::string_view) {
      if (++seen > kMessages) {
        next = key;
        return false;
      }
      const auto number = records::common_message_number(key);
      if (number && !used_.contains(*number)) unused.entries.emplace_back(key, "");
      return true;
    };
    if (auto done = store.scan(place_, common_message_key(among_[range_].to), judge); !done)
      return done.error();
    if (next.empty() && ++range_ < among_.size()) next = common_message_key(among_[range_].from);
    unused.more = !next.empty();
    place_ = std::move(next);
    return unused;
  }

  const std::vector<NumberRange> among_;
  NumberSet used_;
  std::string place_;  ///< where to go on; empty: at the beginning
  std::size_t range_ = 0;
};

}  // namespace

// A broker numbers upwards, so the last is near the end of what there is: each step halves what is
// left.
Result<std::uint64_t> SessionModule::last_common_message(Store& store, std::uint64_t from,
                                                         std::uint64_t to) {
  std::uint64_t last = 0;
  while (from < to) {
    const std::uint64_t middle = from + (to - from) / 2;
    auto found = first_of(store, {middle, to});
    if (!found) return found.error();
    if (*found) {
      last = **found;
      from = last + 1;
    } else {
      to = middle;
    }
  }
  return last;
}

StoreRange SessionModule::unused_common_messages(std::vector<NumberRange> among) {
  StoreRange range;
  range.search = [look = std::make_shared<Look>(std::move(among))](Store& store) {
    return look->go_on(store);
  };
  return range;
}

}  // namespace twinmq::sessions
