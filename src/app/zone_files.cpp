#include "app/zone_files.hpp"

#include <fstream>
#include <iterator>

namespace twinmq::app {

std::optional<std::string> read_zone_file(std::string_view name) {
  constexpr std::string_view kFolder = "/usr/share/zoneinfo/";
  constexpr std::size_t kBytesMax = std::size_t{64} << 10;
  if (name.empty() || name.front() == '/' || name.find("..") != std::string_view::npos)
    return std::nullopt;
  std::ifstream file(std::string(kFolder) + std::string(name), std::ios::binary);
  if (!file) return std::nullopt;
  std::string bytes(kBytesMax, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (!bytes.starts_with("TZif")) return std::nullopt;
  return bytes;
}

}  // namespace twinmq::app
