#include "net/http_request.hpp"

#include <http_parser.h>

#include <algorithm>
#include <utility>

namespace twinmq::net {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_plain(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
}

std::string_view phrase_of(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return status < 400 ? "Done" : "Refused";
  }
}

}  // namespace

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view next_list_element(std::string_view& rest) {
  const std::size_t comma = rest.find(',');
  const std::string_view element = trimmed(rest.substr(0, comma));
  rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  return element;
}

std::string_view HttpRequest::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view HttpRequest::query() const {
  const std::size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

const std::string* HttpRequest::header(std::string_view name) const {
  for (const HttpHeader& each : headers) {
    if (same_word(each.name, name)) return &each.value;
  }
  return nullptr;
}

std::size_t HttpRequest::count(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [name](const HttpHeader& each) { return same_word(each.name, name); }));
}

bool HttpRequest::has_token(std::string_view name, std::string_view word) const {
  for (const HttpHeader& each : headers) {
    if (!same_word(each.name, name)) continue;
    for (std::string_view rest = each.value; !rest.empty();) {
      if (same_word(next_list_element(rest), word)) return true;
    }
  }
  return false;
}

/// Lives on the heap, because the library keeps its address.
struct HttpRequestReader::Parser {
  explicit Parser(HttpLimits given) : limits(given) { begin(); }

  void begin() {
    http_parser_init(&state, HTTP_REQUEST);
    state.data = this;
    request = {};
    head_bytes = 0;
    in_value = head_done = complete = expects = false;
  }

  int stop(int status, std::string reason) {
    fault = {status, std::move(reason)};
    failed = true;
    return 1;
  }

  // Fields behind the last chunk could belie those of the head: they are passed over.
  int on_header_field(std::string_view part) {
    if (head_done) return 0;
    if (in_value || request.headers.empty()) {
      if (request.headers.size() >= limits.headers_max)
        return stop(431, "there are too many header fields");
      request.headers.emplace_back();
      in_value = false;
    }
    request.headers.back().name += part;
    return 0;
  }

  int on_head() {
    head_done = true;
    request.method = http_method_str(static_cast<http_method>(state.method));
    request.minor = state.http_minor;
    if (state.http_major != 1 || state.http_minor > 1)
      return stop(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    for (HttpHeader& each : request.headers) {
      each.value = std::string(trimmed(each.value));
      // The library skims over values.
      if (!is_plain(each.value)) return stop(400, "a header has control characters");
    }
    if (request.count("Host") > 1 || (request.minor == 1 && request.count("Host") == 0))
      return stop(400, "one Host header is needed");
    if (state.content_length != ~std::uint64_t{0} && state.content_length > limits.body_bytes_max)
      return stop(413, "the body is larger than allowed");
    expects = request.minor == 1 && request.has_token("Expect", "100-continue");
    return 0;
  }

  int on_body(std::string_view part) {
    if (request.body.size() + part.size() > limits.body_bytes_max)
      return stop(413, "the body is larger than allowed");
    expects = false;
    request.body += part;
    return 0;
  }

  int on_complete() {
    request.keep_alive = http_should_keep_alive(&state) != 0;
    request.upgrade = state.upgrade != 0;
    complete = true;
    // Stops here: what follows is the next request.
    http_parser_pause(&state, 1);
    return 0;
  }

  static http_parser_settings settings();

  HttpLimits limits;
  http_parser state{};
  HttpRequest request;
  HttpFault fault;
  std::size_t head_bytes = 0;
  bool in_value = false;
  bool head_done = false;
  bool complete = false;
  bool expects = false;
  bool failed = false;
};

http_parser_settings HttpRequestReader::Parser::settings() {
  http_parser_settings made;
  http_parser_settings_init(&made);
  made.on_url = [](http_parser* from, const char* at, std::size_t size) {
    static_cast<Parser*>(from->data)->request.target.append(at, size);
    return 0;
  };
  made.on_header_field = [](http_parser* from, const char* at, std::size_t size) {
    return static_cast<Parser*>(from->data)->on_header_field({at, size});
  };
  made.on_header_value = [](http_parser* from, const char* at, std::size_t size) {
    Parser& parser = *static_cast<Parser*>(from->data);
    if (parser.head_done) return 0;
    parser.in_value = true;
    parser.request.headers.back().value.append(at, size);
    return 0;
  };
  made.on_headers_complete = [](http_parser* from) {
    return static_cast<Parser*>(from->data)->on_head();
  };
  made.on_body = [](http_parser* from, const char* at, std::size_t size) {
    return static_cast<Parser*>(from->data)->on_body({at, size});
  };
  made.on_message_complete = [](http_parser* from) {
    return static_cast<Parser*>(from->data)->on_complete();
  };
  return made;
}

HttpRequestReader::HttpRequestReader(HttpLimits limits)
    : parser_(std::make_unique<Parser>(limits)) {}
HttpRequestReader::~HttpRequestReader() = default;
HttpRequestReader::HttpRequestReader(HttpRequestReader&&) noexcept = default;
HttpRequestReader& HttpRequestReader::operator=(HttpRequestReader&&) noexcept = default;

bool HttpRequestReader::complete() const {
  return parser_->complete;
}

bool HttpRequestReader::wants_continue() const {
  return parser_->head_done && parser_->expects && !parser_->complete;
}

bool HttpRequestReader::idle() const {
  return parser_->head_bytes == 0 && !parser_->head_done;
}

HttpRequest HttpRequestReader::take() {
  HttpRequest taken = std::move(parser_->request);
  parser_->begin();
  return taken;
}

Result<std::size_t, HttpFault> HttpRequestReader::read(std::string_view bytes) {
  static const http_parser_settings settings = Parser::settings();
  Parser& parser = *parser_;
  std::size_t taken = 0;
  while (taken < bytes.size() && !parser.complete) {
    if (parser.failed) return parser.fault;
    std::string_view part = bytes.substr(taken);
    // Never more than the head may still have: the library would take what it is given.
    if (!parser.head_done) part = part.substr(0, parser.limits.head_bytes_max - parser.head_bytes);
    const std::size_t used =
        http_parser_execute(&parser.state, &settings, part.data(), part.size());
    taken += used;
    if (!parser.head_done) parser.head_bytes += used;
    if (parser.failed) return parser.fault;
    const auto error = HTTP_PARSER_ERRNO(&parser.state);
    if (error != HPE_OK && error != HPE_PAUSED) {
      parser.stop(error == HPE_HEADER_OVERFLOW   ? 431
                  : error == HPE_INVALID_VERSION ? 505
                                                 : 400,
                  std::string("this is no HTTP request: ") + http_errno_description(error));
      return parser.fault;
    }
    if (!parser.head_done && parser.head_bytes >= parser.limits.head_bytes_max) {
      const bool long_line = parser.request.headers.empty();
      parser.stop(long_line ? 414 : 431, "the head of the request is larger than allowed");
      return parser.fault;
    }
    if (!parser.complete && used < part.size()) break;
  }
  return taken;
}

std::string write_http(const HttpResponse& response) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " ";
  text += phrase_of(response.status);
  text += "\r\n";
  for (const HttpHeader& each : response.headers) text += each.name + ": " + each.value + "\r\n";
  if (response.status >= 200) {
    if (response.status != 204)
      text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
    text += response.keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  }
  return text + "\r\n" + response.body;
}

HttpResponse http_refusal(const HttpFault& fault) {
  HttpResponse response;
  response.status = fault.status;
  response.headers.push_back({"Content-Type", "text/plain; charset=utf-8"});
  response.body = fault.reason + "\n";
  return response;
}

}  // namespace twinmq::net
