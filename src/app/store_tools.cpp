#include "app/store_tools.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "app/house_parts.hpp"
#include "app/shard_thread.hpp"
#include "base/escape.hpp"
#include "records/message_record.hpp"
#include "records/retained_record.hpp"
#include "records/rule_record.hpp"
#include "records/session_record.hpp"
#include "records/sink_record.hpp"
#include "storage/data_directory.hpp"
#include "storage/rocksdb_store.hpp"

namespace twinmq::app {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Told {
  std::string kind = "unknown";
  Json facts = Json::object();
  std::optional<Error> fault;
};

void tell(Json& facts, const Message& message) {
  facts["topic"] = message.topic();
  facts["payload"] = message.payload();
  facts["publisher"] = message.publisher();
}

Told tell_session_part(const records::SessionKeyParts& key, std::string_view value, Now now) {
  Told told;
  told.facts["client_id"] = key.client_id;
  switch (key.kind) {
    case records::SessionRecordKind::Session: {
      told.kind = "session";
      const auto read = records::decode_session(key, value, now);
      if (!read) {
        told.fault = read.error();
        break;
      }
      told.facts["principal"] = read->principal;
      told.facts["expiry_seconds"] = read->expiry_seconds;
      if (read->will) tell(told.facts["will"] = Json::object(), *read->will->message);
      break;
    }
    case records::SessionRecordKind::Subscription: {
      told.kind = "subscription";
      const auto read = records::decode_subscription(key, value);
      if (!read) {
        told.fault = read.error();
        break;
      }
      told.facts["filter"] = read->filter;
      told.facts["qos"] = static_cast<int>(read->qos);
      break;
    }
    case records::SessionRecordKind::Delivery: {
      told.kind = "delivery";
      const auto read = records::decode_delivery(key, value, now);
      if (!read) {
        told.fault = read.error();
        break;
      }
      told.facts["sequence"] = read->sequence;
      told.facts["qos"] = static_cast<int>(read->qos);
      told.facts["released"] = read->released;
      if (read->common_message != 0) told.facts["number"] = read->common_message;
      if (read->message) tell(told.facts, *read->message);
      break;
    }
    case records::SessionRecordKind::Received: {
      told.kind = "received";
      const auto read = records::decode_received(key);
      if (!read) {
        told.fault = read.error();
        break;
      }
      told.facts["packet_id"] = *read;
      break;
    }
  }
  return told;
}

Told tell_record(std::string_view key, std::string_view value, Now now) {
  if (const auto parts = records::parse_session_key(key))
    return tell_session_part(*parts, value, now);
  Told told;
  if (key.starts_with(records::kRetainedPrefix)) {
    told.kind = "retained";
    const auto read = records::decode_retained(key, value, now);
    if (read) {
      tell(told.facts, **read);
    } else {
      told.fault = read.error();
    }
  } else if (key.starts_with(records::kOwedPrefix)) {
    told.kind = "owed";
    const auto read = records::decode_owed(key, value, now);
    if (read) {
      told.facts["share"] = read->share;
      tell(told.facts, *read->message);
    } else {
      told.fault = read.error();
    }
  } else if (key.starts_with(records::kCommonMessagePrefix)) {
    told.kind = "message";
    const auto number = records::common_message_number(key);
    const auto read = records::decode_message(value, now);
    if (number) told.facts["number"] = *number;
    if (read) {
      tell(told.facts, **read);
    } else {
      told.fault = read.error();
    }
  } else if (const auto parsed = records::parse_sink_key(key)) {
    told.kind = key.front() == records::kSinkPrefix ? "sink entry" : "dead letter";
    told.facts["sink"] = parsed->sink;
    const auto read = records::decode_sink_entry(value);
    if (read) {
      told.facts["id"] = read->id;
      told.facts["topic"] = read->topic;
      told.facts["payload"] = read->payload;
    } else {
      told.fault = read.error();
    }
  } else if (key.starts_with('R')) {
    told.kind = "rule memory";
    told.facts["rule"] = key.substr(1, key.find('\0') - 1);
  } else if (key.starts_with(records::kRulePrefix)) {
    told.kind = "rule";
    told.facts["name"] = records::rule_of_key(key);
    const auto read = records::decode_rule(key, value);
    if (read) {
      told.facts["definition"] = read->definition;
    } else {
      told.fault = read.error();
    }
  } else {
    told.fault = Error{ErrorCode::Corrupt, "the key is of no known kind"};
  }
  return told;
}

// A delivery with the message that lies apart from it.
std::string with_message(Store& store, std::string_view key, const std::string& value) {
  const auto parts = records::parse_session_key(key);
  if (!parts || parts->kind != records::SessionRecordKind::Delivery) return value;
  const std::string apart = records::common_message_of(value);
  if (apart.empty()) return value;
  const auto found = store.get(apart);
  return found && *found ? value + **found : value;
}

Result<std::unique_ptr<storage::RocksDbStore>> open_to_look(const Config& config) {
  storage::RocksDbParts parts;
  parts.config = config.storage;
  parts.form = store_form();
  parts.read_only = true;
  return storage::RocksDbStore::open(config.data_dir, std::move(parts));
}

Result<void> copy_whole(const std::string& from, const std::string& to) {
  std::error_code code;
  fs::copy(from, to, fs::copy_options::recursive, code);
  if (code) {
    return Error{ErrorCode::StorageFailed,
                 from + " cannot be copied to " + to + ": " + code.message()};
  }
  return {};
}

}  // namespace

Result<StoreReport> inspect_store(const Config& config, bool verify,
                                  const std::function<void(const std::string& line)>& each) {
  if (!fs::exists(config.data_dir + "/FORMAT")) {
    return Error{ErrorCode::NotFound, config.data_dir + " holds no data"};
  }
  auto store = open_to_look(config);
  if (!store) return store.error();
  StoreReport report;
  if (verify) {
    if (const Result<void> done = (*store)->verify(); !done)
      report.faults.push_back(done.error().detail);
  }
  const Now now = read_clocks();
  const auto tell_entry = [&](const std::string& key, const std::string& value) {
    Told told = tell_record(key, with_message(**store, key, value), now);
    StoreReport::Sum& sum = report.kinds[told.kind];
    ++sum.records;
    sum.bytes += key.size() + value.size();
    if (told.fault) {
      report.faults.push_back("key=" + escaped(key) + " kind=" + told.kind +
                              " because=" + escaped(told.fault->detail));
    }
    if (!each) return;
    told.facts["kind"] = told.kind;
    if (told.fault) told.facts["fault"] = told.fault->detail;
    each(told.facts.dump(-1, ' ', false, Json::error_handler_t::replace));
  };
  for (StoreRange range;;) {
    const Result<StoreEntries> found = (*store)->read(range);
    if (!found) report.faults.push_back(found.error().detail);
    if (!found) break;
    for (const auto& [key, value] : found->entries) tell_entry(key, value);
    if (!found->more) break;
    range.from = found->entries.back().first + '\0';
  }
  report.figures = (*store)->figures();
  return report;
}

Result<void> restore_backup(const Config& config, const std::string& backup) {
  if (config.data_dir.empty())
    return Error{ErrorCode::InvalidArgument, "there is no data_dir to restore into"};
  if (!fs::exists(backup + "/FORMAT")) {
    return Error{ErrorCode::InvalidArgument,
                 backup + " is no complete backup: it has no file FORMAT"};
  }
  {
    auto held = storage::DataDirectory::claim(config.data_dir);
    if (!held) return held.error();
    const Result<unsigned> format = held->format(records::kFormat);
    if (!format) return format.error();
    if (*format != 0 || fs::exists(held->store_path())) {
      return Error{ErrorCode::InvalidArgument,
                   config.data_dir + " holds data already; move it away first"};
    }
    if (Result<void> copied = copy_whole(backup + "/store", held->store_path()); !copied)
      return copied;
    if (fs::exists(backup + "/KEYS")) {
      if (Result<void> copied = copy_whole(backup + "/KEYS", config.data_dir + "/KEYS"); !copied)
        return copied;
    }
    const Result<std::string> text = storage::read_file(backup + "/FORMAT");
    if (!text) return text.error();
    if (Result<void> noted = storage::replace_file(config.data_dir + "/FORMAT", *text); !noted)
      return noted;
  }
  const Result<StoreReport> report = inspect_store(config, true, {});
  if (!report) return report.error();
  if (!report->faults.empty()) {
    return Error{ErrorCode::Corrupt, "the backup " + backup +
                                         " does not verify: " + report->faults[0] +
                                         "; what was restored lies in " + config.data_dir};
  }
  return {};
}

}  // namespace twinmq::app
