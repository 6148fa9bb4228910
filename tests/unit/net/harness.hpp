#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <gtest/gtest.h>

#include "belfry/net/server.hpp"

namespace belfry::net::testing {

constexpr auto kPatience = std::chrono::seconds(20);

/// Answers by path; keeps what it was asked. `/hold` waits until `release`.
class FakeService final : public http::Service {
 public:
  void handle(http::Request request, std::move_only_function<void(http::Response)> done) override;
  void release();

  std::vector<http::Request> requests;
  std::deque<std::move_only_function<void(http::Response)>> held;
};

/// What happened to the sessions of a FakeDialect. All of it on the loop's thread.
struct SessionState {
  dialects::FrameSink* sink = nullptr;
  std::vector<std::string> texts;  ///< and binary messages, in their order
  bool takes_binary = false;
  std::vector<std::move_only_function<void()>> owed;
  bool hold_done = false;
  bool throw_on_text = false;
  int writable_calls = 0;
  std::optional<std::chrono::milliseconds> draining;
  int closed = 0;
  int destroyed = 0;
  bool destroyed_while_owing = false;
  std::function<void(SessionState&, std::string_view)> on_text;  ///< of binary messages too
  std::function<void(SessionState&)> on_writable;
};

/// One plain request to a FakeDialect, and what became of it.
struct PlainState {
  dialects::PlainRequest request;
  dialects::Requests::Done done;
  int given_up = 0;
};

/// Echoes by default. Sessions report to `sessions`, which outlives them. Plain requests wait in `plain` for the test,
/// but those with a query "now", which are answered inside the call.
class FakeDialect final : public dialects::Dialect, public dialects::Requests {
 public:
  std::string_view path() const override { return "/ws"; }
  dialects::Requests* requests() override { return plainly ? this : nullptr; }
  std::move_only_function<void()> handle(dialects::PlainRequest request, Done done) override;
  std::optional<std::size_t> shard_of(std::string_view query) const override;
  void drain(std::chrono::milliseconds reconnect_within) override;
  void authorize(const dialects::Handshake& handshake, dialects::AuthorizeDone done) override;
  std::unique_ptr<dialects::Entrance> entrance();

  bool plainly = false;
  std::vector<std::shared_ptr<PlainState>> plain;
  std::optional<std::chrono::milliseconds> drained;
  std::function<void()> on_drain;
  std::function<void()> on_shard_of;
  std::vector<dialects::Handshake> handshakes;
  std::optional<core::Error> refuse;
  bool hold_authorize = false;
  std::vector<dialects::AuthorizeDone> held;
  std::function<void(SessionState&)> on_open;
  std::vector<std::shared_ptr<SessionState>> sessions;
};

/// A short one, that says what was asked.
dialects::PlainAnswer echo(const dialects::PlainRequest& request);

/// A server on a loop of its own thread, with a clock that only the test moves.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() = default;
  ~ServerTest() override;

  void start(const std::function<void(Limits&)>& change = {});
  virtual void before_listen() {}
  /// Stops the loop and destroys the server, whatever its connections do.
  void stop();
  /// Runs on the loop's thread and waits for it.
  void on_loop(std::move_only_function<void()> task);
  /// Asks the loop's thread again and again until it holds.
  ::testing::AssertionResult eventually(std::function<bool()> holds);
  void jump(std::chrono::milliseconds by);
  std::shared_ptr<SessionState> session(std::size_t index = 0);
  std::shared_ptr<PlainState> plain(std::size_t index = 0);
  /// All connections are gone and nothing of them is left.
  void expect_baseline();

  std::uint16_t port = 0;
  Limits limits;
  FakeService service;
  FakeDialect dialect;
  telemetry::Metrics metrics;
  std::unique_ptr<runtime::Loop> loop = std::make_unique<runtime::Loop>();
  runtime::Wheel wheel{runtime::Wheel::Clock::time_point(std::chrono::hours(1))};
  std::unique_ptr<Server> server;

 private:
  runtime::Wheel::Clock::time_point now_{std::chrono::hours(1)};
  std::thread thread_;
};

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< lower-case names; values of the same name are joined by ", "
  std::string body;
};

/// A client that speaks bytes. Every wait ends after kPatience at the latest.
class RawClient {
 public:
  /// `before_connect` runs when the client has its descriptor.
  explicit RawClient(std::uint16_t port, int receive_buffer = 0, const std::function<void()>& before_connect = {});
  void send(std::string_view bytes);
  /// Sends as much as the server takes before it closes; false when it closed early.
  bool try_send(std::string_view bytes);
  /// The next answer, or nothing at the end of the connection.
  std::optional<Answer> answer(bool head = false);
  /// The rest of the stream up to the end of the connection; nothing when it was reset or did not end.
  std::optional<std::string> rest();
  /// Reads at least this much.
  std::string read(std::size_t bytes);
  void shutdown_send();
  void reset();
  void close();

 private:
  bool fill();

  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_{context_};
  std::string buffer_;
  bool clean_end_ = false;
};

}  // namespace belfry::net::testing
