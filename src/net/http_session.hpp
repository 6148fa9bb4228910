#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

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

/// The HTTP/1.1 side of one connection: requests in order, one at a time. Loop's thread only.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::shared_ptr<Edge> edge, std::shared_ptr<Transport> transport);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  /// Ends when the connection is closed, or with an upgrade. The caller keeps the session until then.
  runtime::Task<std::optional<Upgrade>> run();
  /// Ends when it is idle, else after the running request.
  void drain();
  /// Gives up the wait for a service's answer; nothing runs afterwards.
  void abandon();

 private:
  enum class Next : std::uint8_t { kRequest, kRefused, kEnd, kIdleEnd };

  runtime::Task<Next> read_request();
  runtime::Task<bool> read_more();
  runtime::Task<bool> answer(ParsedRequest parsed);
  runtime::Task<std::optional<Upgrade>> upgrade(ParsedRequest parsed, dialects::Dialect& dialect);
  runtime::Task<void> refuse(int status, core::Error error, const http::Request& request);
  void send(http::Response response, const ResponseContext& context);
  runtime::Task<bool> drained();
  runtime::Task<void> close();
  template <class T>
  runtime::Task<std::optional<T>> wait_for(std::shared_ptr<OneShot<T>> answer);
  void set_deadline(std::chrono::milliseconds after);
  void clear_deadline();

  std::shared_ptr<Edge> edge_;
  std::shared_ptr<Transport> transport_;
  RequestReader reader_;
  runtime::Wheel::Timer deadline_;
  bool expired_ = false;
  bool idle_ = false;
  std::weak_ptr<PendingAnswer> waiting_for_;
};

}  // namespace belfry::net
