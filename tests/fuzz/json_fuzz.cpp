// JSON of any bytes is read or refused; what is read comes out as a document that reads as the same
// value.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.hpp"
#include "json/read.hpp"
#include "json/write.hpp"
#include "sql/packed.hpp"

namespace {

// A number beyond every magnitude is Undefined, and that has no text.
bool has_text(const twinmq::json::Value& value) {
  using twinmq::json::Kind;
  if (value.kind() == Kind::Array)
    return std::all_of(value.items().begin(), value.items().end(), has_text);
  if (value.kind() == Kind::Object)
    return std::all_of(value.members().begin(), value.members().end(),
                       [](const auto& member) { return has_text(member.value); });
  return value.kind() != Kind::Undefined;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinmq;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  json::Arena arena(std::size_t{1} << 20);
  if (const json::ReadResult read = json::read(text, arena); read && has_text(read.value)) {
    const std::string written = json::text_of(read.value, json::Numbers::AsWritten);
    json::Arena again;
    const json::ReadResult second = json::read(written, again);
    TWINMQ_REQUIRE(second && json::equal(read.value, second.value));
    const std::string stripped = json::text_of(read.value);
    json::Arena third;
    const json::ReadResult short_form = json::read(stripped, third);
    TWINMQ_REQUIRE(short_form && json::equal(read.value, short_form.value));
  }
  for (const auto reader : {sql::read_cbor, sql::read_msgpack}) {
    json::Arena packed(std::size_t{1} << 20);
    if (const auto value = reader(text, packed)) static_cast<void>(json::text_of(*value));
  }
  return 0;
}
