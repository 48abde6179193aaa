#pragma once
// A sink that POSTs to an HTTP server.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/result.hpp>
#include <twinmq/sink.hpp>

namespace twinmq::sinks {

struct HttpSinkOptions {
  /// How the entries of a batch share a request.
  enum class Body : std::uint8_t {
    Single,  ///< a request per entry: the payload as it is, its id in the header Idempotency-Key
    Array,   ///< a JSON array of the payloads
    Lines,   ///< a payload per line (application/x-ndjson)
  };
  std::string url;  ///< http:// or https://; of entries that have none
  std::vector<std::pair<std::string, std::string>> headers;
  /// Asked about each request's address before it is made, on the delivering thread; an error
  /// refuses the entries. Null: any.
  std::function<Result<void>(const std::string&)> admit;
  /// Makes a header's value of its text before each request, on the delivering thread; an error is
  /// a reason to try again. Null: texts are the values.
  std::function<Result<std::string>(std::string_view)> fill;
  Body body = Body::Single;
  bool one_topic = false;  ///< a request's entries have one topic
  bool gzip = false;       ///< Content-Encoding: gzip
  Milliseconds timeout{30'000};
  std::string ca_file;  ///< empty: the system's authorities
};

/// A request holds entries that follow each other and have the same address and headers.
/// 2xx: delivered. 408, 425, 429, 5xx and whatever hinders the exchange: try again. Any other
/// status refuses the entry, found out one by one when it was a batch. Redirects are not followed:
/// they could lead past the list of allowed targets.
class HttpSink final : public Sink {
 public:
  static Result<std::unique_ptr<Sink>> open(HttpSinkOptions options);
  ~HttpSink() override;
  SinkVerdict deliver(std::span<const SinkEntry> batch) override;
  void cancel() override;

 private:
  class Exchange;
  explicit HttpSink(std::unique_ptr<Exchange> exchange);
  SinkVerdict deliver_alike(std::span<const SinkEntry> entries);
  SinkVerdict post(std::span<const SinkEntry> entries);

  std::unique_ptr<Exchange> exchange_;
};

}  // namespace twinmq::sinks
