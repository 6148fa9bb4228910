#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "edge.hpp"
#include "one_shot.hpp"
#include "request_reader.hpp"
#include "response.hpp"
#include "transport.hpp"

namespace belfry::net {

/// An authorized upgrade, ready to be accepted.
struct Upgrade {
  std::unique_ptr<dialects::Entrance> entrance;
  std::string key;   ///< `Sec-WebSocket-Key`
  std::string rest;  ///< bytes the client sent behind its request
};

/// What a connection begins with that has come from another server.
struct Opening {
  ParsedRequest request;
  std::string rest;  ///< bytes behind it
};

/// A connection whose request belongs to another server. All before it is answered and sent.
struct Departure {
  std::size_t shard = 0;
  Opening opening;
};

/// How the HTTP side ends: with the connection, or with what follows.
using HttpEnd = std::variant<std::monostate, Upgrade, Departure>;

/// The HTTP/1.1 side of one connection: requests in order, one at a time. Loop's thread only.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport, std::optional<Opening> opening);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  /// Ends when the connection is closed, or goes on as something else. The caller keeps the session until then.
  runtime::Task<HttpEnd> run();
  /// Ends when it is idle, else after the running request.
  void drain();
  /// Gives up the wait for an answer; nothing runs afterwards.
  void abandon();

 private:
  enum class Next : std::uint8_t { kRequest, kRefused, kEnd, kIdleEnd };

  runtime::Task<std::optional<ParsedRequest>> next_request();
  runtime::Task<Next> read_request();
  runtime::Task<bool> read_more();
  runtime::Task<bool> answer(ParsedRequest parsed);
  runtime::Task<bool> answer_plainly(ParsedRequest parsed, dialects::Requests& requests);
  void send_plain(std::optional<dialects::PlainAnswer> answer, const std::string& request_id, ResponseContext& context);
  void tell_given_up();
  void count(int status);
  std::optional<std::size_t> lives_elsewhere(const dialects::Dialect& dialect, const http::Request& request) const;
  runtime::Task<HttpEnd> leave_for(std::size_t shard, ParsedRequest parsed);
  runtime::Task<HttpEnd> upgrade(ParsedRequest parsed, dialects::Dialect& dialect);
  runtime::Task<void> refuse_while_draining(const http::Request& request);
  runtime::Task<void> refuse(int status, core::Error error, const http::Request& request);
  void send(http::Response response, const ResponseContext& context);
  runtime::Task<bool> drained();
  runtime::Task<void> close();
  template <class T>
  runtime::Task<std::optional<T>> wait_for(std::shared_ptr<OneShot<T>> answer, std::chrono::milliseconds at_most);
  void set_deadline(std::chrono::milliseconds after);
  void clear_deadline();

  std::shared_ptr<Edge> edge_;
  std::shared_ptr<Transport> transport_;
  RequestReader reader_;
  std::optional<Opening> opening_;
  runtime::Wheel::Timer deadline_;
  bool expired_ = false;
  bool idle_ = false;
  std::weak_ptr<PendingAnswer> waiting_for_;
  /// What the dialect wants to hear unless its answer is taken by the kernel.
  std::move_only_function<void()> given_up_;
};

}  // namespace belfry::net
