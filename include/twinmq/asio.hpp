#pragma once
// A broker on the embedder's own Asio loop. The only public header that needs more than the
// standard library; compile it with the Asio your program uses.

#include <memory>

#include <asio/any_io_executor.hpp>
#include <asio/posix/stream_descriptor.hpp>

#include <twinmq/broker.hpp>

namespace twinmq {

/// Turns a broker that was started by start_on_caller() whenever it has something to do. The
/// executor's thread is the broker's then: one thread at a time, or a strand. Neither the broker's
/// start nor its stop is done here. End it, on that thread, before Broker::stop().
class AsioDriver {
 public:
  AsioDriver(asio::any_io_executor executor, Broker& broker)
      : watch_(std::make_shared<Watch>(std::move(executor), broker)) {
    watch_->wait(watch_);
  }
  AsioDriver(const AsioDriver&) = delete;
  AsioDriver& operator=(const AsioDriver&) = delete;
  ~AsioDriver() { watch_->end(); }

 private:
  // Shared with the pending wait, which may complete after the driver is gone.
  struct Watch {
    Watch(asio::any_io_executor executor, Broker& b) : broker(&b), descriptor(executor, b.fd()) {}
    ~Watch() { end(); }

    void wait(const std::shared_ptr<Watch>& self) {
      descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                            [self](const asio::error_code& error) {
                              if (error || self->broker == nullptr) return;
                              self->broker->turn();
                              if (self->broker != nullptr) self->wait(self);
                            });
    }
    // The descriptor stays the broker's: it is released, not closed.
    void end() {
      if (broker == nullptr) return;
      broker = nullptr;
      descriptor.release();
    }

    Broker* broker;
    asio::posix::stream_descriptor descriptor;
  };

  std::shared_ptr<Watch> watch_;
};

}  // namespace twinmq
