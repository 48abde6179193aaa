#include "plugins/plugin_sink.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "json/read.hpp"

namespace twinmq::plugins {

// Shared with a delivery that may outlive the sink.
struct PluginSink::Opened {
  std::shared_ptr<Plugin> plugin;
  std::string name;
  twinmq_action door{};
  json::Arena arena;
  void* sink = nullptr;
  std::atomic<std::uint64_t> running{0};  // number of the delivery at work
  std::uint64_t deliveries = 0;

  void end(std::uint64_t delivery) { running.compare_exchange_strong(delivery, 0); }

  ~Opened() {
    if (sink != nullptr) door.close(sink);
  }
};

// What a delivery waits for; the first to set it counts.
class PluginSink::Awaited {
 public:
  void set(SinkVerdict verdict) {
    const std::scoped_lock lock(mutex_);
    if (!verdict_) verdict_ = std::move(verdict);
    changed_.notify_one();
  }
  SinkVerdict get() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return verdict_.has_value(); });
    return *verdict_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<SinkVerdict> verdict_;
};

Result<std::unique_ptr<Sink>> PluginSink::open(std::shared_ptr<Plugin> plugin, std::string name,
                                               const twinmq_action& door,
                                               const std::string& options, Milliseconds timeout) {
  auto opened = std::make_shared<Opened>();
  opened->plugin = std::move(plugin);
  opened->name = std::move(name);
  opened->door = door;
  const auto wrong = [&](const std::string& what) {
    return Error{ErrorCode::InvalidConfig, "action " + opened->name + " of plugin \"" +
                                               opened->plugin->name() + "\": " + what};
  };
  const json::ReadResult read = json::read(opened->arena.copy(options), opened->arena);
  if (!read || !read.value.is(json::Kind::Object)) return wrong("its options are no JSON object");
  const twinmq_value raw = shown(read.value, opened->arena);
  Answer answer(opened->arena);
  opened->sink = door.open(door.context, &raw, answer.raw());
  if (opened->sink == nullptr) return wrong(answer.failed() ? answer.why() : "it does not open");
  return std::unique_ptr<Sink>(new PluginSink(std::move(opened), timeout));
}

PluginSink::~PluginSink() = default;

SinkVerdict PluginSink::deliver(std::span<const SinkEntry> batch) {
  if (opened_->running != 0) return {SinkVerdict::Kind::Retry, 0, "an earlier delivery still runs"};
  const std::uint64_t number = ++opened_->deliveries;
  opened_->running = number;
  // Ends the delivery also when no worker ever takes it up.
  const std::shared_ptr<void> ending(nullptr,
                                     [opened = opened_, number](void*) { opened->end(number); });
  const auto verdict = std::make_shared<Awaited>();
  {
    const std::scoped_lock lock(mutex_);
    awaited_ = verdict;
  }
  opened_->plugin->call_later(
      timeout_,
      [opened = opened_, number, ending,
       entries = std::vector<SinkEntry>(batch.begin(), batch.end())] {
        std::vector<twinmq_entry> shown_entries;
        std::vector<const twinmq_entry*> places;
        shown_entries.reserve(entries.size());
        for (const SinkEntry& each : entries) {
          shown_entries.push_back({sizeof(twinmq_entry), 0, shown(each.id), shown(each.topic),
                                   shown(each.content_type), shown(each.payload),
                                   each.at.time_since_epoch().count()});
          places.push_back(&shown_entries.back());
        }
        json::Arena arena;
        Answer left(arena);
        auto made = std::make_shared<SinkVerdict>();
        const std::uint32_t said =
            opened->door.deliver(opened->sink, places.data(), places.size(), left.raw());
        const bool sound = opened->plugin->settle(opened->name, left);
        if (sound && said == TWINMQ_DELIVERED)
          *made = {SinkVerdict::Kind::Delivered, entries.size(), {}};
        else if (said == TWINMQ_REFUSED)
          made->kind = SinkVerdict::Kind::Refused;
        made->why = left.why();
        opened->end(number);
        return made;
      },
      [verdict](WorkerPool::End end, const WorkerPool::Result& result) {
        if (end == WorkerPool::End::Done)
          return verdict->set(*std::static_pointer_cast<SinkVerdict>(result));
        const bool late = end == WorkerPool::End::Late;
        verdict->set({SinkVerdict::Kind::Retry, 0,
                      late ? "no answer in time" : "the plugin takes no calls"});
      });
  return verdict->get();
}

void PluginSink::cancel() {
  {
    const std::scoped_lock lock(mutex_);
    if (awaited_) awaited_->set({SinkVerdict::Kind::Retry, 0, "cancelled"});
  }
  if (opened_->door.cancel != nullptr) opened_->door.cancel(opened_->sink);
}

}  // namespace twinmq::plugins
