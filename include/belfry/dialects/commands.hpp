#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace belfry::dialects {

/// What holds for the room commands of one connection, in whatever dialect it speaks them.
struct CommandOptions {
  std::string attachment_url_base;
  int command_burst = 50;  ///< bucket per connection
  int command_rate = 20;   ///< refill per second
  std::size_t max_rooms = 200;
  int max_bad_frames = 20;  ///< in a row
  std::chrono::seconds login_timeout{10};
  std::chrono::seconds expiry_notice{60};
};

}  // namespace belfry::dialects
