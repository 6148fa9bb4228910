#include "turn_flusher.hpp"

#include <exception>
#include <utility>

#include "belfry/telemetry/log.hpp"
#include "transport.hpp"

namespace belfry::net {

void TurnFlusher::start() {
  loop_.at_turn_end([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->flush();
  });
}

void TurnFlusher::flush() {
  if (dirty_.empty() || stopped_) return;
  // What a transport's owner queues while it is flushed waits for the next turn: no owner can hold the others up.
  flushing_.swap(dirty_);
  for (const auto& transport : flushing_) {
    try {
      transport->flush();
    } catch (const std::exception& error) {
      telemetry::error("flush_failed", {{"what", error.what()}});
      transport->cut();
    }
  }
  flushing_.clear();
  if (!dirty_.empty()) loop_.post([] {});
}

}  // namespace belfry::net
