#pragma once
// HTTP/1.0 and 1.1 requests, read from bytes that come in any pieces. The door to the library that
// parses them; every HTTP interface of the house reads through it.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>

namespace twinmq::net {

struct HttpLimits {
  std::size_t head_bytes_max = 8192;  ///< request line and headers
  std::size_t headers_max = 100;
  std::size_t body_bytes_max = 1'048'576;
};

struct HttpHeader {
  std::string name;  ///< as it was sent; compared without regard to case
  std::string value;
};

struct HttpRequest {
  std::string method;
  std::string target;  ///< as it was sent: "/a%20b?c=d"
  unsigned minor = 1;  ///< of version 1
  std::vector<HttpHeader> headers;
  std::string body;        ///< without its transfer coding
  bool keep_alive = true;  ///< the peer takes another answer on this connection
  bool upgrade = false;    ///< asks for another protocol; what follows the head is not HTTP

  /// The target up to its question mark, and what follows it.
  std::string_view path() const;
  std::string_view query() const;
  /// The first header of this name; null: there is none.
  const std::string* header(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  /// Whether the comma-separated lists under this name have the word, whatever its case.
  bool has_token(std::string_view name, std::string_view word) const;
};

/// Why a request is not served: the status for an answer, after which the connection ends.
struct HttpFault {
  int status = 400;
  std::string reason;
};

/// Reads one request after the other. Not thread-safe. After a fault it reads nothing more.
class HttpRequestReader {
 public:
  explicit HttpRequestReader(HttpLimits limits = {});
  ~HttpRequestReader();
  HttpRequestReader(HttpRequestReader&&) noexcept;
  HttpRequestReader& operator=(HttpRequestReader&&) noexcept;

  /// Takes bytes up to the end of one request and answers how many; the rest belongs to the next
  /// one, or to what the connection was upgraded to. Takes none while complete().
  Result<std::size_t, HttpFault> read(std::string_view bytes);

  /// A whole request is there.
  bool complete() const;
  /// The head is whole and the peer waits for "100 Continue" before it sends the body.
  bool wants_continue() const;
  /// The complete request; the reader goes on with the next.
  HttpRequest take();
  /// Nothing of a request has come yet.
  bool idle() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

/// Whether two header names or tokens are the same.
bool same_word(std::string_view a, std::string_view b);

/// The next element of a comma-separated list, without blanks around it; `rest` loses it.
std::string_view next_list_element(std::string_view& rest);

struct HttpResponse {
  int status = 200;
  std::vector<HttpHeader> headers;
  std::string body;
  bool keep_alive = false;
};

/// The bytes of an answer. Content-Length and Connection are added, except with status 1xx.
std::string write_http(const HttpResponse& response);

/// "text/plain" with the reason as a line, for people who look at it; ends the connection.
HttpResponse http_refusal(const HttpFault& fault);

}  // namespace twinmq::net
