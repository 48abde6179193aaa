#include "library/plain_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>

#include <catch2/catch.hpp>

namespace library_test {
namespace {

class PipeStream final : public twinmq::HostStream {
 public:
  explicit PipeStream(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}
  std::size_t write(std::string_view bytes) override {
    const std::scoped_lock lock(pipe_->mutex);
    const std::size_t count = std::min(pipe_->room, bytes.size());
    pipe_->bytes.append(bytes.substr(0, count));
    if (pipe_->room != ~std::size_t{0}) pipe_->room -= count;
    pipe_->changed.notify_all();
    return count;
  }
  void close() override {
    const std::scoped_lock lock(pipe_->mutex);
    pipe_->closed = true;
    pipe_->changed.notify_all();
  }

 private:
  std::shared_ptr<Pipe> pipe_;
};

}  // namespace

PlainClient::PlainClient(const std::string& url, wire::Version version) : version_(version) {
  const auto port = std::stoi(url.substr(url.rfind(':') + 1));
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    throw std::runtime_error("cannot connect to " + url);
  }
}

PlainClient::PlainClient(twinmq::Broker& broker, bool anonymous, wire::Version version)
    : version_(version), pipe_(std::make_shared<Pipe>()) {
  auto accepted = broker.accept(std::make_unique<PipeStream>(pipe_), "pipe", anonymous);
  REQUIRE(accepted.has_value());
  handle_ = std::move(*accepted);
}

PlainClient::~PlainClient() {
  cut();
}

void PlainClient::cut() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (handle_) std::exchange(handle_, nullptr)->closed();
}

void PlainClient::send(std::string_view bytes) {
  if (handle_) return handle_->received(std::string(bytes));
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool PlainClient::read() {
  if (pipe_) {
    std::unique_lock lock(pipe_->mutex);
    pipe_->changed.wait_for(lock, kPatience,
                            [this] { return !pipe_->bytes.empty() || pipe_->closed; });
    bytes_ += std::exchange(pipe_->bytes, {});
    return !bytes_.empty() && !(pipe_->closed && pipe_->bytes.empty() && bytes_.empty());
  }
  pollfd ready{fd_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) <= 0)
    return false;
  char buffer[16384];
  const ssize_t taken = ::recv(fd_, buffer, sizeof buffer, 0);
  if (taken <= 0) return false;
  bytes_.append(buffer, static_cast<std::size_t>(taken));
  return true;
}

wire::Packet PlainClient::next() {
  for (;;) {
    const std::size_t before = bytes_.size();
    if (auto packet = wire::take_packet(bytes_, version_)) return std::move(*packet);
    if (!read() || bytes_.size() == before)
      throw std::runtime_error("the broker closed, or said nothing");
  }
}

bool PlainClient::ends() {
  if (pipe_) {
    std::unique_lock lock(pipe_->mutex);
    return pipe_->changed.wait_for(lock, kPatience, [this] { return pipe_->closed; });
  }
  while (read()) bytes_.clear();
  char byte = 0;
  return ::recv(fd_, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN;
}

wire::Connack PlainClient::connect(const std::string& client_id, wire::ConnectOptions options) {
  options.client_id = client_id;
  send(wire::connect_packet(options, version_));
  return expect<wire::Connack>();
}

void PlainClient::subscribe(const std::string& filter, unsigned qos) {
  send(wire::subscribe_packet(1, {{.filter = filter, .qos = qos}}, version_));
  const auto suback = expect<wire::Suback>();
  REQUIRE(suback.codes == std::vector<std::uint8_t>{static_cast<std::uint8_t>(qos)});
}

wire::Puback PlainClient::publish(const std::string& topic, const std::string& payload,
                                  wire::PublishOptions options) {
  options.topic = topic;
  options.payload = payload;
  options.qos = 1;
  options.id = 77;
  send(wire::publish_packet(options, version_));
  return expect<wire::Puback>();
}

void PlainClient::disconnect() {
  send(wire::disconnect_packet(0, version_));
  ends();
}

std::unique_ptr<twinmq::Broker> make_broker(const std::function<void(twinmq::Config&)>& change,
                                            twinmq::Parts parts) {
  twinmq::Config config;
  config.node.shards = 2;
  config.listeners.push_back({.url = "mqtt://127.0.0.1:0"});
  if (change) change(config);
  if (!parts.log) parts.log = [](const twinmq::LogLine&) {};
  auto broker = twinmq::Broker::create(std::move(config), std::move(parts));
  if (!broker) FAIL(broker.error().detail);
  return std::move(*broker);
}

std::unique_ptr<twinmq::Broker> start_broker(const std::function<void(twinmq::Config&)>& change,
                                             twinmq::Parts parts) {
  auto broker = make_broker(change, std::move(parts));
  const auto started = broker->start();
  if (!started) FAIL(started.error().detail);
  return broker;
}

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace library_test
