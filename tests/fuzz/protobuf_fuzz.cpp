// Messages of hostile senders, read by types that nest and refer to themselves: those of
// descriptors themselves. The first byte says how much room there is.
#include <google/protobuf/descriptor.pb.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "fuzz/require.hpp"
#include "json/read.hpp"
#include "json/write.hpp"
#include "sql/protobuf.hpp"

namespace {

const twinmq::sql::ProtobufTypes& types() {
  static const auto kTypes = [] {
    google::protobuf::FileDescriptorSet set;
    google::protobuf::FileDescriptorSet::descriptor()->file()->CopyTo(set.add_file());
    auto read = twinmq::sql::ProtobufTypes::read(set.SerializeAsString());
    TWINMQ_REQUIRE(static_cast<bool>(read));
    return std::move(*read);
  }();
  return *kTypes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  twinmq::json::Arena arena(std::size_t{1024} << (bytes[0] & 15));
  const std::string_view message(reinterpret_cast<const char*>(bytes + 1), size - 1);
  const auto* const type = types().find("google.protobuf.FileDescriptorSet");
  const auto value = twinmq::sql::ProtobufTypes::decode(*type, message, arena);
  // What was read is JSON.
  if (value) {
    twinmq::json::Arena again;
    TWINMQ_REQUIRE(
        static_cast<bool>(twinmq::json::read(again.copy(twinmq::json::text_of(*value)), again)));
  }
  // What the arena may not hold, libprotobuf reads as descriptors: no input ends the process.
  (void)twinmq::sql::ProtobufTypes::read(message);
  return 0;
}
