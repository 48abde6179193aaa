#include "net/tls_error.hpp"

#include <openssl/err.h>

namespace twinmq::net {

std::string take_tls_errors() {
  std::string all;
  while (const unsigned long error = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(error);
    const std::string text = reason != nullptr ? reason : "error " + std::to_string(error);
    if (all.ends_with(text)) continue;
    if (!all.empty()) all += ", ";
    all += text;
  }
  return all.empty() ? "unknown error" : all;
}

}  // namespace twinmq::net
