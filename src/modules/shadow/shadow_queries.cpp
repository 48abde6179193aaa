#include "modules/shadow/shadow_queries.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "json/read.hpp"
#include "modules/shadow/json_text.hpp"
#include "sql/condition.hpp"

namespace twinmq::shadow {
namespace {

constexpr std::string_view kFirstRecord = "d";
constexpr std::string_view kBehindRecords = "e";
constexpr char kMarker = 'j';
constexpr std::size_t kSliceEntries = 256;
constexpr std::size_t kSliceBytes = 128 * 1024;
constexpr std::size_t kFetchesMax = 64;
constexpr std::size_t kPageMax = 1000;
constexpr std::size_t kPageBytesMax = 1 << 20;
constexpr std::uint32_t kRunningMax = 16;
constexpr std::size_t kConditionBytesMax = 16 * 1024;

std::string marker_prefix(std::string_view path) {
  std::string key(1, kMarker);
  key += path;
  key += '\0';
  return key;
}

std::string marker(std::string_view path, std::uint32_t shards, std::uint32_t shard) {
  std::string key = marker_prefix(path);
  for (const std::uint32_t number : {shards, shard}) {
    key += static_cast<char>(number >> 8);
    key += static_cast<char>(number);
  }
  return key;
}

// Whether all shards of some number of shards have built their parts.
bool is_whole(const std::map<std::uint32_t, std::uint32_t>& parts) {
  return std::ranges::any_of(parts, [](const auto& each) { return each.first == each.second; });
}

void count_part(std::string_view key, std::map<std::uint32_t, std::uint32_t>& parts) {
  const std::size_t head = key.find('\0') + 1;
  if (key.size() != head + 4) return;
  const auto byte = [&](std::size_t at) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(key[head + at]));
  };
  ++parts[byte(0) << 8 | byte(1)];
}

std::string hex_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

std::string from_hex(std::string_view text) {
  const auto digit = [](char character) {
    if (character >= '0' && character <= '9') return character - '0';
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
  };
  std::string bytes;
  if (text.size() % 2 != 0) return bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

void write_state(const Document& document, std::string& out) {
  out += '{';
  if (document.desired) {
    out += R"("desired":)";
    write_value(*document.desired, out);
  }
  if (document.reported) {
    out += document.desired ? R"(,"reported":)" : R"("reported":)";
    write_value(*document.reported, out);
  }
  out += '}';
}

}  // namespace

struct ShadowQueries::Run {
  sql::Condition condition;
  std::optional<IndexRange> range;  ///< of an index
  StoreRange next;
  std::size_t limit = 0;
  std::size_t bytes = 0;
  ShadowPage page;
  std::string last;  ///< the place behind which the next page begins
  Done done;
  sql::Scratch scratch;
  json::Arena json;
  std::set<std::string> seen;  ///< records that were found in the index of this page
};

ShadowQueries::ShadowQueries(bool enabled, std::vector<std::string> paths,
                             std::shared_ptr<Presence> presence)
    : enabled_(enabled), paths_(std::move(paths)), presence_(std::move(presence)) {}

ShadowQueries::~ShadowQueries() = default;

void ShadowQueries::attach(ServiceHost& host) {
  host_ = &host;
  if (presence_) presence_->forget(host.shard(), host.shards());
}

Result<void> ShadowQueries::restore(Store& store) {
  std::map<std::string, std::map<std::uint32_t, std::uint32_t>> parts;
  const Result<void> read = store.scan(std::string(1, kMarker), std::string(1, kMarker + 1),
                                       [&](std::string_view key, std::string_view) {
                                         const std::string path(key.substr(1, key.find('\0') - 1));
                                         count_part(key, parts[path]);
                                         return true;
                                       });
  if (!read) return read;
  obsolete_.clear();
  missing_.clear();
  if (host_->shard() == 0)
    for (const auto& [path, built] : parts)
      if (std::ranges::find(paths_, path) == paths_.end()) obsolete_.insert(path);
  for (const std::string& path : paths_)
    if (!is_whole(parts[path])) missing_.push_back(path);
  work_ = obsolete_.empty() && missing_.empty() ? Work::None : Work::Begin;
  return {};
}

void ShadowQueries::step(Reaction& reaction,
                         std::function<const std::string*(const std::string& key)> in_memory) {
  work_ = Work::None;
  for (const std::string& path : obsolete_) {
    const IndexRange range = index_range(path);
    reaction.records().erase_range(range.from, range.to);
    std::string end = marker_prefix(path);
    end.back() = '\1';
    reaction.records().erase_range(marker_prefix(path), end);
  }
  obsolete_.clear();
  if (missing_.empty()) return;
  work_ = Work::Builds;
  in_memory_ = std::move(in_memory);
  build(std::string(kFirstRecord));
}

// What is changed meanwhile writes its own entries. An entry that is too old finds a document that
// says otherwise, and is passed over.
void ShadowQueries::build(std::string from) {
  host_->read({std::move(from), std::string(kBehindRecords), kSliceEntries, kSliceBytes},
              [this](const Result<StoreEntries>& found) {
                if (!found) {
                  host_->log(LogLevel::Error, "shadow index cannot be built",
                             "reason=\"" + found.error().detail + "\"");
                  return;
                }
                host_->react([&](Reaction& reaction) {
                  for (const auto& [key, stored] : found->entries) {
                    const std::string_view thing =
                        std::string_view(key).substr(1, key.find('\0') - 1);
                    if (!host_->is_home(thing)) continue;
                    const std::string* const newer = in_memory_(key);
                    arena_.reset();
                    Document document;
                    if (!read_record(newer != nullptr ? *newer : stored, arena_, document))
                      continue;
                    for (const std::string& entry : index_keys(missing_, key, document))
                      reaction.records().put(entry, {});
                  }
                  if (found->more) return;
                  for (const std::string& path : missing_)
                    reaction.records().put(marker(path, host_->shards(), host_->shard()), {});
                });
                if (found->more) return build(found->entries.back().first + '\0');
                work_ = Work::None;
                missing_.clear();
              });
}

void ShadowQueries::note_change(const std::string& key, const std::string* before,
                                const std::string* after, Reaction& reaction) {
  if (paths_.empty()) return;
  const auto keys = [&](const std::string* record) {
    arena_.reset();
    Document document;
    if (record == nullptr || !read_record(*record, arena_, document))
      return std::set<std::string>();
    return index_keys(paths_, key, document);
  };
  const std::set<std::string> old = keys(before);
  const std::set<std::string> now = keys(after);
  for (const std::string& each : old)
    if (!now.contains(each)) reaction.records().erase(each);
  for (const std::string& each : now)
    if (!old.contains(each)) reaction.records().put(each, {});
}

void ShadowQueries::on_client_event(const ClientEvent& event) {
  if (!presence_) return;
  if (event.kind == ClientEvent::Kind::Connected)
    presence_->came(event.client_id, event.connection);
  if (event.kind == ClientEvent::Kind::Disconnected)
    presence_->went(event.client_id, event.connection);
}

// --- One query

void ShadowQueries::ask(const ShadowQuery& query, Done done) {
  const auto refuse = [&](ErrorCode code, std::string why) { done(Error{code, std::move(why)}); };
  if (!enabled_) return refuse(ErrorCode::NotFound, "Queries are switched off");
  if (running_ >= kRunningMax) return refuse(ErrorCode::Unavailable, "Too many requests");
  if (query.limit < 1 || query.limit > kPageMax)
    return refuse(ErrorCode::InvalidArgument, "Invalid limit");
  if (query.condition.size() > kConditionBytesMax)
    return refuse(ErrorCode::InvalidArgument, "Invalid query: it is too long");
  auto condition = sql::Condition::compile(query.condition);
  if (!condition)
    return refuse(ErrorCode::InvalidArgument,
                  "Invalid query: " + sql::describe(query.condition, condition.error()));
  auto run = std::make_shared<Run>();
  run->condition = std::move(*condition);
  run->range = range_of(query.condition, paths_);
  run->limit = query.limit;
  run->last = from_hex(query.after);
  const bool placed = run->last.starts_with('d') ||
                      (run->range && run->last >= run->range->from && run->last < run->range->to);
  if (!query.after.empty() && !placed)
    return refuse(ErrorCode::InvalidArgument, "Invalid nextToken");
  // A page that began without the index goes on without it.
  if (run->last.starts_with('d')) run->range.reset();
  run->done = std::move(done);
  ++running_;
  if (!run->range) return start(run);
  const std::string prefix = marker_prefix(run->range->path);
  std::string end = prefix;
  end.back() = '\1';
  host_->read({prefix, end, 10'000}, [this, run](const Result<StoreEntries>& found) {
    std::map<std::uint32_t, std::uint32_t> parts;
    if (found)
      for (const auto& [key, value] : found->entries) count_part(key, parts);
    if (run->last.empty() && !is_whole(parts)) run->range.reset();
    start(run);
  });
}

void ShadowQueries::start(const std::shared_ptr<Run>& run) {
  run->next.from = run->range ? run->range->from : std::string(kFirstRecord);
  run->next.to = run->range ? run->range->to : std::string(kBehindRecords);
  if (run->range) run->page.index = run->range->path;
  if (!run->last.empty()) run->next.from = run->last + '\0';
  run->next.entries_max = run->range ? kFetchesMax : kSliceEntries;
  run->next.bytes_max = kSliceBytes;
  if (run->next.from >= run->next.to) return finish(*run, false);
  next_slice(run);
}

void ShadowQueries::next_slice(const std::shared_ptr<Run>& run) {
  host_->read(run->next, [this, run](const Result<StoreEntries>& found) {
    if (!found) {
      --running_;
      return run->done(found.error());
    }
    if (run->range) return on_index(run, *found);
    on_documents(run, *found);
  });
}

void ShadowQueries::on_documents(const std::shared_ptr<Run>& run, const StoreEntries& found) {
  for (const auto& [key, record] : found.entries)
    if (!consider(*run, key, key, record)) return finish(*run, true);
  if (!found.more) return finish(*run, false);
  run->next.from = found.entries.back().first + '\0';
  next_slice(run);
}

void ShadowQueries::on_index(const std::shared_ptr<Run>& run, const StoreEntries& found) {
  std::vector<std::pair<std::string, std::string>> keys;
  for (const auto& [place, nothing] : found.entries)
    if (std::string key = record_of_index_key(place, run->range->path); !key.empty())
      keys.emplace_back(place, std::move(key));
  if (found.more) run->next.from = found.entries.back().first + '\0';
  if (!keys.empty()) return fetch(run, std::move(keys), found.more);
  if (found.more) return next_slice(run);
  finish(*run, false);
}

// Reads the documents that the index names, and looks at them in its order.
void ShadowQueries::fetch(const std::shared_ptr<Run>& run,
                          std::vector<std::pair<std::string, std::string>> keys, bool more) {
  struct Fetched {
    std::vector<std::pair<std::string, std::string>> keys;
    std::vector<std::string> records;
    std::size_t open = 0;
    bool failed = false;
  };
  auto all = std::make_shared<Fetched>();
  all->keys = std::move(keys);
  all->records.resize(all->keys.size());
  all->open = all->keys.size();
  for (std::size_t i = 0; i < all->keys.size(); ++i) {
    const std::string& key = all->keys[i].second;
    host_->read({key, key + '\0', 1}, [this, run, all, i, more](const Result<StoreEntries>& found) {
      all->failed = all->failed || !found;
      if (found && !found->entries.empty()) all->records[i] = found->entries.front().second;
      if (--all->open > 0) return;
      if (all->failed) {
        --running_;
        return run->done(Error{ErrorCode::Unavailable, "the store cannot be read"});
      }
      for (std::size_t k = 0; k < all->keys.size(); ++k) {
        if (all->records[k].empty() || !run->seen.insert(all->keys[k].second).second) continue;
        if (!consider(*run, all->keys[k].first, all->keys[k].second, all->records[k]))
          return finish(*run, true);
      }
      if (!more) return finish(*run, false);
      next_slice(run);
    });
  }
}

bool ShadowQueries::consider(Run& run, const std::string& place, const std::string& key,
                             const std::string& record) {
  if (run.page.matches.size() >= run.limit || run.bytes >= kPageBytesMax) return false;
  arena_.reset();
  Document document;
  const std::size_t middle = key.find('\0');
  if (middle == key.npos || !read_record(record, arena_, document) || document.deleted) {
    run.last = place;
    return true;
  }
  ShadowMatch match;
  match.shadow = {key.substr(1, middle - 1), key.substr(middle + 1)};
  match.version = document.version;
  match.changed = document.changed;
  match.connected = presence_ && presence_->connected(match.shadow.thing);
  write_state(document, match.state);
  ++run.page.looked_at;
  run.json.reset();
  const json::ReadResult state = json::read(match.state, run.json);
  const sql::NamedValue extra[] = {{"connected", json::Value::boolean(match.connected)},
                                   {"thing", json::Value::string(match.shadow.thing)},
                                   {"name", json::Value::string(match.shadow.name)},
                                   {"version", json::Value::integer(match.version)},
                                   {"changed", json::Value::integer(match.changed)}};
  const auto now = std::chrono::duration_cast<Milliseconds>(host_->now().wall.time_since_epoch());
  run.last = place;
  if (!run.condition.holds(state.value, extra, run.scratch, now.count())) return true;
  run.bytes += match.state.size() + 100;
  run.page.matches.push_back(std::move(match));
  return true;
}

void ShadowQueries::finish(Run& run, bool more) {
  --running_;
  if (more) run.page.next = hex_of(run.last);
  run.done(std::move(run.page));
}

}  // namespace twinmq::shadow
