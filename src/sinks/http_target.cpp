#include "sinks/http_target.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

namespace twinmq::sinks {

namespace {

constexpr int kEncodingsMax = 4;  ///< of one within the other

struct Address {
  std::string scheme;
  std::string host;
  std::string port;
  std::string path;
  std::optional<std::string> query;
};

Error wrong(const std::string& url, const std::string& what) {
  return {ErrorCode::InvalidArgument, "\"" + url + "\" " + what};
}

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

std::optional<std::string> part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return std::nullopt;
  std::string part_text(text);
  curl_free(text);
  return part_text;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool encoded = text[i] == '%' && i + 2 < text.size() && digit_of(text[i + 1]) >= 0 &&
                         digit_of(text[i + 2]) >= 0;
    out +=
        encoded ? static_cast<char>(digit_of(text[i + 1]) * 16 + digit_of(text[i + 2])) : text[i];
    if (encoded) i += 2;
  }
  return out;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > 0x20 && c < 0x7F && c != '\\'; });
}

// Servers differ in what they take for a separator, and some cut what follows a ';' off.
bool has_dots(std::string_view path) {
  while (true) {
    const std::size_t end = path.find_first_of("/\\");
    const std::string_view segment = path.substr(0, end);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (name == "." || name == "..") return true;
    if (end == std::string_view::npos) return false;
    path.remove_prefix(end + 1);
  }
}

// Empty: none.
std::string fault_of_path(std::string path) {
  for (int round = 0; round < kEncodingsMax; ++round) {
    if (has_dots(path)) return "has a segment \".\" or \"..\" in its path";
    std::string once = decoded(path);
    if (once == path) return {};
    if (std::any_of(once.begin(), once.end(),
                    [](char c) { return (c >= 0 && c < 0x20) || c == 0x7F || c == '\\'; }))
      return "has an encoded control character or backslash in its path";
    path = std::move(once);
  }
  return "has a path that is encoded too often";
}

Result<Address> read_address(const std::string& text) {
  if (!is_plain(text))
    return wrong(text, "holds a blank, a backslash, a control character or a byte beyond ASCII");
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), curl_url_cleanup);
  if (!url) return wrong(text, "cannot be read: no memory");
  const CURLUcode code =
      curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS | CURLU_DISALLOW_USER);
  if (code == CURLUE_USER_NOT_ALLOWED) return wrong(text, "names a user; a header says who asks");
  if (code != CURLUE_OK) return wrong(text, "is no address");
  Address address;
  address.scheme = lowered(part_of(url.get(), CURLUPART_SCHEME).value_or(""));
  if (address.scheme != "http" && address.scheme != "https")
    return wrong(text, "is no http:// or https:// address");
  address.host = lowered(part_of(url.get(), CURLUPART_HOST).value_or(""));
  if (const auto zone = part_of(url.get(), CURLUPART_ZONEID)) address.host += "%" + *zone;
  address.port = part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT).value_or("");
  address.path = part_of(url.get(), CURLUPART_PATH).value_or("/");
  address.query = part_of(url.get(), CURLUPART_QUERY);
  if (address.host.empty()) return wrong(text, "names no host");
  if (const std::string fault = fault_of_path(address.path); !fault.empty())
    return wrong(text, fault);
  return address;
}

bool allows(const Address& target, const Address& address) {
  if (target.scheme != address.scheme || target.host != address.host || target.port != address.port)
    return false;
  if (target.query) return target.path == address.path && target.query == address.query;
  return target.path.ends_with('/') ? address.path.starts_with(target.path)
                                    : address.path == target.path;
}

}  // namespace

Result<void> check_http_target(const std::string& target) {
  if (const auto address = read_address(target); !address) return address.error();
  return {};
}

Result<void> check_http_address(const std::string& url, const std::vector<std::string>& targets) {
  const auto address = read_address(url);
  if (!address) return address.error();
  for (const std::string& each : targets)
    if (const auto target = read_address(each); target && allows(*target, *address)) return {};
  return wrong(url, "begins with none of rules.http_targets");
}

Result<void> check_http_template(const std::string& text, const std::vector<std::string>& targets) {
  const std::size_t open = text.find("${");
  if (open == std::string::npos) return check_http_address(text, targets);
  const std::string fixed = text.substr(0, open);
  const std::size_t host = fixed.find("://");
  if (host == std::string::npos) return wrong(text, "is no http:// or https:// address");
  const std::size_t slash = fixed.find_last_of("/?");
  const bool whole_host = fixed.find_first_of("/?", host + 3) != std::string::npos;
  // A host, or the rest of one, that only a message tells.
  if (!whole_host)
    return targets.empty() ? wrong(text, "begins with none of rules.http_targets") : Result<void>();
  const auto begin = read_address(fixed.substr(0, fixed[slash] == '?' ? slash : slash + 1));
  if (!begin) return begin.error();
  for (const std::string& each : targets) {
    const auto target = read_address(each);
    if (!target || target->scheme != begin->scheme || target->host != begin->host ||
        target->port != begin->port)
      continue;
    if (begin->path.starts_with(target->path) || target->path.starts_with(begin->path)) return {};
  }
  return wrong(text, "begins with none of rules.http_targets");
}

}  // namespace twinmq::sinks
