#include "records/retained_record.hpp"

#include "records/message_table.hpp"

namespace twinmq::records {

namespace {
constexpr const char* kIdentifier = "tmqR";
constexpr std::size_t kTableBytes = 128;  // more than the tables take beside their texts
}  // namespace

std::string encode_retained(const Message& message, Now now) {
  flatbuffers::FlatBufferBuilder builder(kTableBytes + message.topic().size() +
                                         message.payload().size() + message.properties().size() +
                                         message.publisher().size());
  const auto stored = add_message(builder, message, now);
  builder.Finish(table::CreateRetained(builder, stored, now.wall.time_since_epoch().count()),
                 kIdentifier);
  return taken(builder);
}

Result<MessageRef> decode_retained(std::string_view key, std::string_view record, Now now) {
  const Verified<table::Retained> retained(record, kIdentifier);
  if (!retained || key.size() < 2 || view(retained->message()->topic()) != key.substr(1))
    return Error{ErrorCode::Corrupt, "a retained record does not verify"};
  return read_message(*retained->message(), now);
}

std::int64_t retained_set_at(std::string_view record) {
  const Verified<table::Retained> retained(record, kIdentifier);
  return retained ? retained->set_at() : 0;
}

}  // namespace twinmq::records
