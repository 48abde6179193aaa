#pragma once
// QoS persistence: the house's SessionJournal. Writes the records that
// src/records/session_record.hpp describes.

#include <twinmq/session_journal.hpp>

namespace twinmq::sessions {

class SessionModule final : public SessionJournal {
 public:
  void session(const StoredSession& session, Now now, Batch& batch) override;
  void session_ended(std::string_view client_id, std::span<const NumberRange> spared,
                     Batch& batch) override;
  void subscribed(std::string_view client_id, const StoredSubscription& subscription,
                  Batch& batch) override;
  void unsubscribed(std::string_view client_id, std::string_view filter, Batch& batch) override;
  bool common_message(std::uint64_t number, const Message& message, Now now, Batch& batch) override;
  void common_message_gone(std::uint64_t number, Batch& batch) override;
  Result<std::uint64_t> last_common_message(Store& store, std::uint64_t from,
                                            std::uint64_t to) override;
  StoreRange unused_common_messages(std::vector<NumberRange> among) override;
  std::uint64_t common_message_number(std::string_view key) override;
  void delivery(std::string_view client_id, const StoredDelivery& delivery, Now now,
                Batch& batch) override;
  void delivered(std::string_view client_id, std::uint64_t sequence, Batch& batch) override;
  std::optional<StoreRange> queue_range(std::string_view client_id, std::uint64_t from,
                                        std::uint64_t to) override;
  Result<StoredDelivery> read_delivery(std::string_view key, std::string_view record,
                                       Now now) override;
  void received(std::string_view client_id, std::uint16_t packet_id, Batch& batch) override;
  void completed(std::string_view client_id, std::uint16_t packet_id, Batch& batch) override;
  void owed(const OwedMessage& message, Now now, Batch& batch) override;
  void routed(std::uint64_t number, Batch& batch) override;
  Result<void> restore(Store& store, Now now,
                       const std::function<bool(std::string_view client_id)>& mine,
                       Visitor& visitor, const std::function<void(std::string)>& complain) override;
};

}  // namespace twinmq::sessions
