#include "dialects/native/encoder.hpp"

#include "belfry/wire/events.hpp"
#include "belfry/wire/frames.hpp"
#include "belfry/wire/json.hpp"

namespace belfry::dialects::native {

realtime::SharedFrame Encoder::encode(const domain::Event& event) const {
  std::string text = "{\"event\":\"communication.";
  text += domain::event_type_name(event.type);
  text += "\",\"room\":";
  text += wire::json_string(wire::room_name(event.room));
  text += ",\"prevEventId\":";
  text += event.prev_visible_id ? wire::json_string(event.prev_visible_id->value.text()) : "null";
  text += ",\"data\":";
  text += wire::encode_envelope(event, attachment_url_base_);
  text += '}';
  return realtime::make_frame(text);
}

}  // namespace belfry::dialects::native
