#pragma once

#include "belfry/core/error.hpp"
#include "belfry/core/time.hpp"
#include "belfry/domain/actor.hpp"
#include "belfry/domain/events.hpp"
#include "belfry/realtime/frame.hpp"
#include "belfry/telemetry/metrics.hpp"

namespace belfry::realtime {

/// A dialect's pure function from event to frame. One object per dialect, shared by all its sessions; the hub encodes
/// an event once per encoder and room.
class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual SharedFrame encode(const domain::Event& event) const = 0;
  /// The dialect that its frames are counted for.
  virtual telemetry::EventDialect dialect() const = 0;
};

/// One member of rooms: a dialect's session, not its socket. All calls are on the I/O thread; none may destroy the
/// subscriber or call back into the hub for the same room, except `Hub::remove` later from its own turn.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  virtual const domain::Actor& actor() const = 0;
  virtual const Encoder& encoder() const = 0;
  /// False while its queue is over the limit: then the hub keeps only "behind since" and refills after `Hub::drained`.
  virtual bool writable() const = 0;
  /// One message or several that leave together, all of one room, at `now` by the hub's clock: all that one event does
  /// for thousands of members happens in one moment. False: not taken, for it is not writable.
  virtual bool deliver(const SharedFrame& frame, core::TimePoint now) = 0;
  /// The last thing the subscriber hears of this room.
  virtual void room_left(const domain::RoomKey& room, core::Reason reason) = 0;
};

}  // namespace belfry::realtime
