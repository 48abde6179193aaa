// A schema, a zero byte, values with zero bytes between: whatever they are, checking comes to an
// end and says the same twice.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.hpp"
#include "modules/shadow/json_text.hpp"
#include "modules/shadow/schema.hpp"

namespace twinmq::shadow {
namespace {

constexpr std::uint16_t kDepthMax = 64;

void run(std::string_view input) {
  const std::size_t end = std::min(input.find('\0'), input.size());
  const auto schema = Schema::compile(std::string(input.substr(0, end)));
  if (!schema) {
    TWINMQ_REQUIRE(!schema.error().detail.empty());
    return;
  }
  input.remove_prefix(std::min(end + 1, input.size()));
  while (!input.empty()) {
    const std::size_t size = std::min(input.find('\0'), input.size());
    Arena arena;
    JsonReader reader;
    Node value;
    const bool good = reader.read(input.substr(0, size), 0, arena, value) == Reading::Good;
    input.remove_prefix(std::min(size + 1, input.size()));
    // Documents are no deeper than the limit of their requests.
    if (!good || value.depth > kDepthMax) continue;
    TWINMQ_REQUIRE((*schema)->fault_of(value) == (*schema)->fault_of(value));
  }
}

}  // namespace
}  // namespace twinmq::shadow

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  twinmq::shadow::run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
