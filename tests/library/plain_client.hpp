#pragma once
// A client of a broker inside this process, over TCP or over a host's stream, and what tests wait
// with.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <twinmq/broker.hpp>

#include "support/wire.hpp"

namespace library_test {

namespace wire = twinmq::testing;

/// Longer than anything takes on a slow machine under a sanitizer.
inline constexpr std::chrono::seconds kPatience{30};

/// What callbacks of other threads leave for the test.
template <typename T>
class Arrivals {
 public:
  void add(T value) {
    const std::scoped_lock lock(mutex_);
    values_.push_back(std::move(value));
    changed_.notify_all();
  }
  /// Fails the test when nothing comes.
  T take();
  bool empty() const {
    const std::scoped_lock lock(mutex_);
    return values_.empty();
  }
  std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return values_.size();
  }
  bool wait_for_size(std::size_t size) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return values_.size() >= size; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> values_;
};

template <typename T>
T Arrivals<T>::take() {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kPatience, [&] { return !values_.empty(); })) {
    throw std::runtime_error("what was awaited did not come");
  }
  T value = std::move(values_.front());
  values_.pop_front();
  return value;
}

/// The far end of a host's stream.
struct Pipe {
  std::mutex mutex;
  std::condition_variable changed;
  std::string bytes;
  std::size_t room = ~std::size_t{0};
  bool closed = false;
};

class PlainClient {
 public:
  /// Over TCP, to a listener's url.
  explicit PlainClient(const std::string& url, wire::Version version = wire::Version::V5);
  /// Over a stream that the broker accepts.
  explicit PlainClient(twinmq::Broker& broker, bool anonymous = true,
                       wire::Version version = wire::Version::V5);
  ~PlainClient();

  void send(std::string_view bytes);
  /// Throws when the broker closed, or said nothing for long.
  wire::Packet next();
  template <typename T>
  T expect() {
    wire::Packet packet = next();
    if (T* wanted = std::get_if<T>(&packet)) return std::move(*wanted);
    throw std::runtime_error("unexpected " + wire::describe(packet));
  }
  /// Waits for the end of the connection; packets before it are dropped.
  bool ends();
  /// Ends the connection without a word.
  void cut();

  wire::Connack connect(const std::string& client_id, wire::ConnectOptions options = {});
  void subscribe(const std::string& filter, unsigned qos = 1);
  wire::Puback publish(const std::string& topic, const std::string& payload,
                       wire::PublishOptions options = {});
  void disconnect();
  const std::shared_ptr<Pipe>& pipe() { return pipe_; }
  const std::shared_ptr<twinmq::StreamHandle>& handle() { return handle_; }

 private:
  bool read();

  const wire::Version version_;
  int fd_ = -1;
  std::shared_ptr<Pipe> pipe_;
  std::shared_ptr<twinmq::StreamHandle> handle_;
  std::string bytes_;
};

/// A quiet broker for tests; `change` adapts the Config.
std::unique_ptr<twinmq::Broker> make_broker(const std::function<void(twinmq::Config&)>& change = {},
                                            twinmq::Parts parts = {});
/// The same, running on its own threads.
std::unique_ptr<twinmq::Broker> start_broker(
    const std::function<void(twinmq::Config&)>& change = {}, twinmq::Parts parts = {});

/// Waits until the condition holds, looking again and again.
bool eventually(const std::function<bool()>& condition);

}  // namespace library_test
