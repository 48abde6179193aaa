#pragma once
// What a request leads to, as messages of the service and as an answer without one.

#include <twinmq/service.hpp>

#include "modules/shadow/shadow_machine.hpp"
#include "modules/shadow/shadow_versions.hpp"

namespace twinmq::shadow {

inline DirectAnswer direct_answer(const Outcome& outcome) {
  return {outcome.code, outcome.message, outcome.body, outcome.version};
}

/// Views into the message.
inline MessageParts parts_of(const ShadowMessage& message) {
  MessageParts parts;
  parts.topic = message.topic;
  parts.payload = message.payload;
  parts.qos = QoS::AtLeastOnce;
  return parts;
}

inline void tell(const Outcome& outcome, Reaction& reaction) {
  for (const ShadowMessage& message : outcome.messages) reaction.publish(parts_of(message));
}

}  // namespace twinmq::shadow
