#include "turn_flusher.hpp"

#include <chrono>
#include <exception>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "transport.hpp"

namespace belfry::net {
namespace {

using Clock = std::chrono::steady_clock;

/// A frame for ten thousand sockets leaves in several turns, so that reading goes on in between.
constexpr auto kMaxFlush = std::chrono::milliseconds(2);
constexpr std::size_t kFlushesPerLook = 32;
/// A send is long enough to bring the next but one from memory.
constexpr std::size_t kAhead = 2;
/// Below that a pass is over before anybody could wait for it.
constexpr std::size_t kLargePass = 64;

}  // namespace

void TurnFlusher::start() {
  loop_.at_turn_end([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->flush();
  });
}

void TurnFlusher::flush() {
  if (stopped_ || (flushing_.empty() && dirty_.empty())) return;
  // What a transport's owner queues while it is flushed waits for the next turn: no owner can hold the others up.
  const auto now = Clock::now();
  if (flushing_.empty()) {
    flushing_.swap(dirty_);
    began_ = now;
    if (flushing_.size() >= kLargePass) {
      pass_.running = true;
      ++pass_.number;
    }
  }
  const auto end = now + kMaxFlush;
  while (next_ < flushing_.size()) {
    if (next_ + kAhead < flushing_.size()) flushing_[next_ + kAhead]->prefetch();
    const auto transport = std::move(flushing_[next_++]);
    try {
      transport->flush();
    } catch (const std::exception& error) {
      telemetry::error("flush_failed", {{"what", error.what()}});
      transport->cut();
    }
    if (next_ % kFlushesPerLook == 0 && Clock::now() >= end) break;
  }
  if (next_ == flushing_.size()) {
    if (pass_.running) {
      const auto ended = Clock::now();
      pass_ = {.number = pass_.number, .ended = ended, .took = ended - began_, .sockets = flushing_.size()};
      loop_.post([] {});  // whoever waits for its end looks at the end of a turn
    }
    flushing_.clear();
    next_ = 0;
  }
  if (!flushing_.empty() || !dirty_.empty()) loop_.post([] {});
}

}  // namespace belfry::net
