#pragma once
// A host's byte stream in place of a socket.

#include <memory>
#include <string>
#include <utility>

#include <twinmq/broker.hpp>

#include "app/local_link.hpp"

namespace twinmq::app {

/// The broker's view of a HostStream.
class StreamEnd final : public FarEnd {
 public:
  explicit StreamEnd(std::unique_ptr<HostStream> stream) : stream_(std::move(stream)) {}
  ~StreamEnd() override { ended(); }

  std::size_t take(std::string_view bytes) override { return stream_->write(bytes); }
  void ended() override {
    if (!std::exchange(closed_, true)) stream_->close();
  }

 private:
  const std::unique_ptr<HostStream> stream_;
  bool closed_ = false;
};

/// The host's view of its link.
class LinkHandle final : public StreamHandle {
 public:
  explicit LinkHandle(std::shared_ptr<LocalLink> link) : link_(std::move(link)) {}

  void received(std::string bytes) override { link_->send(bytes); }
  void writable() override { link_->room(); }
  void closed() override { link_->hang_up(); }

 private:
  const std::shared_ptr<LocalLink> link_;
};

}  // namespace twinmq::app
