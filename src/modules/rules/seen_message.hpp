#pragma once
// One message while rules look at it: read once, whatever they ask.

#include <cstdint>
#include <string_view>
#include <vector>

#include <twinmq/message.hpp>

#include "modules/rules/envelope.hpp"
#include "sql/event.hpp"

namespace twinmq::rules {

/// Views into the envelope, the topic and the account, which outlive it; what is read of the
/// payload lies in `document`.
struct SeenMessage {
  SeenMessage(const Envelope& from, std::string_view topic, std::int64_t now,
              std::string_view account, json::Arena& document);
  SeenMessage(const SeenMessage&) = delete;
  SeenMessage& operator=(const SeenMessage&) = delete;

  Envelope envelope;
  sql::Event event;
  sql::Payload payload;
  MessageProperties properties;
  std::vector<sql::UserProperty> user_properties;
  std::string trace_id;  ///< empty until somebody asks

 private:
  void read_properties();
};

}  // namespace twinmq::rules
