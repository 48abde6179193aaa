#pragma once
// A message inside a structured record. Seen by records alone.

#include <cstdint>
#include <string>
#include <string_view>

#include <records_generated.h>

#include <twinmq/message.hpp>
#include <twinmq/result.hpp>
#include <twinmq/time.hpp>

namespace twinmq::records {

using Bytes = flatbuffers::Vector<std::uint8_t>;

flatbuffers::Offset<Bytes> add_bytes(flatbuffers::FlatBufferBuilder& builder,
                                     std::string_view bytes);
flatbuffers::Offset<table::Message> add_message(flatbuffers::FlatBufferBuilder& builder,
                                                const Message& message, Now now);

/// Empty for a field that is not there.
std::string_view view(const Bytes* bytes);
/// The table's structure is verified already; this verifies its values.
Result<MessageRef> read_message(const table::Message& message, Now now);

/// A record as the table it should be. Stores hand records out at any address, tables want theirs
/// to be even.
template <typename Table>
class Verified {
 public:
  Verified(std::string_view record, const char* identifier) {
    if (reinterpret_cast<std::uintptr_t>(record.data()) % kAlignment != 0) {
      moved_ = record;
      record = moved_;
    }
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(record.data());
    flatbuffers::Verifier verifier(bytes, record.size());
    if (verifier.VerifyBuffer<Table>(identifier)) table_ = flatbuffers::GetRoot<Table>(bytes);
  }
  Verified(const Verified&) = delete;
  Verified& operator=(const Verified&) = delete;

  explicit operator bool() const { return table_ != nullptr; }
  const Table* operator->() const { return table_; }

 private:
  static constexpr std::uintptr_t kAlignment = 8;
  std::string moved_;
  const Table* table_ = nullptr;  ///< null: it does not verify
};

inline std::string taken(const flatbuffers::FlatBufferBuilder& builder) {
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

/// Whether a moment could have been written: some 140,000 years around 1970, so that damaged bytes
/// overflow nothing.
bool is_wall_time(std::int64_t milliseconds);

}  // namespace twinmq::records
