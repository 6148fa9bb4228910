#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "belfry/dialects/dialect.hpp"
#include "dialects/socketio/engine_packet.hpp"

namespace belfry::dialects::socketio {

struct EngineOptions {
  std::chrono::milliseconds ping_interval{25'000};
  std::chrono::milliseconds ping_timeout{20'000};
  std::chrono::milliseconds upgrade_timeout{10'000};   ///< from the probe's WebSocket to the upgrade
  std::chrono::milliseconds noop_interval{100};        ///< a GET is not held longer while an upgrade is under way
  std::chrono::milliseconds linger{10'000};            ///< for the GET that fetches a closing session's last words
  std::size_t max_payload = std::size_t{64} * 1024;    ///< bytes of a POST's body or of a WebSocket message
  std::size_t max_answer = std::size_t{64} * 1024;     ///< of a GET, and one packet more
  std::size_t max_buffered = std::size_t{256} * 1024;  ///< unread by polling; beyond, the session is not writable
};

enum class EngineTransport : std::uint8_t { kPolling, kWebSocket };

/// Which WebSocket: the session's own, or the one that may become it.
enum class Line : std::uint8_t { kMain, kProbe };

/// Why a session ended.
enum class EngineEnd : std::uint8_t {
  kClosedByClient,
  kClosedByServer,
  kLineGone,      ///< its WebSocket is closed
  kGetAbandoned,  ///< what was on the way in its answer may be lost
  kPingTimeout,
  kOverlap,  ///< two GETs or two POSTs at once
  kMalformed,
  kTooLarge,
};

/// What the owner of a session has to do, in order.
struct AnswerGet {  ///< the one that waits, or the handshake: 200
  std::string body;
  friend bool operator==(const AnswerGet&, const AnswerGet&) = default;
};
struct RefuseGet {  ///< the one that just came: 400
  friend bool operator==(const RefuseGet&, const RefuseGet&) = default;
};
struct AnswerPost {  ///< the one that just came, once all that it delivered is done: 200 `ok`, then `post_done`
  friend bool operator==(const AnswerPost&, const AnswerPost&) = default;
};
struct LetPostGo {  ///< the one that waits for its answer: 200 `ok` now; `post_done` still comes when all is done
  friend bool operator==(const LetPostGo&, const LetPostGo&) = default;
};
struct RefusePost {  ///< the one that just came
  int status = 400;
  friend bool operator==(const RefusePost&, const RefusePost&) = default;
};
struct SendText {
  Line line = Line::kMain;
  std::string text;
  friend bool operator==(const SendText&, const SendText&) = default;
};
struct SendBinary {  ///< on the session's own WebSocket
  std::string bytes;
  friend bool operator==(const SendBinary&, const SendBinary&) = default;
};
struct CloseLine {
  Line line = Line::kMain;
  CloseCode code = CloseCode::kNormal;
  friend bool operator==(const CloseLine&, const CloseLine&) = default;
};
struct Promote {  ///< the probe's WebSocket is the session's own from here on
  friend bool operator==(const Promote&, const Promote&) = default;
};
struct Deliver {  ///< a message for Socket.IO
  EnginePacket message;
  friend bool operator==(const Deliver&, const Deliver&) = default;
};
struct Writable {  ///< somebody was told that it is not, and now it is
  friend bool operator==(const Writable&, const Writable&) = default;
};
struct Over {  ///< the last one; a POST whose commands still run is answered when they are done
  EngineEnd why = EngineEnd::kClosedByServer;
  friend bool operator==(const Over&, const Over&) = default;
};
using Action = std::variant<AnswerGet, RefuseGet, AnswerPost, LetPostGo, RefusePost, SendText, SendBinary, CloseLine,
                            Promote, Deliver, Writable, Over>;
using Actions = std::vector<Action>;

/// One Engine.IO 4 session, without sockets, requests and clock: each call says what arrived and when, and returns what
/// to do. The owner runs what is delivered one after another, in the order of arrival whatever it came by, and only
/// while the session is writable: so a client that asks for more than it reads waits. I/O thread only.
class EngineSession {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// `transport`: that of the handshake.
  EngineSession(EngineOptions options, std::string sid, EngineTransport transport, TimePoint now);
  /// Once, first: the handshake's answer.
  Actions open();

  // What the client does.
  Actions get(TimePoint now);
  /// Its connection ended while it waited.
  Actions get_abandoned();
  /// A GET was answered, and its connection ended before the answer had left.
  Actions answer_lost();
  Actions post(std::string_view body, TimePoint now);
  /// What the oldest POST delivered is done.
  void post_done() { (post_let_go_ ? post_let_go_ : post_running_) = false; }
  /// Whether another WebSocket for this session is let in. Ask before the handshake, and again after it.
  bool may_probe() const;
  void probe_opened(TimePoint now);
  /// A text message, which is UTF-8.
  Actions text(Line line, std::string_view text, TimePoint now);
  Actions binary(Line line, std::string bytes);
  Actions line_closed(Line line);

  // What the server does.
  /// Polling keeps it until `flush`.
  Actions send(EnginePacket packet);
  /// At the end of a turn: gives what is kept to the GET that waits.
  Actions flush();
  /// What is kept goes out first. Polling lingers until a GET has fetched it.
  Actions close(CloseCode code, TimePoint now);
  /// At `next_deadline` or later. `behind`: the session's WebSocket has not yet taken what was sent before, and is not
  /// read meanwhile; how long it may take is for `net` to say.
  Actions tick(TimePoint now, bool behind);
  /// TimePoint::max() when there is none.
  TimePoint next_deadline() const;

  const std::string& sid() const { return sid_; }
  /// What is to be sent goes straight to the session's own WebSocket, in front of nothing: `send` is not needed.
  bool direct() const { return !over_ && transport_ == EngineTransport::kWebSocket; }
  /// Of polling; a WebSocket says it for itself.
  bool writable() const;
  bool over() const { return over_; }
  /// Bytes that wait for a request, or for the WebSocket to come.
  std::size_t kept_bytes() const { return kept_bytes_; }

 private:
  static constexpr TimePoint kNever = TimePoint::max();
  enum class Probe : std::uint8_t { kNone, kOpen, kAnswered };

  Actions taken() { return std::exchange(actions_, {}); }
  template <class A>
  void act(A action) {
    actions_.emplace_back(std::move(action));
  }
  std::string open_packet() const;
  bool late(TimePoint now) const { return pong_due_ <= now; }
  /// Of the session's own transport. Why the session has to end, if it has to.
  std::optional<EngineEnd> take(EnginePacket packet, TimePoint now);
  std::optional<EngineEnd> take_payload(std::string_view body, TimePoint now);
  void take_probe(std::string_view text, TimePoint now);
  void upgrade();
  void drop_probe(CloseCode code);
  void put(EnginePacket packet);
  enum class Much : std::uint8_t { kOneAnswer, kAll };
  void answer_get(Much much = Much::kOneAnswer);
  void let_get_go(TimePoint now);
  void let_post_go();
  void ping(TimePoint now);
  void end(EngineEnd why, CloseCode code = CloseCode::kProtocolError);

  EngineOptions options_;
  std::string sid_;
  EngineTransport transport_;
  Probe probe_ = Probe::kNone;
  bool get_waits_ = false;
  bool post_running_ = false;  ///< a POST waits for its answer
  bool post_let_go_ = false;   ///< one was answered before all that it delivered is done: one at most
  bool closing_ = false;
  bool over_ = false;
  bool ping_kept_ = false;  ///< the last ping waits for a GET: nobody can have answered it
  mutable bool told_full_ = false;
  std::vector<EnginePacket> kept_;  ///< for the next GET, or for the WebSocket to come
  std::size_t kept_bytes_ = 0;
  TimePoint ping_at_;
  TimePoint pong_due_ = kNever;
  TimePoint probe_due_ = kNever;
  TimePoint noop_at_ = kNever;
  TimePoint linger_until_ = kNever;
  Actions actions_;
};

}  // namespace belfry::dialects::socketio
