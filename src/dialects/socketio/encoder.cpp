#include "dialects/socketio/encoder.hpp"

#include <array>

#include "dialects/socketio/messages.hpp"

namespace belfry::dialects::socketio {

realtime::SharedFrame Encoder::encode(const domain::Event& event) const {
  const auto room = target_of(event);
  const std::array<RoomPosition, 1> positions{{{room, event.id}}};
  const auto body = event_body(event, attachment_url_base_);
  const auto tail = event_tail(key_.codec().encode_offset(positions));
  return realtime::make_frame(
      {.head = {}, .body = body, .tail = tail, .mark = realtime::Mark{room.kind, room.channel_id, event.id}});
}

}  // namespace belfry::dialects::socketio
