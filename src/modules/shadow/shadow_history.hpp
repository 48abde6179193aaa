#pragma once
// The versions a shadow had: who made them, when and from where. What lies in the store, and how it
// is told.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <twinmq/store.hpp>

#include "modules/shadow/document.hpp"
#include "modules/shadow/shadow_request.hpp"

namespace twinmq::shadow {

/// Who asked for a change. Views, unless said otherwise.
struct Author {
  std::string_view client;     ///< client identifier; empty: not over MQTT
  std::string_view principal;  ///< empty: none
  std::string_view peer;       ///< address; empty: the host program, or the broker itself
};

struct HistoryRequest {
  std::optional<std::string> token;
  std::size_t limit = 10;
  std::optional<std::int64_t> before;  ///< only versions below
  std::optional<std::int64_t> from;    ///< with `to`: the difference of two versions
  std::optional<std::int64_t> to;
};

/// Reads {"limit": …, "before": …} or {"from": …, "to": …}, and clientToken; empty is {}.
Refusal read_history_request(std::string_view payload, HistoryRequest& request);

/// Whether its numbers make sense together.
Refusal check_history_request(const HistoryRequest& request);

/// The key of one version of the shadow with that record key; and of all.
std::string history_key(std::string_view record_key, std::int64_t version);
StoreRange history_range(std::string_view record_key, std::int64_t first, std::int64_t last);

/// The shadow's record key in a key of its history; empty: it is none.
std::string record_of_history_key(std::string_view key);

/// The version and the time of a shadow's record; false: it is none.
bool read_stamp(std::string_view record, std::int64_t& version, EpochSeconds& changed);

std::string write_history(const Author& author, std::string_view operation,
                          std::string_view record);

/// When the version came to be; nothing: no such entry.
std::optional<EpochSeconds> time_of_history(std::string_view entry);

/// {"versions":[…the latest first…],"nextBefore":n}; entries that came before `oldest` are left
/// out.
std::string history_answer(const StoreEntries& found, std::int64_t first, EpochSeconds oldest,
                           const std::optional<std::string>& token);

/// {"from":n,"to":n,"changed":{…},"removed":{…}}: what `to` holds and `from` does not, and the
/// other way round. Empty: one of them is no entry.
std::string difference_answer(std::string_view from, std::string_view to,
                              const std::optional<std::string>& token);

}  // namespace twinmq::shadow
