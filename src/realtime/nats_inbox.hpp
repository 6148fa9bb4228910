#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "belfry/domain/log.hpp"
#include "belfry/telemetry/metrics.hpp"
#include "nats_hints.hpp"

namespace belfry::realtime {

/// Where the library's threads leave what arrived: the greatest position per room and the events that lead there, taken
/// by one task of the I/O thread.
/// The library may still call after a connection is destroyed, so an inbox is never freed; `close` makes it deaf.
class NatsInbox {
 public:
  using Clock = std::chrono::steady_clock;
  using Poster = std::function<void(std::move_only_function<void()>)>;

  NatsInbox(Poster poster, telemetry::Metrics& metrics, std::function<void()> wake);
  /// Lives as long as the process.
  static NatsInbox& make(Poster poster, telemetry::Metrics& metrics, std::function<void()> wake);

  void on_hint(std::function<void(std::optional<domain::LogHint>)> hint);
  /// Nothing that the inbox was given is used after it returns, except on the I/O thread before it is stopped.
  void close();

  // Any thread.
  /// How messages are understood, from now on.
  void understand(std::shared_ptr<const NatsHints> hints);
  void arrived(std::string_view subject, std::string_view text);
  void grew(domain::LogHint hint, std::size_t bytes = 0);
  void may_have_grown();
  void echoed(std::string_view nonce);
  /// Something about a connection changed.
  void wake();
  /// From here on only an echo with this text counts.
  void expect(std::string nonce);
  std::optional<Clock::time_point> heard_at() const;

 private:
  void post_locked();
  void drain();

  mutable std::mutex mutex_;
  Poster poster_;
  telemetry::Metrics* metrics_;
  std::function<void()> wake_;
  std::function<void(std::optional<domain::LogHint>)> hint_;
  std::shared_ptr<const NatsHints> hints_;
  std::unordered_map<domain::RoomKey, domain::LogHint> grown_;
  std::size_t bytes_ = 0;  ///< of messages whose events wait
  bool any_ = false;
  bool posted_ = false;
  bool closed_ = false;
  std::string nonce_;
  std::optional<Clock::time_point> heard_at_;
};

}  // namespace belfry::realtime
