// Link's part for PUBACK, PUBREC, PUBREL and PUBCOMP. Sections 3.4 to 3.7.

#include "core/home_topics.hpp"
#include "core/link.hpp"
#include "core/pending_connect.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"
#include "mqtt/encode.hpp"

namespace twinmq::core {

using mqtt::PacketType;

void Link::on_ack(const mqtt::Frame& frame) {
  const auto ack = mqtt::decode_ack(frame, version_);
  if (!ack) return refuse(ack.error());
  switch (ack->type) {
    // A stray acknowledgement opens no window and is otherwise harmless: the client may answer
    // twice after a reconnection.
    case PacketType::Puback: session_->on_puback(ack->packet_id); break;
    case PacketType::Pubcomp: session_->on_pubcomp(ack->packet_id); break;
    case PacketType::Pubrec:
      if (!session_->on_pubrec(ack->packet_id, ack->code) && !is_failure(ack->code))
        send_ack(PacketType::Pubrel, ack->packet_id, ReasonCode::PacketIdentifierNotFound);
      break;
    default: on_pubrel(*ack); break;
  }
}

void Link::on_pubrel(const mqtt::Ack& ack) {
  if (!session_->remove_received(ack.packet_id))
    return acknowledge(PacketType::Pubcomp, ack.packet_id, ReasonCode::PacketIdentifierNotFound);
  if (!session_->persistent())
    return acknowledge(PacketType::Pubcomp, ack.packet_id, ReasonCode::Success);  // [MQTT-4.3.3-11]
  // PUBCOMP lets the client use the identifier for a new message: the store must know first.
  shard_.parts.journal->completed(session_->client_id(), ack.packet_id,
                                  shard_.transactions.open_batch());
  shard_.transactions.after_commit(
      {AfterCommit::Kind::Promise, key, {}, owe(PacketType::Pubcomp, ack.packet_id)});
}

}  // namespace twinmq::core
