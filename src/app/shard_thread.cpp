#include "app/shard_thread.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/start_thread.hpp"

namespace twinmq::app {
namespace {

// The low half of listeners' tags; those below net::Connections::kLingerTag are links.
constexpr net::Tag kListenerTag = net::Connections::kLingerTag + 1;
constexpr net::Tag kHttpTag = kListenerTag + 1;

// Turns that may follow one another before others of the same loop get theirs.
constexpr int kRoundsMax = 8;

}  // namespace

Now read_clocks() {
  return {std::chrono::time_point_cast<Milliseconds>(std::chrono::steady_clock::now()),
          std::chrono::time_point_cast<Milliseconds>(std::chrono::system_clock::now())};
}

Result<std::unique_ptr<ShardThread>> ShardThread::create(core::ShardId id,
                                                         net::EventLoop::Driver driver,
                                                         ShardGroup& group) {
  Result<std::unique_ptr<net::EventLoop>> loop = net::EventLoop::create(driver);
  if (!loop) return loop.error();
  return std::unique_ptr<ShardThread>(new ShardThread(id, std::move(*loop), group));
}

ShardThread::ShardThread(core::ShardId id, std::unique_ptr<net::EventLoop> loop, ShardGroup& group)
    : id_(id),
      group_(group),
      loop_(std::move(loop)),
      inbox_(std::make_shared<Inbox>(loop_->waker())),
      connections_(*loop_, *this, counters_, group.connections),
      acceptor_(*loop_, group.connections, kListenerTag,
                {[this](net::Descriptor socket, net::Listener& listener, net::Caller caller) {
                   accepted(std::move(socket), listener, std::move(caller));
                 },
                 [this](const net::Listener&) { counters_.add(Metric::ConnectionsRefused); },
                 [this](bool paused, std::string_view reason) {
                   if (paused) {
                     log(LogLevel::Warning, "accepting paused",
                         "reason=\"" + std::string(reason) + "\"");
                   } else {
                     log(LogLevel::Info, "accepting again", "shard=" + std::to_string(id_));
                   }
                 }}) {}

ShardThread::~ShardThread() {
  stop_thread();
  inbox_->close();
  halt();
}

void ShardThread::set_periodic(Milliseconds interval, std::function<void(ShardThread&)> job) {
  interval_ = interval;
  job_ = std::move(job);
}

void ShardThread::install(BuiltCore built, const std::vector<net::Listener*>& listeners) {
  now_ = read_clocks();
  connections_.set_handshake_limit(group_.handshake_limit.load(std::memory_order_relaxed));
  mail_ = std::move(built.mail);
  core_ = std::move(built.core);
  acceptor_.on_time(now_.steady);
  if (!closing_down_) acceptor_.start(listeners);
  if (job_) job_at_ = now_.steady;
}

void ShardThread::set_listeners(const std::vector<net::Listener*>& listeners) {
  acceptor_.stop();
  if (core_ && !closing_down_) acceptor_.start(listeners);
}

void ShardThread::halt() {
  acceptor_.stop();
  connections_.drop_all();
  if (http_) http_->drop_all();
  const auto outcomes = std::exchange(outcomes_, {});
  for (const auto& [token, done] : outcomes) done({token, ReasonCode::ServerUnavailable, 0});
  core_.reset();
  mail_.reset();
  // What counted things of the core ends with it.
  for (const MetricDescription& each : metric_table()) {
    if (each.gauge) counters_.subtract(each.metric, counters_[each.metric]);
  }
  commits_open_ = 0;
  reads_open_.clear();
  in_turn_ = false;
}

void ShardThread::close_down() {
  closing_down_ = true;
  acceptor_.stop();
  if (!core_) return;
  enter_turn();
  core_->close_all(ReasonCode::ServerShuttingDown);
  if (http_) http_->drop_all();
}

Result<void> ShardThread::start_thread() {
  stopping_ = false;
  auto thread = base::start_thread([this] { serve(); });
  if (!thread) return thread.error();
  thread_ = std::move(*thread);
  return {};
}

void ShardThread::stop_thread() {
  stopping_ = true;
  inbox_->wake();
  if (thread_.joinable()) thread_.join();
}

void ShardThread::serve() {
  runner_ = std::this_thread::get_id();
  while (!stopping_.load(std::memory_order_relaxed)) {
    const int wait = patience();
    take_turn(wait);
    if (mail_) mail_->awake(id_);
  }
}

void ShardThread::turn() {
  runner_ = std::this_thread::get_id();
  take_turn(0);
  if (patience() == 0) {
    inbox_->wake();
  } else {
    loop_->set_deadline(next_deadline());
  }
}

Instant ShardThread::next_deadline() const {
  Instant first = std::min(connections_.next_deadline(), acceptor_.next_deadline());
  if (core_) first = std::min({first, job_at_, core_->next_deadline()});
  if (core_ && http_) first = std::min(first, http_->next_deadline());
  return first;
}

// Milliseconds until there is something to do; from here until the next turn, mail wakes the loop.
int ShardThread::patience() {
  if (stopping_.load(std::memory_order_relaxed)) return 0;
  if (core_) {
    if (core_->wants_turn() || connections_.wants_turn()) return 0;
    if (!core_->effects().reads.empty()) return 0;
    if (!mail_->sleep(id_)) return 0;
  }
  const Instant deadline = next_deadline();
  if (deadline == kNever) return -1;
  const auto now = std::chrono::time_point_cast<Milliseconds>(std::chrono::steady_clock::now());
  if (deadline <= now) return 0;
  // One more than the difference, because both points are rounded down.
  return static_cast<int>(std::min<std::int64_t>((deadline - now).count() + 1, 3'600'000));
}

void ShardThread::take_turn(int patience_milliseconds) {
  const std::span<const epoll_event> events = loop_->wait(patience_milliseconds);
  now_ = read_clocks();
  connections_.set_now(now_.steady);
  acceptor_.set_now(now_.steady);
  if (!core_) {
    take_mail(inbox_->take(false));
    if (!core_) return;
  }
  enter_turn();
  take_mail(inbox_->take(true));
  if (!core_) return;
  core_->on_mail();
  move_links();
  for (const epoll_event& event : events) {
    if (static_cast<std::uint32_t>(event.data.u64) == kListenerTag) {
      acceptor_.on_event(event.data.u64);
    } else if (event.data.u64 == kHttpTag) {
      http_->turn(now_.steady);
    } else {
      connections_.on_event(event.data.u64, event.events);
    }
  }
  connections_.flush_again();
  if (core_->next_deadline() <= now_.steady) core_->on_time();
  connections_.on_time(now_.steady);
  acceptor_.on_time(now_.steady);
  if (http_ && http_->next_deadline() <= now_.steady) http_->turn(now_.steady);
  if (job_at_ <= now_.steady) {
    job_at_ = now_.steady + interval_;
    job_(*this);
  }
  finish_turn();
}

void ShardThread::take_mail(Inbox::Mail mail) {
  for (const Inbox::Errand& order : mail.orders) order(*this);
  if (!core_) {
    // Whatever was under way to the core that is gone: sockets close, answers find nobody.
    for (Arrival& arrival : mail.arrivals) {
      if (arrival.parts.listener == nullptr) continue;
      arrival.parts.listener->connections().leave();
      group_.connections.total.leave();
    }
    for (Inbox::Errand& errand : mail.errands) inbox_->post(std::move(errand));
    return;
  }
  if (mail.answers.empty() && mail.reads.empty() && mail.arrivals.empty() && mail.errands.empty())
    return;
  enter_turn();
  for (const CommitAnswer& answer : mail.answers) {
    if (commits_open_ == 0) continue;
    --commits_open_;
    core_->on_committed(answer.id, answer.durable);
    if (core_->effects().reload) group_.reload();
  }
  for (ReadAnswer& answer : mail.reads) {
    if (const auto asked = reads_open_.extract(answer.id))
      core_->on_read(asked.mapped(), std::move(answer.found));
  }
  for (Arrival& arrival : mail.arrivals) {
    auto* const peer = static_cast<LocalPeer*>(arrival.parts.peer.get());
    const net::LinkKey link = core_->adopt(std::move(arrival.origin), std::move(arrival.bytes));
    connections_.add(link, std::move(arrival.parts));
    if (peer != nullptr) peer->attached(inbox_, link);
  }
  for (const Inbox::Errand& errand : mail.errands) {
    errand(*this);
    move_links();
  }
  if (closing_down_) core_->close_all(ReasonCode::ServerShuttingDown);
}

void ShardThread::accepted(net::Descriptor socket, net::Listener& listener, net::Caller caller) {
  counters_.add(Metric::ConnectionsAccepted);
  if (listener.address().http()) return accept_http(std::move(socket), listener, std::move(caller));
  core::LinkOrigin origin;
  origin.peer = std::move(caller.address);
  origin.listener = listener.name();
  origin.anonymous_allowed = listener.anonymous_allowed;
  origin.durability = listener.durability;
  net::Connections::Parts parts;
  parts.socket = std::move(socket);
  parts.listener = &listener;
  parts.filters = net::make_filters(*listener.transport(), origin.peer);
  parts.place = std::move(caller.place);
  const net::LinkKey link = core_->open(std::move(origin));
  if (!caller.user.empty()) {
    const auto facts = std::make_shared<ConnectionFacts>();
    facts->principal = std::move(caller.user);
    core_->on_facts(link, facts);
  }
  connections_.add(link, std::move(parts));
}

void ShardThread::accept_http(net::Descriptor socket, net::Listener& listener, net::Caller caller) {
  if (!http_) {
    auto made = net::HttpServer::create(
        group_.http_options, counters_, group_.connections,
        [this](net::HttpExchange exchange, net::HttpRequest request, const net::HttpPeer& peer) {
          group_.http(*this, exchange, std::move(request), peer);
        });
    if (made && loop_->watch((*made)->fd(), EPOLLIN, kHttpTag)) {
      http_ = std::move(*made);
    } else {
      listener.connections().leave();
      group_.connections.total.leave();
      return log(LogLevel::Error, "http cannot be served", "reason=\"no descriptor\"");
    }
  }
  http_->turn(now_.steady);
  http_->accept(std::move(socket), listener, std::move(caller));
}

void ShardThread::answer(net::HttpExchange exchange, net::HttpResponse response) {
  if (http_) http_->answer(exchange, std::move(response));
}

void ShardThread::open(std::unique_ptr<LocalPeer> peer, core::LinkOrigin origin) {
  LocalPeer& local = *peer;
  net::Connections::Parts parts;
  parts.peer = std::move(peer);
  const net::LinkKey link = core_->open(std::move(origin));
  connections_.add(link, std::move(parts));
  local.attached(inbox_, link);
}

void ShardThread::publish(const MessageParts& message,
                          std::function<void(const core::HostPublished&)> done) {
  const std::uint64_t token = done ? ++last_token_ : 0;
  if (done) outcomes_.emplace(token, std::move(done));
  core_->publish(message, token);
}

bool ShardThread::quiet() const {
  return !core_ || (core_->links() == 0 && connections_.open() == 0 && commits_open_ == 0 &&
                    outcomes_.empty());
}

// The shell's calls to the core all belong to some turn; those that happen while effects are
// carried out begin a turn of their own.
void ShardThread::enter_turn() {
  if (in_turn_) return;
  in_turn_ = true;
  core_->begin_turn(now_);
}

void ShardThread::finish_turn() {
  for (int round = 0; round < kRoundsMax; ++round) {
    if (in_turn_) {
      in_turn_ = false;
      core_->end_turn();
    }
    commit();
    read();
    core::Effects& effects = core_->effects();
    const auto published = std::exchange(effects.published, {});
    for (const core::HostPublished& outcome : published) {
      if (auto waiting = outcomes_.extract(outcome.token)) waiting.mapped()(outcome);
    }
    if (effects.reload) return group_.reload();
    flush_touched();
    if (http_) http_->flush();
    if (!in_turn_ && effects.touched.empty()) break;
  }
  if (in_turn_) {
    in_turn_ = false;
    core_->end_turn();
    commit();
  }
  mail_->wake_sleepers(id_, [this](core::ShardId to) { group_.inboxes[to]->wake(); });
}

void ShardThread::commit() {
  for (int round = 0; round < kRoundsMax && core_->effects().commit; ++round) {
    core::Commit commit = std::move(*core_->effects().commit);
    core_->effects().commit.reset();
    if (group_.submit) {
      ++commits_open_;
      group_.submit(id_, std::move(commit));
      return;
    }
    const Result<void> done = group_.inline_store->commit(commit.batch, Durability::None);
    core_->begin_turn(now_);
    core_->on_committed(commit.id, done.has_value());
    core_->end_turn();
  }
}

void ShardThread::read() {
  if (core_->effects().reads.empty()) return;
  for (core::Read& wanted : std::exchange(core_->effects().reads, {})) {
    if (group_.read) {
      reads_open_.emplace(++last_read_, wanted.ticket);
      group_.read(id_, last_read_, std::move(wanted.range));
    } else {
      enter_turn();
      core_->on_read(wanted.ticket, group_.inline_store->read(wanted.range));
    }
  }
}

void ShardThread::flush_touched() {
  core::Effects& effects = core_->effects();
  // Flushing may touch further links, which then stand behind.
  for (std::size_t i = 0; i < effects.touched.size(); ++i) connections_.flush(effects.touched[i]);
  effects.touched.clear();
}

// After whatever may have moved a link, at once: the core may give its key's place to the next
// connection.
void ShardThread::move_links() {
  if (core_->effects().moved.empty()) return;
  auto moved = std::exchange(core_->effects().moved, {});
  for (core::MovedLink& each : moved) {
    Arrival arrival{connections_.release(each.link), std::move(each.origin), std::move(each.bytes)};
    if (arrival.parts.peer) static_cast<LocalPeer&>(*arrival.parts.peer).detached();
    if (!arrival.parts.peer && !arrival.parts.socket) continue;
    group_.inboxes[each.to]->arrive(std::move(arrival));
  }
}

void ShardThread::on_bytes(net::LinkKey link, ByteView bytes) {
  enter_turn();
  core_->on_bytes(link, bytes);
  move_links();
}

void ShardThread::on_room(net::LinkKey link) {
  enter_turn();
  core_->on_room(link);
}

void ShardThread::on_closed(net::LinkKey link) {
  enter_turn();
  core_->on_closed(link);
}

void ShardThread::on_shut(net::LinkKey link) {
  enter_turn();
  core_->on_shut(link);
}

void ShardThread::on_facts(net::LinkKey link, std::shared_ptr<const ConnectionFacts> facts) {
  enter_turn();
  core_->on_facts(link, std::move(facts));
}

void ShardThread::on_refused(net::LinkKey link, std::string_view why) {
  enter_turn();
  core_->on_refused(link, why);
}

std::size_t ShardThread::gather(net::LinkKey link, std::span<iovec> out) {
  base::OutBuffer* output = core_->output(link);
  return output == nullptr ? 0 : output->gather(out.data(), out.size());
}

void ShardThread::sent(net::LinkKey link, std::size_t bytes) {
  if (base::OutBuffer* output = core_->output(link)) output->consume(bytes, core_->chunks());
}

void ShardThread::log(LogLevel level, std::string_view event, const std::string& detail) const {
  if (group_.log) group_.log({level, event, detail});
}

}  // namespace twinmq::app
