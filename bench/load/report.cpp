#include "report.hpp"

#include <cstdio>
#include <string_view>

namespace twinmq::load {
namespace {

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string number(std::int64_t value) {
  return std::to_string(value);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string encode(const std::string& text) {
  return quoted(text);
}
std::string encode(std::int64_t value) {
  return number(value);
}
std::string encode(double value) {
  return number(value);
}
std::string encode(bool value) {
  return value ? "true" : "false";
}
template <typename T>
std::string encode(const std::optional<T>& value) {
  return value ? encode(*value) : "null";
}

class JsonObject {
 public:
  void raw(std::string_view key, const std::string& value) {
    text_ += text_.size() > 1 ? "," : "";
    text_ += quoted(key) + ":" + value;
  }
  template <typename T>
  void add(std::string_view key, const T& value) {
    raw(key, encode(value));
  }
  std::string text() const { return text_ + "}"; }

 private:
  std::string text_ = "{";
};

std::string parameters(const Report& report) {
  JsonObject object;
  object.add("mqtt_version", std::int64_t{report.mqtt_version});
  object.add("topics", report.topics);
  object.add("publishers", report.publishers);
  object.add("subscribers", report.subscribers);
  object.add("qos", report.qos);
  object.add("payload_bytes", report.payload_bytes);
  object.add("window", report.window);
  object.add("rounds", report.rounds);
  object.add("unbatched", report.unbatched);
  object.add("rate", report.rate);
  object.add("connections", report.connections);
  object.add("persistent", report.persistent);
  object.add("subscribe", report.subscribe);
  object.add("churn", report.churn);
  object.add("filters", report.filters);
  object.add("rules", report.rules);
  object.add("groups", report.groups);
  object.add("distinct", report.distinct);
  object.add("matching", report.matching);
  return object.text();
}

std::string latency(const Report& report) {
  JsonObject object;
  object.add("p50", report.p50_us);
  object.add("p90", report.p90_us);
  object.add("p99", report.p99_us);
  object.add("p999", report.p999_us);
  object.add("max", report.max_us);
  return object.text();
}

std::optional<std::string> unless_empty(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<double> mebibytes(const std::optional<std::int64_t>& bytes) {
  if (!bytes) return std::nullopt;
  return static_cast<double>(*bytes) / (1024.0 * 1024.0);
}

void add_field(std::string& line, const char* name, const std::optional<double>& value,
               const char* unit) {
  if (value) line += std::string("  ") + name + " " + number(*value) + unit;
}

}  // namespace

void Report::set_latency(const Histogram& latency) {
  if (latency.total() == 0) return;
  p50_us = latency.percentile_us(0.50);
  p90_us = latency.percentile_us(0.90);
  p99_us = latency.percentile_us(0.99);
  p999_us = latency.percentile_us(0.999);
  max_us = latency.max_us();
}

std::string to_json(const Report& report) {
  JsonObject object;
  object.add("name", std::string("twinmq-bench"));
  object.add("version", std::string(TWINMQ_VERSION));
  object.add("scenario", report.scenario);
  object.add("broker", unless_empty(report.broker));
  object.raw("parameters", parameters(report));
  object.add("failure", unless_empty(report.failure));
  object.add("messages_in", report.messages_in);
  object.add("messages_out", report.messages_out);
  object.add("cpu_us_per_message", report.cpu_us_per_message);
  object.add("cpu_us_per_delivery", report.cpu_us_per_delivery);
  object.add("cpu_us_per_publish", report.cpu_us_per_publish);
  object.add("wall_seconds", report.wall_seconds);
  object.add("messages_per_second", report.messages_per_second);
  object.add("deliveries_per_second", report.deliveries_per_second);
  object.add("loss", report.loss);
  object.add("duplicates", report.duplicates);
  object.add("reorders", report.reorders);
  object.raw("latency_us", latency(report));
  object.add("connects_per_second", report.connects_per_second);
  object.add("cpu_us_per_connect", report.cpu_us_per_connect);
  object.add("cpu_us_per_subscribe", report.cpu_us_per_subscribe);
  object.add("cpu_us_per_disconnect", report.cpu_us_per_disconnect);
  object.add("rss_bytes_per_connection", report.rss_bytes_per_connection);
  object.add("rss_bytes_per_subscribed_connection", report.rss_bytes_per_subscribed_connection);
  object.add("cpu_us_per_filter", report.cpu_us_per_filter);
  object.add("rss_bytes_per_filter", report.rss_bytes_per_filter);
  object.add("cpu_us_per_retained_set", report.cpu_us_per_retained_set);
  object.add("rss_bytes_per_retained", report.rss_bytes_per_retained);
  object.add("cpu_us_per_retained_delivery", report.cpu_us_per_retained_delivery);
  object.add("updates_per_second", report.updates_per_second);
  object.add("cpu_us_per_update", report.cpu_us_per_update);
  object.add("rss_bytes_per_shadow", report.rss_bytes_per_shadow);
  object.add("gets_per_second", report.gets_per_second);
  object.add("cpu_us_per_get", report.cpu_us_per_get);
  object.add("indexed_query_ms", report.indexed_query_ms);
  object.add("scanning_query_ms", report.scanning_query_ms);
  object.add("scanned_shadows", report.scanned_shadows);
  object.add("ping_idle_p99_us", report.ping_idle_p99_us);
  object.add("ping_p99_us", report.ping_p99_us);
  object.add("ping_max_us", report.ping_max_us);
  object.add("cpu_us_without_rules", report.cpu_us_without_rules);
  object.add("cpu_us_with_rules", report.cpu_us_with_rules);
  object.add("cpu_us_added", report.cpu_us_added);
  object.add("rss_bytes_per_group", report.rss_bytes_per_group);
  object.add("cpu_us_per_queued", report.cpu_us_per_queued);
  object.add("queued_per_second", report.queued_per_second);
  object.add("cpu_us_per_drained", report.cpu_us_per_drained);
  object.add("rss_bytes_before", report.rss_bytes_before);
  object.add("rss_bytes_queued", report.rss_bytes_queued);
  object.add("rss_bytes_drained", report.rss_bytes_drained);
  object.add("restart_seconds_max", report.restart_seconds_max);
  object.add("broker_cpu_seconds", report.broker_cpu_seconds);
  object.add("broker_rss_bytes", report.broker_rss_bytes);
  object.add("generator_cpu_seconds", report.generator_cpu_seconds);
  return object.text();
}

std::string to_line(const Report& report) {
  std::string line = report.scenario + " " + report.label;
  if (!report.broker.empty()) line += " [" + report.broker + "]";
  if (report.messages_in) line += "  in " + number(*report.messages_in);
  if (report.messages_out) line += "  out " + number(*report.messages_out);
  add_field(line, "cpu/message", report.cpu_us_per_message, " us");
  add_field(line, "cpu/delivery", report.cpu_us_per_delivery, " us");
  add_field(line, "cpu/publish", report.cpu_us_per_publish, " us");
  add_field(line, "messages/s", report.messages_per_second, "");
  add_field(line, "p50", report.p50_us, " us");
  add_field(line, "p99", report.p99_us, " us");
  add_field(line, "p99.9", report.p999_us, " us");
  add_field(line, "connects/s", report.connects_per_second, "");
  add_field(line, "cpu/connect", report.cpu_us_per_connect, " us");
  add_field(line, "cpu/subscribe", report.cpu_us_per_subscribe, " us");
  add_field(line, "cpu/disconnect", report.cpu_us_per_disconnect, " us");
  add_field(line, "rss/connection", report.rss_bytes_per_connection, " B");
  add_field(line, "rss/subscribed", report.rss_bytes_per_subscribed_connection, " B");
  add_field(line, "cpu/filter", report.cpu_us_per_filter, " us");
  add_field(line, "rss/filter", report.rss_bytes_per_filter, " B");
  add_field(line, "cpu/set", report.cpu_us_per_retained_set, " us");
  add_field(line, "rss/retained", report.rss_bytes_per_retained, " B");
  add_field(line, "cpu/replayed", report.cpu_us_per_retained_delivery, " us");
  add_field(line, "updates", report.updates_per_second, "/s");
  add_field(line, "cpu/update", report.cpu_us_per_update, " us");
  add_field(line, "rss/shadow", report.rss_bytes_per_shadow, " B");
  add_field(line, "gets", report.gets_per_second, "/s");
  add_field(line, "cpu/get", report.cpu_us_per_get, " us");
  add_field(line, "indexed query", report.indexed_query_ms, " ms");
  add_field(line, "scanning query", report.scanning_query_ms, " ms");
  if (report.scanned_shadows) line += " over " + number(*report.scanned_shadows);
  add_field(line, "ping p99 before", report.ping_idle_p99_us, " us");
  add_field(line, "meanwhile", report.ping_p99_us, " us");
  add_field(line, "at most", report.ping_max_us, " us");
  add_field(line, "cpu/message without", report.cpu_us_without_rules, " us");
  add_field(line, "with", report.cpu_us_with_rules, " us");
  add_field(line, "added", report.cpu_us_added, " us");
  add_field(line, "rss/group", report.rss_bytes_per_group, " B");
  add_field(line, "cpu/queued", report.cpu_us_per_queued, " us");
  add_field(line, "queued/s", report.queued_per_second, "");
  add_field(line, "cpu/drained", report.cpu_us_per_drained, " us");
  if (report.cpu_us_per_drained || report.queued_per_second)
    add_field(line, "deliveries/s", report.deliveries_per_second, "");
  add_field(line, "rss before", mebibytes(report.rss_bytes_before), " MiB");
  add_field(line, "rss queued", mebibytes(report.rss_bytes_queued), " MiB");
  add_field(line, "rss drained", mebibytes(report.rss_bytes_drained), " MiB");
  line += "  loss " + number(report.loss) + "  duplicates " + number(report.duplicates) +
          "  reorders " + number(report.reorders);
  if (!report.failure.empty()) line += "  FAILED: " + report.failure;
  return line;
}

std::optional<double> per(std::optional<double> total, double count) {
  if (!total || count <= 0) return std::nullopt;
  return *total / count;
}

std::optional<double> us_per(std::optional<double> nanoseconds, double count) {
  return per(nanoseconds, count * 1000.0);
}

}  // namespace twinmq::load
