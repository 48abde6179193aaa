#include "app/local_link.hpp"

#include <utility>

#include "app/shard_thread.hpp"

namespace twinmq::app {

// Owned by the shard's Connections.
class LocalLink::Peer final : public LocalPeer {
 public:
  explicit Peer(std::shared_ptr<LocalLink> near) : near_(std::move(near)) {}

  std::size_t write(ByteView bytes) override { return near_->far_end_->take(text_of(bytes)); }
  void on_reading() override { near_->ask(); }
  void on_close() override {
    {
      const std::scoped_lock lock(near_->mutex_);
      near_->ended_ = true;
      near_->shard_ = nullptr;
      near_->incoming_.clear();
    }
    near_->far_end_->ended();
  }
  void attached(std::shared_ptr<Inbox> shard, net::LinkKey link) override {
    near_->attached(std::move(shard), link);
  }
  void detached() override { near_->detached(); }

 private:
  const std::shared_ptr<LocalLink> near_;
};

// Tells the far end that the link will never be, when the shard drops the errand that was to open
// it.
struct LocalLink::Opening {
  explicit Opening(std::shared_ptr<LocalLink> link) : near(std::move(link)) {}
  ~Opening() {
    if (near) near->far_end_->ended();
  }
  std::shared_ptr<LocalLink> near;
};

bool LocalLink::open(const std::shared_ptr<Inbox>& shard, core::LinkOrigin origin) {
  const auto opening = std::make_shared<Opening>(shared_from_this());
  return shard->post([opening, origin = std::move(origin)](ShardThread& thread) {
    thread.open(std::make_unique<Peer>(std::exchange(opening->near, nullptr)), origin);
  });
}

void LocalLink::send(std::string_view bytes) {
  {
    const std::scoped_lock lock(mutex_);
    if (ended_) return;
    incoming_.append(bytes);
  }
  ask();
}

void LocalLink::room() {
  {
    const std::scoped_lock lock(mutex_);
    room_ = true;
  }
  ask();
}

void LocalLink::hang_up() {
  {
    const std::scoped_lock lock(mutex_);
    hung_up_ = true;
  }
  ask();
}

void LocalLink::ask() {
  const std::scoped_lock lock(mutex_);
  if (asked_ || shard_ == nullptr) return;
  asked_ = shard_->post([near = shared_from_this()](ShardThread& thread) { near->work(thread); });
}

void LocalLink::attached(std::shared_ptr<Inbox> shard, net::LinkKey link) {
  {
    const std::scoped_lock lock(mutex_);
    shard_ = std::move(shard);
    link_ = link;
    asked_ = false;
  }
  ask();
}

void LocalLink::detached() {
  const std::scoped_lock lock(mutex_);
  shard_ = nullptr;
}

// An errand that was posted before the link moved away finds another shard here and does nothing:
// attached() asked again.
void LocalLink::work(ShardThread& shard) {
  std::string bytes;
  net::LinkKey link;
  bool room = false;
  bool hung_up = false;
  {
    const std::scoped_lock lock(mutex_);
    if (shard_ == nullptr || shard_ != shard.inbox()) return;
    asked_ = false;
    link = link_;
    room = std::exchange(room_, false);
    hung_up = hung_up_;
    if (shard.reading(link)) bytes.swap(incoming_);
  }
  if (!shard.reading(link)) shard.connections().pause(link);
  if (room) shard.connections().writable(link);
  if (!bytes.empty()) {
    shard.on_bytes(link, bytes_of(bytes));
    if (shard.core() != nullptr && !shard.reading(link)) shard.connections().pause(link);
  }
  if (!hung_up) return;
  {
    // What was sent before hanging up is heard, unless the broker does not listen.
    const std::scoped_lock lock(mutex_);
    if (shard_ == nullptr || (!incoming_.empty() && shard.reading(link))) return;
  }
  shard.connections().close(link);
}

}  // namespace twinmq::app
