// The part of ShardSet for its listeners: opening them, and changing them while they serve.

#include <atomic>
#include <utility>

#include "app/shard_set.hpp"

namespace twinmq::app {
namespace {

/// Whether a serving listener can go on by this plan: the rest is set while it serves.
bool same_sockets(const net::Listener::Options& a, const net::Listener::Options& b) {
  return a.name == b.name && a.unix_owner == b.unix_owner && a.unix_mode == b.unix_mode;
}

void set(net::Listener& listener, const ShardSet::ListenerPlan& plan) {
  listener.anonymous_allowed = plan.anonymous_allowed;
  listener.durability = plan.durability;
  listener.set_connections_max(plan.options.connections_max);
  listener.set_unix_identity(plan.options.unix_identity);
  listener.set_transport(plan.options.transport);
}

}  // namespace

Result<void> ShardSet::open_listeners() {
  Result<ListenerChange> change = prepare_listeners(plan_.listeners);
  if (!change) return change.error();
  for (ListenerChange::Part& part : change->parts) listeners_.push_back(std::move(part.fresh));
  listener_plans_ = plan_.listeners;
  for (std::size_t i = 0; i < listeners_.size(); ++i) set(*listeners_[i], listener_plans_[i]);
  return {};
}

Result<ShardSet::ListenerChange> ShardSet::prepare_listeners(
    const std::vector<ListenerPlan>& plans) {
  ListenerChange change;
  std::vector<bool> taken(listeners_.size());
  for (const ListenerPlan& plan : plans) {
    ListenerChange::Part part;
    net::Listener::Options options = plan.options;
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      if (taken[i] || listener_plans_[i].options.url != options.url) continue;
      taken[i] = true;
      if (same_sockets(listener_plans_[i].options, options)) {
        part.kept = listeners_[i].get();
      } else {
        // Another name for the same place: the socket goes over, so that nobody is refused.
        part.forerunner = listeners_[i].get();
        options.sockets.clear();
        for (const net::Descriptor& socket : part.forerunner->sockets())
          options.sockets.push_back(socket.get());
      }
      break;
    }
    if (part.kept == nullptr) {
      Result<std::unique_ptr<net::Listener>> opened = net::Listener::open(options);
      if (!opened) return opened.error();
      part.fresh = std::move(*opened);
      if (part.forerunner != nullptr) {
        if (const Result<void> given = part.fresh->take_file(options); !given) return given.error();
      }
    }
    change.parts.push_back(std::move(part));
  }
  return change;
}

void ShardSet::change_listeners(ListenerChange change, std::vector<ListenerPlan> plans) {
  std::string added;
  std::string removed;
  std::vector<net::Listener*> leaving;
  {
    const std::scoped_lock lock(listeners_mutex_);
    std::vector<std::unique_ptr<net::Listener>> next;
    for (std::size_t i = 0; i < change.parts.size(); ++i) {
      ListenerChange::Part& part = change.parts[i];
      for (auto& present : listeners_) {
        if (present && present.get() == part.kept) part.fresh = std::move(present);
      }
      if (part.kept == nullptr) added += (added.empty() ? "" : " ") + part.fresh->url();
      if (part.forerunner != nullptr) part.forerunner->bequeath_file(*part.fresh);
      set(*part.fresh, plans[i]);
      next.push_back(std::move(part.fresh));
    }
    for (auto& gone : listeners_) {
      if (!gone) continue;
      removed += (removed.empty() ? "" : " ") + gone->url();
      leaving.push_back(gone.get());
      gone_listeners_.push_back(std::move(gone));
    }
    listeners_ = std::move(next);
    listener_plans_ = std::move(plans);
  }
  if (added.empty() && removed.empty()) return;
  log(LogLevel::Info, "listeners changed", "added=\"" + added + "\" removed=\"" + removed + "\"");
  // The sockets of those that are gone close when the last shard has let go of them.
  const auto waiting = std::make_shared<std::atomic<unsigned>>(size());
  for (const auto& shard : shards_) {
    shard->inbox()->order([this, waiting, leaving, removed](ShardThread& thread) {
      thread.set_listeners(serving());
      if (--*waiting > 0 || leaving.empty()) return;
      for (net::Listener* const listener : leaving) listener->close();
      log(LogLevel::Info, "listeners closed", "urls=\"" + removed + "\"");
    });
  }
}

std::vector<net::Listener*> ShardSet::serving() const {
  const std::scoped_lock lock(listeners_mutex_);
  std::vector<net::Listener*> all;
  for (const auto& listener : listeners_) all.push_back(listener.get());
  return all;
}

std::vector<ListenerInfo> ShardSet::listeners() const {
  std::vector<ListenerInfo> all;
  for (const net::Listener* listener : serving())
    all.push_back({listener->name(), listener->url()});
  return all;
}

}  // namespace twinmq::app
