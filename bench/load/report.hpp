#pragma once
// The outcome of a run: one form for all subcommands. What a run does not measure stays absent.

#include <cstdint>
#include <optional>
#include <string>

#include "histogram.hpp"

namespace twinmq::load {

struct Report {
  std::string scenario;  ///< the subcommand
  std::string label;     ///< one word per parameter that tells rows apart, for the human line
  std::string broker;    ///< process name; empty without a pid
  std::string failure;   ///< why the run broke off; empty when it ran to its end

  // parameters
  int mqtt_version = 5;
  std::optional<std::string> topics;
  std::optional<std::int64_t> publishers, subscribers, qos, payload_bytes, window, rate;
  std::optional<std::int64_t> connections, filters, rounds, rules, groups;
  std::optional<bool> unbatched, persistent, subscribe, churn, distinct, matching;

  // messages
  std::optional<std::int64_t> messages_in;   ///< into the broker
  std::optional<std::int64_t> messages_out;  ///< out of the broker, duplicates included
  std::optional<double> wall_seconds;
  std::optional<double> messages_per_second;    ///< in + out
  std::optional<double> deliveries_per_second;  ///< out
  std::optional<double> cpu_us_per_message;     ///< in + out
  std::optional<double> cpu_us_per_delivery;
  std::optional<double> cpu_us_per_publish;
  std::optional<double> p50_us, p90_us, p99_us, p999_us, max_us;
  std::int64_t loss = 0;
  std::int64_t duplicates = 0;  ///< second copies, and messages nobody sent
  std::int64_t reorders = 0;

  // connections and subscriptions
  std::optional<double> connects_per_second;
  std::optional<double> cpu_us_per_connect;  ///< churn: per connect and disconnect
  std::optional<double> cpu_us_per_subscribe;
  std::optional<double> cpu_us_per_disconnect;
  std::optional<double> rss_bytes_per_connection;
  std::optional<double> rss_bytes_per_subscribed_connection;
  std::optional<double> cpu_us_per_filter;
  std::optional<double> rss_bytes_per_filter;

  // retained messages
  std::optional<double> cpu_us_per_retained_set;
  std::optional<double> rss_bytes_per_retained;
  std::optional<double> cpu_us_per_retained_delivery;

  // shadows
  std::optional<double> updates_per_second;  ///< accepted
  std::optional<double> cpu_us_per_update;   ///< with all that is told of it
  std::optional<double> rss_bytes_per_shadow;
  std::optional<double> gets_per_second;
  std::optional<double> cpu_us_per_get;
  std::optional<double> indexed_query_ms;   ///< median; absent if the broker keeps no index
  std::optional<double> scanning_query_ms;  ///< of one that looks at all documents
  std::optional<std::int64_t> scanned_shadows;
  std::optional<double> ping_idle_p99_us;          ///< before the queries
  std::optional<double> ping_p99_us, ping_max_us;  ///< while all documents are looked at

  // rules; per message published, medians of the rounds
  std::optional<double> cpu_us_without_rules, cpu_us_with_rules;
  std::optional<double> cpu_us_added;  ///< of the differences within a round
  std::optional<double> rss_bytes_per_group;

  // kills
  std::optional<double> restart_seconds_max;  ///< from a kill until the broker accepts again

  // queues of absent clients
  std::optional<double> cpu_us_per_queued;  ///< publishing and storing one message
  std::optional<double> queued_per_second;
  std::optional<double> cpu_us_per_drained;  ///< its delivery to the client that came back
  std::optional<std::int64_t>
      rss_bytes_before;  ///< of the broker, with the sessions, before the messages
  std::optional<std::int64_t> rss_bytes_queued;  ///< with all of them waiting
  std::optional<std::int64_t> rss_bytes_drained;

  /// Whole process, not per unit.
  std::optional<double> broker_cpu_seconds;
  std::optional<std::int64_t> broker_rss_bytes;
  double generator_cpu_seconds = 0;

  bool correct() const { return failure.empty() && loss == 0 && duplicates == 0 && reorders == 0; }
  void set_latency(const Histogram& latency);
};

/// One JSON object on one line, the same keys for every scenario; absent values are null.
std::string to_json(const Report& report);

/// One line for people, without what is absent.
std::string to_line(const Report& report);

/// `total` over `count`, in thousandths when `total` is nanoseconds and microseconds are wanted.
std::optional<double> per(std::optional<double> total, double count);
std::optional<double> us_per(std::optional<double> nanoseconds, double count);

}  // namespace twinmq::load
