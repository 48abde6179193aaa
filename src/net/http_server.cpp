#include "net/http_server.hpp"

#include <algorithm>
#include <utility>

#include "net/transport.hpp"

namespace twinmq::net {

Result<std::unique_ptr<HttpServer>> HttpServer::create(const Options& options,
                                                       base::Counters& counters,
                                                       ConnectionLimits& limits, Handler handler) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::create(EventLoop::Driver::OwnThread);
  if (!loop) return loop.error();
  return std::unique_ptr<HttpServer>(
      new HttpServer(options, std::move(*loop), counters, limits, std::move(handler)));
}

HttpServer::HttpServer(const Options& options, std::unique_ptr<EventLoop> loop,
                       base::Counters& counters, ConnectionLimits& limits, Handler handler)
    : options_(options),
      loop_(std::move(loop)),
      handler_(std::move(handler)),
      connections_(*loop_, *this, counters, limits) {
  connections_.set_handshake_limit(options.handshake_time);
}

HttpServer::~HttpServer() {
  drop_all();
}

void HttpServer::accept(Descriptor socket, Listener& listener, Caller caller) {
  const LinkKey link = clients_.insert(options_.request);
  Client& client = *clients_.get(link);
  client.peer.address = caller.address;
  client.peer.listener = listener.name();
  client.peer.anonymous_allowed = listener.anonymous_allowed;
  client.since = now_;
  Connections::Parts parts;
  parts.socket = std::move(socket);
  parts.listener = &listener;
  if (const auto transport = listener.transport())
    parts.filters = make_filters(*transport, caller.address);
  parts.place = std::move(caller.place);
  if (look_at_ == kNever) look_at_ = now_ + kLookInterval;
  connections_.add(link, std::move(parts));
}

void HttpServer::turn(Instant now) {
  now_ = now;
  connections_.set_now(now);
  for (const epoll_event& event : loop_->wait(0))
    connections_.on_event(event.data.u64, event.events);
  connections_.flush_again();
  connections_.on_time(now);
  if (look_at_ <= now) close_late(now);
  flush();
}

Instant HttpServer::next_deadline() const {
  if (connections_.wants_turn()) return now_;
  return std::min(look_at_, connections_.next_deadline());
}

void HttpServer::close_late(Instant now) {
  std::vector<LinkKey> late;
  clients_.for_each([&](LinkKey link, Client& client) {
    if (client.pending || client.closing) {
      client.since = now;
      return;
    }
    const bool idle = client.reader.idle() && client.output_at == client.output.size();
    if (now - client.since > (idle ? options_.idle_time : options_.request_time))
      late.push_back(link);
  });
  for (const LinkKey link : late) {
    Client& client = *clients_.get(link);
    if (client.reader.idle()) {
      connections_.close(link);
    } else {
      client.pending = true;
      client.keep_alive = false;
      write(link, client, http_refusal({408, "The request took too long."}));
    }
  }
  look_at_ = clients_.empty() ? kNever : now + kLookInterval;
}

void HttpServer::on_bytes(LinkKey link, ByteView bytes) {
  Client* const client = clients_.get(link);
  if (client == nullptr || client->closing) return;
  client->unread += text_of(bytes);
  work(link);
}

void HttpServer::work(LinkKey link) {
  Client* client = clients_.get(link);
  if (client == nullptr || client->pending || client->closing || client->unread.empty()) return;
  if (client->reader.idle()) client->since = now_;
  const Result<std::size_t, HttpFault> taken = client->reader.read(client->unread);
  if (!taken) {
    client->unread.clear();
    client->pending = true;
    client->keep_alive = false;
    return write(link, *client, http_refusal(taken.error()));
  }
  client->unread.erase(0, *taken);
  if (!client->reader.complete()) {
    if (client->reader.wants_continue() && !std::exchange(client->continued, true)) {
      client->output += "HTTP/1.1 100 Continue\r\n\r\n";
      touched_.push_back(link);
    }
    return;
  }
  HttpRequest request = client->reader.take();
  client->pending = true;
  client->continued = false;
  client->keep_alive = request.keep_alive && !request.upgrade;
  client->head = request.method == "HEAD";
  const HttpPeer peer = client->peer;
  handler_(link, std::move(request), peer);
}

void HttpServer::answer(HttpExchange exchange, HttpResponse response) {
  Client* const client = clients_.get(exchange);
  if (client == nullptr || !client->pending) return;
  response.keep_alive = response.keep_alive && client->keep_alive;
  write(exchange, *client, response);
}

void HttpServer::write(LinkKey link, Client& client, const HttpResponse& response) {
  std::string bytes = write_http(response);
  // A HEAD is told the length and sent nothing of it.
  if (std::exchange(client.head, false)) bytes.resize(bytes.size() - response.body.size());
  client.output += bytes;
  client.pending = false;
  client.closing = !response.keep_alive;
  client.since = now_;
  touched_.push_back(link);
}

void HttpServer::flush() {
  // An answer lets the next request of its connection be read, which may be answered at once.
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    const LinkKey link = touched_[i];
    work(link);
    connections_.flush(link);
  }
  touched_.clear();
}

void HttpServer::drop_all() {
  connections_.drop_all();
  clients_.clear();
  touched_.clear();
  look_at_ = kNever;
}

void HttpServer::on_facts(LinkKey link, std::shared_ptr<const ConnectionFacts> facts) {
  Client* const client = clients_.get(link);
  if (client == nullptr) return;
  if (facts && !facts->peer.empty()) client->peer.address = facts->peer;
  client->peer.facts = std::move(facts);
}

std::size_t HttpServer::gather(LinkKey link, std::span<iovec> out) {
  Client* const client = clients_.get(link);
  if (client == nullptr || client->output_at == client->output.size()) return 0;
  out[0] = {client->output.data() + client->output_at, client->output.size() - client->output_at};
  return 1;
}

void HttpServer::sent(LinkKey link, std::size_t bytes) {
  Client* const client = clients_.get(link);
  if (client == nullptr) return;
  client->output_at += bytes;
  if (client->output_at < client->output.size()) return;
  client->output.clear();
  client->output.shrink_to_fit();
  client->output_at = 0;
}

bool HttpServer::closing(LinkKey link) const {
  const Client* const client = clients_.get(link);
  return client == nullptr || client->closing;
}

bool HttpServer::reading(LinkKey link) const {
  const Client* const client = clients_.get(link);
  return client != nullptr && !client->pending && !client->closing;
}

bool HttpServer::drained(LinkKey link) const {
  const Client* const client = clients_.get(link);
  return client == nullptr || (!client->pending && client->unread.empty());
}

}  // namespace twinmq::net
