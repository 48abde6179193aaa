#include "net/transport.hpp"

#include <utility>
#include <vector>

namespace twinmq::net {

// From the socket upwards.
std::unique_ptr<FilterChain> make_filters(const Transport& transport, std::string_view /*peer*/) {
  if (!transport.filtered()) return nullptr;
  std::vector<std::unique_ptr<Filter>> filters;
  return std::make_unique<FilterChain>(std::move(filters));
}

}  // namespace twinmq::net
