#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace belfry::realtime {

/// An immutable text message, encoded once and shared by every socket it goes to. Its bytes carry the header of an
/// unmasked, final WebSocket text frame (RFC 6455, 5.2) in front, so that a WebSocket sends `wire()` and any other
/// carrier sends `text()`.
class Frame {
 public:
  explicit Frame(std::string_view text);
  std::string_view wire() const { return bytes_; }
  std::string_view text() const { return std::string_view(bytes_).substr(header_); }

 private:
  std::string bytes_;
  std::size_t header_;
};

using SharedFrame = std::shared_ptr<const Frame>;

inline SharedFrame make_frame(std::string_view text) { return std::make_shared<const Frame>(text); }

}  // namespace belfry::realtime
