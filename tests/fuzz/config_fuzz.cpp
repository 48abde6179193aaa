// A configuration file of any bytes is read or complained about, and what is read survives being
// printed.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "app/config_draft.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinmq;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A reference would read files of the machine the fuzzer runs on.
  if (text.find('$') != std::string_view::npos || text.find("\\u") != std::string_view::npos ||
      text.find("\\U") != std::string_view::npos) {
    return 0;
  }
  app::ConfigDraft draft(daemon_defaults());
  app::apply_toml(draft, text, "fuzz.toml");
  app::apply_setting(draft, text.substr(0, text.find('\n')));
  const auto loaded = std::move(draft).finish();
  if (!loaded) {
    if (loaded.error().empty()) std::abort();
    return 0;
  }
  app::ConfigDraft again(daemon_defaults());
  app::apply_toml(again, print_config(*loaded), "printed.toml");
  if (!std::move(again).finish()) std::abort();
  return 0;
}
