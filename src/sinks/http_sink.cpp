#include "sinks/http_sink.hpp"

#include <curl/curl.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace twinmq::sinks {

namespace {

constexpr long kConnectTimeoutMilliseconds = 10'000;
constexpr std::size_t kAnswerKept = 200;  ///< of what the server said, for the log

std::size_t keep_answer(char* bytes, std::size_t, std::size_t size, void* answer) {
  auto& text = *static_cast<std::string*>(answer);
  text.append(bytes, std::min(size, kAnswerKept - std::min(kAnswerKept, text.size())));
  return size;
}

int ask_whether_to_stop(void* cancelled, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(cancelled)->load() ? 1 : 0;
}

// Empty: it could not be compressed.
std::string gzipped(std::string_view text) {
  constexpr int kGzipWindow = 15 + 16;
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(whole ? out.size() - stream.avail_out : 0);
  deflateEnd(&stream);
  return out;
}

// A header's value must stay one line, whatever a message says.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char each : text)
    if (static_cast<unsigned char>(each) >= 0x20 && each != 0x7F) line += each;
  return line;
}

struct Headers {
  curl_slist* list = nullptr;
  ~Headers() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

}  // namespace

class HttpSink::Exchange {
 public:
  explicit Exchange(HttpSinkOptions options)
      : options_(std::move(options)), curl_(curl_easy_init()) {}
  ~Exchange() { curl_easy_cleanup(curl_); }

  bool works() const { return curl_ != nullptr; }
  const HttpSinkOptions& options() const { return options_; }
  void cancel() { cancelled_ = true; }

  /// The status, or 0 and why there is none.
  long post(const std::string& url, const std::string& body, const Headers& headers,
            std::string& answer) {
    answer.clear();
    char fault[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_PATH_AS_IS, 1L);  // what was checked is what is asked for
    curl_easy_setopt(curl_, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl_, CURLOPT_POST, 1L);
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers.list);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMilliseconds);
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    if (!options_.ca_file.empty())
      curl_easy_setopt(curl_, CURLOPT_CAINFO, options_.ca_file.c_str());
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, fault);
    curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, ask_whether_to_stop);
    curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, &cancelled_);
    const CURLcode code = curl_easy_perform(curl_);
    curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, nullptr);
    if (code != CURLE_OK) {
      answer = fault[0] != '\0' ? fault : curl_easy_strerror(code);
      return 0;
    }
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

 private:
  const HttpSinkOptions options_;
  CURL* const curl_;
  std::atomic<bool> cancelled_{false};
};

HttpSink::HttpSink(std::unique_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
HttpSink::~HttpSink() = default;

Result<std::unique_ptr<Sink>> HttpSink::open(HttpSinkOptions options) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  if (!options.url.empty() && !options.url.starts_with("http://") &&
      !options.url.starts_with("https://"))
    return Error{ErrorCode::InvalidArgument,
                 "\"" + options.url + "\" is no http:// or https:// address"};
  auto exchange = std::make_unique<Exchange>(std::move(options));
  if (!exchange->works()) return Error{ErrorCode::Internal, "libcurl cannot be started"};
  return std::unique_ptr<Sink>(new HttpSink(std::move(exchange)));
}

void HttpSink::cancel() {
  exchange_->cancel();
}

SinkVerdict HttpSink::deliver(std::span<const SinkEntry> batch) {
  std::size_t done = 0;
  while (done < batch.size()) {
    const std::span<const SinkEntry> rest = batch.subspan(done);
    const SinkEntry& first = rest.front();
    const auto other = std::find_if(rest.begin(), rest.end(), [&](const SinkEntry& each) {
      return each.url != first.url || each.headers != first.headers ||
             (exchange_->options().one_topic && each.topic != first.topic);
    });
    SinkVerdict verdict = deliver_alike(rest.first(static_cast<std::size_t>(other - rest.begin())));
    done += verdict.count;
    if (verdict.kind == SinkVerdict::Kind::Delivered) continue;
    verdict.count = done;
    return verdict;
  }
  return {SinkVerdict::Kind::Delivered, done, {}};
}

SinkVerdict HttpSink::deliver_alike(std::span<const SinkEntry> batch) {
  const std::string& url = batch.front().url.empty() ? exchange_->options().url : batch.front().url;
  if (exchange_->options().admit)
    if (const auto admitted = exchange_->options().admit(url); !admitted)
      return {SinkVerdict::Kind::Refused, 0, admitted.error().detail};
  if (exchange_->options().body != HttpSinkOptions::Body::Single && batch.size() > 1) {
    SinkVerdict verdict = post(batch);
    if (verdict.kind != SinkVerdict::Kind::Refused) return verdict;
    // One of them is to blame: which?
  }
  std::size_t done = 0;
  for (; done < batch.size(); ++done) {
    SinkVerdict verdict = post(batch.subspan(done, 1));
    if (verdict.kind == SinkVerdict::Kind::Delivered) continue;
    verdict.count = done;
    return verdict;
  }
  return {SinkVerdict::Kind::Delivered, done, {}};
}

SinkVerdict HttpSink::post(std::span<const SinkEntry> entries) {
  using Body = HttpSinkOptions::Body;
  const HttpSinkOptions& options = exchange_->options();
  std::string body;
  std::string type;
  switch (options.body) {
    case Body::Single:
      body = entries.front().payload;
      type =
          entries.front().content_type.empty() ? "application/json" : entries.front().content_type;
      break;
    case Body::Array:
      for (const SinkEntry& entry : entries) body += (body.empty() ? "[" : ",") + entry.payload;
      body += "]";
      type = "application/json";
      break;
    case Body::Lines:
      for (const SinkEntry& entry : entries) body += entry.payload + "\n";
      type = "application/x-ndjson";
      break;
  }
  Headers headers;
  headers.add("Content-Type: " + one_line(type));
  headers.add("Expect:");
  headers.add("Idempotency-Key: " + one_line(entries.front().id));
  for (const auto& [name, text] : options.headers) {
    const auto value = options.fill ? options.fill(text) : Result<std::string>(text);
    if (!value) return {SinkVerdict::Kind::Retry, 0, value.error().detail};
    headers.add(one_line(name) + ": " + one_line(*value));
  }
  for (const auto& [name, value] : entries.front().headers)
    headers.add(one_line(name) + ": " + one_line(value));
  if (options.gzip) {
    std::string packed = gzipped(body);
    if (!packed.empty()) {
      body = std::move(packed);
      headers.add("Content-Encoding: gzip");
    }
  }
  std::string answer;
  const long status = exchange_->post(
      entries.front().url.empty() ? options.url : entries.front().url, body, headers, answer);
  if (status >= 200 && status < 300) return {SinkVerdict::Kind::Delivered, entries.size(), {}};
  if (status == 0) return {SinkVerdict::Kind::Retry, 0, answer};
  const std::string why = "HTTP " + std::to_string(status) + (answer.empty() ? "" : ": " + answer);
  if (status == 408 || status == 425 || status == 429 || status >= 500)
    return {SinkVerdict::Kind::Retry, 0, why};
  return {SinkVerdict::Kind::Refused, 0, why};
}

}  // namespace twinmq::sinks
