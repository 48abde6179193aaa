// SessionModule's part for messages that several deliveries have in common.

#include <algorithm>
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

bool SessionModule::common_message(std::uint64_t number, const Message& message, Now now, Batch& batch) {
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

// So many are erased in one batch.
constexpr std::size_t kUnusedMax = 20'000;

// References only ever vanish, so that what is seen of them at different moments can be taken together.
Result<StoreEntries> find_unused(Store& store, const std::vector<NumberRange>& among) {
  StoreEntries unused;
  bool any = false;
  for (const NumberRange& range : among) {
    const auto first = first_of(store, range);
    if (!first) return first.error();
    any = any || first->has_value();
  }
  if (!any) return unused;

  NumberSet used;
  const auto note = [&](std::string_view key, std::string_view record) {
    const auto parts = records::parse_session_key(key);
    if (!parts || parts->kind != records::SessionRecordKind::Delivery) return true;
    if (const std::uint64_t number = records::outline_of(record).common_message; number != 0)
      used.insert(number);
    return true;
  };
  const std::string from(1, records::kSessionPrefix);
  const std::string to(1, static_cast<char>(records::kSessionPrefix + 1));
  if (auto done = store.scan(from, to, note); !done) return done.error();

  for (const NumberRange& range : among) {
    const auto done = store.scan(common_message_key(range.from), common_message_key(range.to),
                                 [&](std::string_view key, std::string_view) {
                                   const auto number = records::common_message_number(key);
                                   if (!number || used.contains(*number)) return true;
                                   unused.more = unused.entries.size() == kUnusedMax;
                                   if (!unused.more) unused.entries.emplace_back(key, "");
                                   return !unused.more;
                                 });
    if (!done) return done.error();
    if (unused.more) break;
  }
  return unused;
}

}  // namespace

// A broker numbers upwards, so the last is near the end of what there is: each step halves what is left.
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
  range.search = [among = std::move(among)](Store& store) { return find_unused(store, among); };
  return range;
}

}  // namespace twinmq::sessions
