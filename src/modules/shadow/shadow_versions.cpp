#include "modules/shadow/shadow_versions.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace twinmq::shadow {
namespace {

constexpr Milliseconds kSweepPause{3'600'000};

std::string_view thing_of_record(std::string_view key) {
  return key.substr(1, key.find('\0') - 1);
}

}  // namespace

ShadowVersions::ShadowVersions(const ShadowConfig& config)
    : versions_max_(config.history_versions),
      seconds_max_(std::int64_t{config.history_hours} * 3600) {}

void ShadowVersions::attach(ServiceHost& host) {
  host_ = &host;
  if (kept() && seconds_max_ > 0) next_sweep_ = host.now().steady + kSweepPause;
}

void ShadowVersions::on_time() {
  if (next_sweep_ > host_->now().steady) return;
  next_sweep_ = kNever;
  forget_old(std::string(1, 'h'));
}

void ShadowVersions::note(const std::string& key, const Outcome& outcome, const Author& author,
                          std::string_view operation, Reaction& reaction) {
  if (versions_max_ == 0) return;
  std::int64_t version = 0;
  EpochSeconds changed = 0;
  if (outcome.change == Outcome::Change::Erase) return erase(key, reaction);
  if (!read_stamp(outcome.record, version, changed)) return;
  // Versions begin again once what remained of a deleted shadow is forgotten.
  if (outcome.revived && version == 1) erase(key, reaction);
  reaction.records().put(history_key(key, version),
                         write_history(author, operation, outcome.record));
  if (version > versions_max_) reaction.records().erase(history_key(key, version - versions_max_));
}

void ShadowVersions::erase(const std::string& key, Reaction& reaction) {
  if (versions_max_ == 0) return;
  const StoreRange all = history_range(key, 0, INT64_MAX);
  reaction.records().erase_range(all.from, all.to);
}

EpochSeconds ShadowVersions::begins() const {
  return seconds_max_ == 0 ? 0 : now_seconds() - seconds_max_;
}

// Goes through all versions, a slice at a time, and erases what is too old of the things at home
// here.
void ShadowVersions::forget_old(std::string from) {
  host_->read({std::move(from), "i", 256, 128 * 1024}, [this](const Result<StoreEntries>& found) {
    const bool more = found && found->more;
    if (!more) next_sweep_ = host_->now().steady + kSweepPause;
    if (!found) return;
    host_->react([&](Reaction& reaction) {
      for (const auto& [place, entry] : found->entries) {
        const std::string key = record_of_history_key(place);
        const auto time = time_of_history(entry);
        if (!key.empty() && host_->is_home(thing_of_record(key)) && time && *time < begins())
          reaction.records().erase(place);
      }
    });
    if (more) forget_old(found->entries.back().first + '\0');
  });
}

void ShadowVersions::read(const std::string& key, const HistoryRequest& request, const Done& done) {
  const DirectAnswer failed{500, "Internal service failure", {}, 0};
  if (!request.from) {
    if (request.before) return read_page(key, request, *request.before - 1, done);
    return host_->read({key, key + '\0', 1}, [this, key, request, done,
                                              failed](const Result<StoreEntries>& found) {
      std::int64_t version = 0;
      EpochSeconds changed = 0;
      if (!found) return done(failed);
      if (found->entries.empty() || !read_stamp(found->entries.front().second, version, changed))
        return done({404, "No version of the shadow is kept", {}, 0});
      read_page(key, request, version, done);
    });
  }
  const auto [first, last] = std::minmax(*request.from, *request.to);
  StoreRange one = history_range(key, first, first);
  host_->read(one, [this, key, request, done, failed, last = last](const Result<StoreEntries>& a) {
    if (!a) return done(failed);
    host_->read(history_range(key, last, last),
                [request, done, failed, a = *a](const Result<StoreEntries>& b) {
                  if (!b) return done(failed);
                  if (a.entries.empty() || b->entries.empty())
                    return done({404, "No such version is kept", {}, 0});
                  std::string_view from = a.entries.front().second;
                  std::string_view to = b->entries.front().second;
                  if (*request.from > *request.to) std::swap(from, to);
                  std::string body = difference_answer(from, to, request.token);
                  if (body.empty()) return done(failed);
                  done({200, {}, std::move(body), *request.to});
                });
  });
}

void ShadowVersions::read_page(const std::string& key, const HistoryRequest& request,
                               std::int64_t last, const Done& done) {
  const std::int64_t first =
      std::max<std::int64_t>(1, last - static_cast<std::int64_t>(request.limit) + 1);
  host_->read(history_range(key, first, last),
              [this, request, first, done](const Result<StoreEntries>& found) {
                if (!found) return done({500, "Internal service failure", {}, 0});
                done({200, {}, history_answer(*found, first, begins(), request.token), 0});
              });
}

EpochSeconds ShadowVersions::now_seconds() const {
  return std::chrono::duration_cast<std::chrono::seconds>(host_->now().wall.time_since_epoch())
      .count();
}

}  // namespace twinmq::shadow
