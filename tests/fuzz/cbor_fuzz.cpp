// Bytes as CBOR: what can be read is written again and says the same.

#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.hpp"
#include "modules/shadow/cbor.hpp"
#include "modules/shadow/json_text.hpp"

namespace twinmq::shadow {
namespace {

void run(std::string_view input) {
  const auto text = json_of_cbor(input);
  if (!text) return;
  Arena arena;
  JsonReader reader;
  Node node;
  const Reading reading = reader.read(*text, 0, arena, node);
  if (reading != Reading::Good) return;  // texts that are no UTF-8, numbers beyond 10^309
  std::string again;
  write_cbor(node, again);
  const auto back = json_of_cbor(again);
  TWINMQ_REQUIRE(back.has_value());
  Node second;
  TWINMQ_REQUIRE(reader.read(*back, 0, arena, second) == Reading::Good);
  TWINMQ_REQUIRE(same_value(node, second));
}

}  // namespace
}  // namespace twinmq::shadow

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  twinmq::shadow::run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
