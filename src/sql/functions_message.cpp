// What is known about the message.

#include <string>

#include "sql/base64.hpp"
#include "sql/conversion.hpp"
#include "sql/functions.hpp"

namespace twinmq::sql {
namespace {

using json::Kind;
using json::Member;
using json::Value;

Value text_or_nothing(std::string_view text) {
  return text.empty() ? Value() : Value::string(text);
}

Value topic(const Call& call) {
  std::string_view rest = call.evaluation.event.topic;
  if (call.size() == 0) return Value::string(rest);
  auto level = int_of(call[0]);
  if (!level || *level < 1) return {};
  while (--*level > 0) {
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
  return Value::string(rest.substr(0, rest.find('/')));
}

Value clientid(const Call& call) {
  return Value::string(call.evaluation.event.client_id);
}

Value principal(const Call& call) {
  const Event& event = call.evaluation.event;
  return text_or_nothing(event.principal.empty() ? event.user_name : event.principal);
}

Value username(const Call& call) {
  return text_or_nothing(call.evaluation.event.user_name);
}

Value accountid(const Call& call) {
  return text_or_nothing(call.evaluation.event.account_id);
}

Value traceid(const Call& call) {
  return text_or_nothing(trace_id_of(call.evaluation.event, call.evaluation.world));
}

Value sourceip(const Call& call) {
  return text_or_nothing(call.evaluation.event.source_ip);
}

Value sql_version(const Call& call) {
  return Value::string(name_of(call.evaluation.version));
}

Value qos(const Call& call) {
  return Value::integer(call.evaluation.event.qos);
}

Value retain(const Call& call) {
  return Value::boolean(call.evaluation.event.retain);
}

Value newuuid(const Call& call) {
  return text_value(new_uuid(call.evaluation.world), call.evaluation);
}

Value get_mqtt_property(const Call& call) {
  const Event& event = call.evaluation.event;
  if (!call[0].is(Kind::String)) return {};
  const std::string_view name = call[0].text();
  if (name == "format_indicator")
    return Value::string(event.payload_is_utf8 ? "UTF8_DATA" : "UNSPECIFIED_BYTES");
  if (name == "content_type")
    return event.content_type ? Value::string(*event.content_type) : Value();
  if (name == "response_topic")
    return event.response_topic ? Value::string(*event.response_topic) : Value();
  if (name == "correlation_data" && event.correlation_data)
    return text_value(to_base64(twinmq::text_of(*event.correlation_data)), call.evaluation);
  return {};
}

Value get_user_properties(const Call& call) {
  const auto properties = call.evaluation.event.user_properties;
  if (call.size() == 1 && !call[0].is(Kind::String)) return {};
  Value* items = call.evaluation.arena.array<Value>(properties.size());
  if (items == nullptr) return {};
  std::size_t count = 0;
  for (const UserProperty& property : properties) {
    if (call.size() == 1) {
      if (property.name == call[0].text()) items[count++] = Value::string(property.value);
      continue;
    }
    Member* member = call.evaluation.arena.array<Member>(1);
    if (member == nullptr) return {};
    *member = {property.name, Value::string(property.value)};
    items[count++] = Value::object({member, 1});
  }
  return call.size() == 1 && count == 0 ? Value() : Value::array({items, count});
}

constexpr Function kFunctions[] = {
    {"topic", 0, 1, topic},
    {"clientid", 0, 0, clientid},
    {"principal", 0, 0, principal},
    {"accountid", 0, 0, accountid},
    {"traceid", 0, 0, traceid},
    {"sourceip", 0, 0, sourceip},
    {"sql_version", 0, 0, sql_version},
    {"newuuid", 0, 0, newuuid},
    {"get_mqtt_property", 1, 1, get_mqtt_property},
    {"get_user_properties", 0, 1, get_user_properties},
    {"username", 0, 0, username, true},
    {"qos", 0, 0, qos, true},
    {"retain", 0, 0, retain, true},
};

}  // namespace

std::string new_uuid(World* world) {
  std::string bytes;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = world == nullptr ? 0 : world->random();
    for (int i = 0; i < 8; ++i, bits >>= 8) bytes += static_cast<char>(bits & 0xFF);
  }
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text = to_hex(bytes);
  for (const std::size_t dash : {20U, 16U, 12U, 8U}) text.insert(dash, "-");
  return text;
}

std::string_view trace_id_of(const Event& event, World* world) {
  if (event.trace_id == nullptr) return {};
  if (event.trace_id->empty()) *event.trace_id = new_uuid(world);
  return *event.trace_id;
}

std::span<const Function> message_functions() {
  return kFunctions;
}

}  // namespace twinmq::sql
