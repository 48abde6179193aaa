#include "sinks/durable_queue.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/escape.hpp"
#include "base/start_thread.hpp"
#include "records/sink_record.hpp"

namespace twinmq::sinks {

namespace {

using records::kDeadLetterPrefix;
using records::kSinkPrefix;

/// A commit that is not told to be safe by then was lost with a store that failed.
constexpr std::chrono::seconds kCommitPatience{30};

std::string behind(std::string prefix) {
  prefix.append(16, '\xff');
  return prefix;
}

}  // namespace

DurableQueue::DurableQueue(const QueueParts& parts, std::string name, std::unique_ptr<Sink> sink,
                           SinkOptions options)
    : parts_(parts), name_(std::move(name)) {
  exchange(std::move(sink), options);
  take_stock();
}

Result<void> DurableQueue::start() {
  const std::scoped_lock life(life_);
  if (!sink_) return {};
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = false;
    news_ = true;
  }
  from_the_start_ = true;
  auto thread = base::start_thread([this] { run(); });
  if (!thread) {
    log(LogLevel::Error, "sink does not deliver", "reason=" + escaped(thread.error().detail));
    return thread.error();
  }
  thread_ = std::move(*thread);
  return {};
}

void DurableQueue::stop() {
  const std::scoped_lock life(life_);
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (sink_) sink_->cancel();
  if (thread_.joinable()) thread_.join();
}

void DurableQueue::exchange(std::unique_ptr<Sink> sink, SinkOptions options) {
  const std::scoped_lock life(life_);
  sink_ = std::move(sink);
  options_ = options;
  entries_max_ = options.entries_max;
  bytes_max_ = options.bytes_max;
  full_ = options.full;
  idle_ = sink_ == nullptr;
}

void DurableQueue::give_up() {
  const std::uint64_t count = entries_ + dead_;
  Batch changes;
  for (const char kind : {kSinkPrefix, kDeadLetterPrefix}) {
    const std::string prefix = records::sink_prefix(kind, name_);
    changes.erase_range(prefix, behind(prefix));
  }
  parts_.write(std::move(changes), [] {});
  entries_ = bytes_ = dead_ = 0;
  if (count > 0) log(LogLevel::Warning, "sink given up", "entries=" + std::to_string(count));
}

bool DurableQueue::hand_over(std::uint32_t shard, const SinkEntry& entry, Reaction& reaction) {
  const std::string value = records::encode_sink_entry(entry);
  if (entries_ + 1 > entries_max_ || bytes_ + value.size() > bytes_max_) {
    const SinkFull full = full_;
    if (full == SinkFull::Reject) return false;
    ++dropped_;
    if (full == SinkFull::DropNewest) return true;
    ++to_drop_;
  }
  const auto lane = static_cast<std::uint16_t>(shard % kLanes);
  lanes_ |= std::uint64_t{1} << lane;
  reaction.records().put(records::sink_key(kSinkPrefix, name_, lane, next_[lane]++), value);
  reaction.after_commit([self = shared_from_this(), size = value.size()] { self->added(1, size); });
  return true;
}

SinkStatistics DurableQueue::statistics() const {
  SinkStatistics told;
  told.name = name_;
  told.waiting_entries = entries_;
  told.waiting_bytes = bytes_;
  told.delivered = delivered_;
  told.attempts_failed = failed_;
  told.dropped = dropped_;
  told.dead_letters = dead_;
  const std::scoped_lock lock(mutex_);
  told.failing = !error_.empty();
  told.last_error = error_;
  return told;
}

std::size_t DurableQueue::replay() {
  const std::string prefix = records::sink_prefix(kDeadLetterPrefix, name_);
  Batch changes;
  std::size_t count = 0;
  std::size_t bytes = 0;
  (void)parts_.store->scan(prefix, behind(prefix),
                           [&](std::string_view key, std::string_view value) {
                             std::string back(key);
                             back.front() = kSinkPrefix;
                             changes.put(back, value);
                             changes.erase(key);
                             ++count;
                             bytes += value.size();
                             return true;
                           });
  if (count == 0 || !commit(std::move(changes))) return 0;
  dead_ -= std::min<std::uint64_t>(count, dead_);
  from_the_start_ = true;
  added(count, bytes);
  return count;
}

// Counted under the lock: read() sets the counts to nothing when it finds nothing and hears of
// nothing new.
void DurableQueue::added(std::size_t entries, std::size_t bytes) {
  {
    const std::scoped_lock lock(mutex_);
    entries_ += entries;
    bytes_ += bytes;
    ++additions_;
    news_ = true;
  }
  wake_.notify_all();
}

// What earlier runs left.
void DurableQueue::take_stock() {
  next_.fill(0);
  const auto count = [&](char kind, std::atomic<std::uint64_t>& entries,
                         std::atomic<std::uint64_t>* bytes) {
    const std::string prefix = records::sink_prefix(kind, name_);
    (void)parts_.store->scan(prefix, behind(prefix),
                             [&](std::string_view key, std::string_view value) {
                               const auto parsed = records::parse_sink_key(key);
                               if (!parsed) return true;
                               ++entries;
                               if (bytes) *bytes += value.size();
                               lanes_ |= std::uint64_t{1} << (parsed->lane % kLanes);
                               auto& next = next_[parsed->lane % kLanes];
                               next = std::max(next, parsed->sequence + 1);
                               return true;
                             });
  };
  count(kSinkPrefix, entries_, &bytes_);
  count(kDeadLetterPrefix, dead_, nullptr);
  news_ = true;
}

void DurableQueue::run() {
  Milliseconds backoff = options_.retry_min;
  while (wait_for_news()) {
    std::vector<Waiting> places;
    std::vector<SinkEntry> batch;
    if (!read(places, batch)) continue;
    if (drop_oldest(places)) continue;
    if (linger(batch)) continue;
    const SinkVerdict verdict = sink_->deliver(batch);
    const std::size_t done = std::min(verdict.count, batch.size());
    if (done > 0) {
      delivered_ += done;
      erase(std::span(places).first(done));
    }
    if (verdict.kind == SinkVerdict::Kind::Refused && done < places.size()) {
      bury(places[done], batch[done], verdict.why);
    } else if (verdict.kind == SinkVerdict::Kind::Retry) {
      ++failed_;
      tell_failure(verdict.why);
      if (!pause(backoff)) return;
      backoff = std::min(options_.retry_max, backoff * 2);
      continue;
    }
    backoff = options_.retry_min;
    tell_recovery();
  }
}

bool DurableQueue::wait_for_news() {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || news_; });
  return !stopping_;
}

bool DurableQueue::pause(Milliseconds time) {
  return pause_until(time, [] { return false; });
}

// Ends early when `enough`, which is asked whenever something is added.
bool DurableQueue::pause_until(Milliseconds time, const std::function<bool()>& enough) {
  std::unique_lock lock(mutex_);
  if (!parts_.steady) {
    wake_.wait_for(lock, time, [&] { return stopping_ || enough(); });
  } else {
    // Another clock wakes nobody.
    for (const Instant until = parts_.steady() + time;
         !stopping_ && !enough() && parts_.steady() < until;)
      wake_.wait_for(lock, std::chrono::milliseconds(1));
  }
  return !stopping_;
}

// The next batch: the lanes in turn, each from where its last entry was taken. False: nothing
// waits.
bool DurableQueue::read(std::vector<Waiting>& places, std::vector<SinkEntry>& batch) {
  {
    const std::scoped_lock lock(mutex_);
    news_ = false;
    additions_read_ = additions_;
  }
  no_more_fits_ = false;
  if (from_the_start_.exchange(false)) forget_heads();
  std::size_t bytes = 0;
  Batch damaged;
  for (std::size_t turn = 0; turn < kLanes && places.size() < options_.batch_entries_max; ++turn) {
    const auto lane = static_cast<std::uint16_t>((lane_ + turn) % kLanes);
    if ((lanes_ & (std::uint64_t{1} << lane)) == 0) continue;
    const std::string to = records::sink_key(kSinkPrefix, name_, lane, ~std::uint64_t{0});
    (void)parts_.store->scan(
        records::sink_key(kSinkPrefix, name_, lane, heads_[lane]), to,
        [&](std::string_view key, std::string_view value) {
          if (places.size() == options_.batch_entries_max ||
              (!batch.empty() && bytes + value.size() > options_.batch_bytes_max)) {
            no_more_fits_ = true;
            return false;
          }
          auto entry = records::decode_sink_entry(value);
          if (!entry) {
            damaged.erase(key);
            log(LogLevel::Error, "stored record left out", entry.error().detail);
            return true;
          }
          places.push_back({std::string(key), value.size()});
          bytes += value.size();
          batch.push_back(std::move(*entry));
          return true;
        });
  }
  if (!damaged.empty()) (void)commit(std::move(damaged));
  if (!batch.empty()) {
    lane_ = (records::parse_sink_key(places.back().key)->lane + 1U) % kLanes;
    const std::scoped_lock lock(mutex_);
    news_ = true;  // look again behind this batch
    return true;
  }
  // An entry that was numbered earlier may be committed later: look once from the beginning.
  if (hinted_) {
    forget_heads();
    const std::scoped_lock lock(mutex_);
    news_ = true;
  } else {
    const std::scoped_lock lock(mutex_);
    if (!news_) entries_ = bytes_ = 0;
  }
  return false;
}

void DurableQueue::forget_heads() {
  heads_.fill(0);
  hinted_ = false;
}

// True: entries were dropped, and the rest must be read again.
bool DurableQueue::drop_oldest(const std::vector<Waiting>& places) {
  const std::uint64_t wanted = to_drop_.exchange(0);
  const std::size_t count =
      static_cast<std::size_t>(std::min<std::uint64_t>(wanted, places.size()));
  if (count == 0) return false;
  to_drop_ += wanted - count;
  erase(std::span(places).first(count));
  return true;
}

// True: the batch must be read again, because it was given time to grow or did so while it was
// read.
bool DurableQueue::linger(const std::vector<SinkEntry>& batch) {
  if (options_.linger.count() == 0 || no_more_fits_) return false;
  if (batch.size() >= options_.batch_entries_max) return false;
  if (entries_ > batch.size() || bytes_ >= options_.batch_bytes_max)
    return additions_ != additions_read_;
  const Milliseconds waited = parts_.wall() - batch.front().at;
  if (waited >= options_.linger || waited.count() < 0) return false;
  pause_until(options_.linger - waited, [this] {
    return entries_ >= options_.batch_entries_max || bytes_ >= options_.batch_bytes_max;
  });
  return true;
}

void DurableQueue::erase(std::span<const Waiting> places) {
  Batch changes;
  std::size_t bytes = 0;
  for (const Waiting& place : places) {
    changes.erase(place.key);
    bytes += place.bytes;
  }
  if (!commit(std::move(changes))) return;
  for (const Waiting& place : places) {
    const auto key = records::parse_sink_key(place.key);
    heads_[key->lane % kLanes] = key->sequence + 1;
  }
  hinted_ = true;
  entries_ -= std::min<std::uint64_t>(entries_, places.size());
  bytes_ -= std::min<std::uint64_t>(bytes_, bytes);
}

void DurableQueue::bury(const Waiting& place, const SinkEntry& entry, const std::string& why) {
  Batch changes;
  changes.erase(place.key);
  if (dead_ < options_.dead_letters_max) {
    std::string key = place.key;
    key.front() = kDeadLetterPrefix;
    changes.put(key, records::encode_sink_entry(entry));
    ++dead_;
  } else {
    ++dropped_;
  }
  if (!commit(std::move(changes))) return;
  entries_ -= std::min<std::uint64_t>(entries_, 1);
  bytes_ -= std::min<std::uint64_t>(bytes_, place.bytes);
  log(LogLevel::Warning, "entry refused by its sink",
      "id=" + escaped(entry.id) + " topic=" + escaped(entry.topic) + " because=" + escaped(why));
}

// Waits until the changes are safe. False: they may not be; the entries are read again.
bool DurableQueue::commit(Batch changes) {
  struct Outcome {
    std::mutex mutex;
    std::condition_variable safe;
    bool done = false;
  };
  auto outcome = std::make_shared<Outcome>();
  parts_.write(std::move(changes), [outcome] {
    const std::scoped_lock lock(outcome->mutex);
    outcome->done = true;
    outcome->safe.notify_all();
  });
  const auto deadline = std::chrono::steady_clock::now() + kCommitPatience;
  std::unique_lock lock(outcome->mutex);
  while (!outcome->done && std::chrono::steady_clock::now() < deadline) {
    outcome->safe.wait_for(lock, std::chrono::milliseconds(50));
    if (outcome->done) break;
    const std::scoped_lock own(mutex_);
    if (stopping_) break;
  }
  return outcome->done;
}

void DurableQueue::tell_failure(const std::string& why) {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(error_, why.empty() ? "unknown" : why) == error_) return;
  }
  log(LogLevel::Warning, "sink fails",
      "because=" + escaped(why) + " waiting=" + std::to_string(entries_));
}

void DurableQueue::tell_recovery() {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(error_, {}).empty()) return;
  }
  log(LogLevel::Info, "sink delivers again", "waiting=" + std::to_string(entries_));
}

void DurableQueue::log(LogLevel level, std::string_view event, const std::string& detail) const {
  if (parts_.log) parts_.log({level, event, "sink=" + escaped(name_) + " " + detail});
}

}  // namespace twinmq::sinks
