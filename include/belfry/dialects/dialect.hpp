#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/core/result.hpp"
#include "belfry/realtime/frame.hpp"

namespace belfry::dialects {

/// Close codes of the realtime contract (RFC 6455, 7.4, and the private range).
enum class CloseCode : std::uint16_t {
  kNormal = 1000,
  kGoingAway = 1001,
  kProtocolError = 1002,
  kUnsupportedData = 1003,  ///< binary message that the session does not take
  kInvalidPayload = 1007,
  kTooBig = 1009,
  kInternal = 1011,
  kRestart = 1012,
  kUnauthorized = 4001,
  kStuckReader = 4008,
  kTooManyCommands = 4029,
  kBadFrames = 4400,
};

/// What a session may do to its carrier. Implemented by `net`; the only way to a socket. I/O thread only.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  /// Queues; leaves the process at the end of the loop's turn. Never blocks, never fails: after `close` it is dropped.
  virtual void send(const realtime::SharedFrame& frame) = 0;
  /// `send`, if it is writable. False: it is not, and the frame was not taken.
  virtual bool offer(const realtime::SharedFrame& frame) = 0;
  /// The same, but message i ends with `tails[i]`, there during the call only, instead of its own tail. The bodies stay
  /// shared.
  virtual bool offer(const realtime::SharedFrame& frame, std::span<const std::string_view> tails) = 0;
  /// A binary message, behind what is queued. The bytes are copied.
  virtual void send_binary(std::string_view bytes) = 0;
  /// Bytes queued, not yet taken by the kernel, below the limit.
  virtual bool writable() const = 0;
  /// Sends what is queued, then the close frame, then waits a bounded time for the peer's.
  virtual void close(CloseCode code, std::string_view reason) = 0;
};

/// One client's conversation in one dialect. I/O thread only. Destroyed by `net` after `on_closed` and after every
/// `done` it was owed.
class Session {
 public:
  virtual ~Session() = default;
  /// One text message, there during the call only. `done` runs when the next one may be given: commands of a session
  /// run one after another, in order.
  virtual void on_text(std::string_view text, std::move_only_function<void()> done) = 0;
  /// Binary messages are for `on_binary`; else the first one closes with 1003.
  virtual bool takes_binary() const { return false; }
  /// One binary message, as `on_text`: in one order with the texts, and never while one of those runs.
  virtual void on_binary(std::string_view /*bytes*/, std::move_only_function<void()> done) { done(); }
  /// The queue fell below the limit again.
  virtual void on_writable() = 0;
  /// The process drains: say so with this delay; `net` closes afterwards.
  virtual void on_draining(std::chrono::milliseconds reconnect_in) = 0;
  /// The carrier is gone. No call on the sink from here on.
  virtual void on_closed() = 0;
};

/// What a dialect sees of an HTTP upgrade request.
struct Handshake {
  std::string query;                         ///< raw, without '?'
  std::optional<std::string> authorization;  ///< header value
  std::optional<std::string> origin;
};

/// A client that was let in, between its handshake and its session: it has what the handshake found out, of which only
/// the dialect knows what it means. Dropped unopened when the client is gone by then.
class Entrance {
 public:
  virtual ~Entrance() = default;
  /// After the upgrade, once. `sink` outlives the session's `on_closed`.
  virtual std::unique_ptr<Session> open(FrameSink& sink) = 0;
};
/// The entrance is never null.
using AuthorizeDone = std::move_only_function<void(core::Result<std::unique_ptr<Entrance>>)>;

/// A request to a dialect's path that asks for no upgrade.
struct PlainRequest {
  std::string method;                                ///< upper case
  std::string query;                                 ///< raw, without '?'
  std::optional<std::string> authorization, origin;  ///< header values
  std::string body;
};

struct PlainAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=UTF-8";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// For dialects that also speak by plain requests. I/O thread only.
class Requests {
 public:
  virtual ~Requests() = default;
  using Done = std::move_only_function<void(PlainAnswer)>;
  /// `done` exactly once, maybe inside the call, maybe after a long time; dropped, it answers 500. What is returned,
  /// which may be empty, `net` calls at most once: the client is gone, or the answer was not given in time or could not
  /// be written. `done` is of no use any more then, and harmless.
  virtual std::move_only_function<void()> handle(PlainRequest request, Done done) = 0;
};

/// One protocol on one path. Stateless towards its sessions but for what it shares.
class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual std::string_view path() const = 0;
  /// Before the upgrade: kUnauthorized refuses with HTTP 401, kUnavailable with 503.
  virtual void authorize(const Handshake& handshake, AuthorizeDone done) = 0;
  /// Null: this path speaks WebSocket only; anything else is answered 426.
  virtual Requests* requests() { return nullptr; }
  /// On which shard the rest of this conversation lives, by its query; nothing: any. A connection that names another
  /// one moves there with the request.
  virtual std::optional<std::size_t> shard_of(std::string_view /*query*/) const { return std::nullopt; }
  /// The process drains: sessions that have no WebSocket say so to their clients, with delays of their own below this,
  /// and end.
  virtual void drain(std::chrono::milliseconds /*reconnect_within*/) {}
};

}  // namespace belfry::dialects
