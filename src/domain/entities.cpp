#include "belfry/domain/entities.hpp"

namespace belfry::domain {

void Post::mask() {
  body_text.reset();
  link_url.reset();
  chart_payload_json.reset();
  attachments.clear();
}

void Message::mask() {
  body.clear();
  masked = true;
}

}  // namespace belfry::domain
