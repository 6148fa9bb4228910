#include "belfry/net/server.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belfry/runtime/task_group.hpp"
#include "belfry/telemetry/log.hpp"
#include "connection.hpp"
#include "farewell.hpp"

namespace belfry::net {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<Tcp, runtime::Executor>;

constexpr asio::as_tuple_t<asio::use_awaitable_t<runtime::Executor>> kAwait{};
constexpr auto kAcceptPause = std::chrono::milliseconds(200);
/// Between the cut at the end of a drain and its `done`: the loop's time to let the cut connections end.
constexpr auto kAfterCut = std::chrono::milliseconds(200);
/// Connections above the limit that are told so; beyond, they are closed without a word.
constexpr std::size_t kMaxRefusals = 64;
constexpr auto kRefusalTime = std::chrono::seconds(2);
constexpr std::string_view kRefusal =
    "HTTP/1.1 503 Service Unavailable\r\nDate: {}\r\nRetry-After: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

std::string why(std::exception_ptr exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "unknown";
  }
}

/// The process or the system ran out of something that closing connections gives back.
bool out_of_resources(const boost::system::error_code& error) {
  return error == boost::system::errc::too_many_files_open ||
         error == boost::system::errc::too_many_files_open_in_system || error == boost::system::errc::no_buffer_space ||
         error == boost::system::errc::not_enough_memory;
}

}  // namespace

Limits share(Limits limits, int servers) {
  const auto part = [servers](auto whole) {
    return std::max<decltype(whole)>(1, whole / static_cast<decltype(whole)>(servers));
  };
  limits.max_connections = part(limits.max_connections);
  limits.handshakes_per_second = part(limits.handshakes_per_second);
  limits.max_handshakes_in_flight = part(limits.max_handshakes_in_flight);
  return limits;
}

class Server::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(runtime::Loop& loop, runtime::Wheel& wheel, Limits limits, http::Service& service,
       std::vector<dialects::Dialect*> dialects, telemetry::Metrics& metrics)
      : edge_(std::make_shared<Edge>(loop, wheel, limits, service, std::move(dialects), metrics,
                                     std::make_shared<TurnFlusher>(loop))),
        tasks_(loop, [](const std::string& name, std::exception_ptr exception) {
          telemetry::error("task_failed", {{"task", name}, {"what", why(exception)}});
        }) {
    edge_->flusher->start();
  }

  void deal_to(const std::vector<std::shared_ptr<Impl>>& servers);
  void share_sessions(const std::vector<std::shared_ptr<Impl>>& servers);
  core::Result<std::uint16_t> listen(const ListenOptions& options);
  void drain(const DrainPlan& plan, std::move_only_function<void()> done);
  void shut_down();
  std::size_t connections() const { return connections_.size(); }
  realtime::SendPass last_pass() const { return edge_->flusher->last_pass(); }

 private:
  /// Where an accepted connection may go.
  struct Seat {
    runtime::Loop& loop;
    std::weak_ptr<Impl> server;
  };

  static runtime::Task<void> accept_all(std::shared_ptr<Impl> self, std::shared_ptr<Acceptor> acceptor);
  static runtime::Task<void> serve(std::shared_ptr<Impl> self, std::shared_ptr<Connection> connection);
  static runtime::Task<void> turn_away(std::shared_ptr<Impl> self, std::shared_ptr<Transport> transport);
  runtime::Task<void> pause();
  static std::vector<Seat> seats_of(const std::vector<std::shared_ptr<Impl>>& servers);
  void give(const Seat& seat, Transport::Socket socket, std::optional<Opening> opening = std::nullopt);
  void take(Transport::Socket socket, std::optional<Opening> opening);
  void admit(Transport::Socket socket, std::optional<Opening> opening);
  void send_off(Departure departure, Transport& transport);
  void remove(Connection* connection);
  void cut_all();
  void finish_drain();

  std::shared_ptr<Edge> edge_;
  runtime::TaskGroup tasks_;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
  std::vector<Seat> seats_;   ///< for what is accepted here
  std::vector<Seat> shards_;  ///< by their numbers
  std::size_t dealt_ = 0;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::size_t refusals_ = 0;
  runtime::Wheel::Timer accept_pause_;
  runtime::Wheel::Timer drain_deadline_;
  std::shared_ptr<Farewell> farewell_;
  std::move_only_function<void()> drained_;
};

std::vector<Server::Impl::Seat> Server::Impl::seats_of(const std::vector<std::shared_ptr<Impl>>& servers) {
  std::vector<Seat> seats;
  for (const auto& server : servers) seats.push_back({server->edge_->loop, server});
  return seats;
}

void Server::Impl::deal_to(const std::vector<std::shared_ptr<Impl>>& servers) { seats_ = seats_of(servers); }

void Server::Impl::share_sessions(const std::vector<std::shared_ptr<Impl>>& servers) {
  shards_ = seats_of(servers);
  edge_->shards = servers.size();
  edge_->shard = static_cast<std::size_t>(std::ranges::find(servers, shared_from_this()) - servers.begin());
}

core::Result<std::uint16_t> Server::Impl::listen(const ListenOptions& options) {
  boost::system::error_code error;
  const auto fail = [&](std::string_view step) {
    return core::fail(core::Error::unavailable(
        fmt::format("Cannot listen on {} port {}: {}: {}.", options.address, options.port, step, error.message())));
  };
  const auto address = asio::ip::make_address(options.address, error);
  if (error) return fail("not an IP address");
  const Tcp::endpoint endpoint(address, options.port);
  auto acceptor = std::make_shared<Acceptor>(edge_->loop.context().get_executor());
  acceptor->open(endpoint.protocol(), error);
  if (error) return fail("open");
  acceptor->set_option(Acceptor::reuse_address(true), error);
  if (error) return fail("SO_REUSEADDR");
  // Each connection inherits it.
  acceptor->set_option(Tcp::no_delay(true), error);
  if (error) return fail("TCP_NODELAY");
  acceptor->bind(endpoint, error);
  if (error) return fail("bind");
  acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail("listen");
  const auto port = acceptor->local_endpoint(error).port();
  if (error) return fail("local address");
  acceptors_.push_back(acceptor);
  if (seats_.empty()) seats_.push_back({edge_->loop, weak_from_this()});
  tasks_.spawn("accept", accept_all(shared_from_this(), std::move(acceptor)));
  return port;
}

runtime::Task<void> Server::Impl::accept_all(std::shared_ptr<Impl> self, std::shared_ptr<Acceptor> acceptor) {
  while (acceptor->is_open()) {
    // Of the loop that will serve it from the beginning: nothing is registered twice.
    const Seat& seat = self->seats_[self->dealt_ % self->seats_.size()];
    Transport::Socket socket(seat.loop.context().get_executor());
    const auto [error] = co_await acceptor->async_accept(socket, kAwait);
    if (!error) {
      // Taken in while the order to drain was on its way: whoever serves it would not hear of that any more.
      if (self->edge_->draining) co_return;
      ++self->dealt_;
      self->give(seat, std::move(socket));
    } else if (out_of_resources(error)) {
      telemetry::warn("accept_paused", {{"why", error.message()}, {"connections", self->connections_.size()}});
      co_await self->pause();
    } else if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) {
      co_return;
    }
  }
}

runtime::Task<void> Server::Impl::pause() {
  const auto waited = std::make_shared<OneShot<bool>>(edge_->loop.context().get_executor());
  accept_pause_ = edge_->wheel.after(kAcceptPause, [go = waited->callback()]() mutable { go(true); });
  co_await waited->wait();
}

/// A server that drains is told so by a post of its own, behind these.
void Server::Impl::give(const Seat& seat, Transport::Socket socket, std::optional<Opening> opening) {
  if (&seat.loop == &edge_->loop) {
    if (const auto server = seat.server.lock()) server->take(std::move(socket), std::move(opening));
    return;
  }
  seat.loop.post([to = seat.server, socket = std::move(socket), opening = std::move(opening)]() mutable {
    if (const auto server = to.lock()) server->take(std::move(socket), std::move(opening));
  });
}

void Server::Impl::send_off(Departure departure, Transport& transport) {
  const auto& seat = shards_[departure.shard];
  if (auto socket = transport.move_to(seat.loop.context().get_executor())) {
    give(seat, std::move(*socket), std::move(departure.opening));
  }
}

/// One connection that cannot be had is no reason to be deaf to all others.
void Server::Impl::take(Transport::Socket socket, std::optional<Opening> opening) {
  try {
    admit(std::move(socket), std::move(opening));
  } catch (const std::exception& failure) {
    telemetry::error("accept_failed", {{"what", failure.what()}});
  }
}

void Server::Impl::admit(Transport::Socket socket, std::optional<Opening> opening) {
  auto transport = std::make_shared<Transport>(std::move(socket), edge_->flusher);
  // Who comes from another server may come behind the order to drain.
  const bool late = opening && edge_->draining;
  if (late || connections_.size() >= edge_->limits.max_connections) {
    if (refusals_ >= kMaxRefusals) return transport->cut();
    ++refusals_;
    return tasks_.spawn("turn_away", turn_away(shared_from_this(), std::move(transport)));
  }
  const auto connection = std::make_shared<Connection>(edge_, std::move(transport), std::move(opening));
  connections_.emplace(connection.get(), connection);
  tasks_.spawn("connection", serve(shared_from_this(), connection));
}

runtime::Task<void> Server::Impl::turn_away(std::shared_ptr<Impl> self, std::shared_ptr<Transport> transport) {
  self->edge_->metrics.http_responses[5].add();
  const auto deadline = self->edge_->wheel.after(kRefusalTime, [transport] { transport->cut(); });
  transport->queue(fmt::format(kRefusal, self->edge_->date.now(),
                               self->edge_->admission.next_moment(self->edge_->wheel.now()).count()));
  co_await asio::async_initiate<const decltype(kAwait)&, void(Transport::ErrorCode)>(
      [&transport](auto handler) { transport->finish(std::move(handler)); }, kAwait);
  --self->refusals_;
}

runtime::Task<void> Server::Impl::serve(std::shared_ptr<Impl> self, std::shared_ptr<Connection> connection) {
  try {
    const bool goes_on = co_await connection->run(
        [weak = std::weak_ptr(self), key = connection.get()] {
          if (const auto server = weak.lock()) server->remove(key);
        },
        [self](Departure departure, Transport& transport) { self->send_off(std::move(departure), transport); });
    if (goes_on) co_return;
  } catch (const std::exception& error) {
    telemetry::error("connection_failed", {{"what", error.what()}});
  }
  connection->cut();
  self->remove(connection.get());
}

void Server::Impl::remove(Connection* connection) {
  connections_.erase(connection);
  if (connections_.empty()) finish_drain();
}

void Server::Impl::drain(const DrainPlan& plan, std::move_only_function<void()> done) {
  edge_->draining = true;
  edge_->reconnect_within = plan.reconnect_within;
  drained_ = std::move(done);
  boost::system::error_code ignored;
  for (const auto& acceptor : std::exchange(acceptors_, {})) acceptor->close(ignored);
  for (auto* dialect : edge_->dialects) dialect->drain(plan.reconnect_within);
  if (connections_.empty()) return finish_drain();
  drain_deadline_ = edge_->wheel.after(edge_->limits.drain_timeout, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->cut_all();
  });
  // A connection may end while it is told: walk over a copy.
  std::vector<std::shared_ptr<Connection>> requests;
  std::vector<std::shared_ptr<Connection>> sockets;
  for (const auto& [key, connection] : connections_) {
    (connection->upgraded() ? sockets : requests).push_back(connection);
  }
  for (const auto& connection : requests) connection->drain_http();
  farewell_ = std::make_shared<Farewell>(edge_);
  farewell_->begin(sockets, plan);
}

void Server::Impl::cut_all() {
  telemetry::warn("drain_cut", {{"connections", connections_.size()}});
  for (const auto& [key, connection] : connections_) connection->cut();
  drain_deadline_ = edge_->wheel.after(kAfterCut, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->finish_drain();
  });
}

void Server::Impl::finish_drain() {
  if (!drained_) return;
  drain_deadline_.cancel();
  if (farewell_) farewell_->stop();
  std::exchange(drained_, nullptr)();
}

void Server::Impl::shut_down() {
  edge_->draining = true;
  edge_->flusher->stop();
  drained_ = nullptr;
  drain_deadline_.cancel();
  if (farewell_) farewell_->stop();
  accept_pause_.cancel();
  boost::system::error_code ignored;
  for (const auto& acceptor : std::exchange(acceptors_, {})) acceptor->close(ignored);
  for (const auto& [key, connection] : std::exchange(connections_, {})) {
    connection->cut();
    connection->abandon();
  }
}

Server::Server(runtime::Loop& loop, runtime::Wheel& wheel, Limits limits, http::Service& service,
               std::vector<dialects::Dialect*> dialects, telemetry::Metrics& metrics)
    : impl_(std::make_shared<Impl>(loop, wheel, limits, service, std::move(dialects), metrics)) {}

Server::~Server() { impl_->shut_down(); }

std::vector<std::shared_ptr<Server::Impl>> Server::impls(const std::vector<Server*>& servers) {
  std::vector<std::shared_ptr<Impl>> impls;
  impls.reserve(servers.size());
  for (auto* server : servers) impls.push_back(server->impl_);
  return impls;
}

void Server::deal_to(const std::vector<Server*>& servers) { impl_->deal_to(impls(servers)); }

void Server::share_sessions(const std::vector<Server*>& all) { impl_->share_sessions(impls(all)); }

core::Result<std::uint16_t> Server::listen(const ListenOptions& options) { return impl_->listen(options); }

void Server::drain(DrainPlan plan, std::move_only_function<void()> done) { impl_->drain(plan, std::move(done)); }

realtime::SendPass Server::last_pass() const { return impl_->last_pass(); }

std::size_t Server::connections() const { return impl_->connections(); }

}  // namespace belfry::net
