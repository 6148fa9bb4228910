#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::realtime {

class Frame;
using SharedFrame = std::shared_ptr<const Frame>;

/// An immutable text message, or several that leave together, encoded once and shared by every socket it goes to. Each
/// message has the header of an unmasked, final WebSocket text frame (RFC 6455, 5.2) in front, so that a WebSocket
/// sends `wire()` in one piece and any other carrier sends the text of each message.
class Frame {
 public:
  explicit Frame(std::string_view text);
  /// Messages one after another; each of them is a single one.
  explicit Frame(std::vector<SharedFrame> messages);

  std::string_view wire() const { return bytes_; }
  std::size_t count() const { return messages_.empty() ? 1 : messages_.size(); }
  std::string_view text(std::size_t index = 0) const {
    return messages_.empty() ? std::string_view(bytes_).substr(header_) : messages_[index]->text();
  }

 private:
  std::string bytes_;
  std::size_t header_ = 0;
  std::vector<SharedFrame> messages_;  ///< empty: this is one message itself
};

inline SharedFrame make_frame(std::string_view text) { return std::make_shared<const Frame>(text); }
/// One frame is itself; otherwise their bytes are copied side by side.
SharedFrame join_frames(std::vector<SharedFrame> messages);

}  // namespace belfry::realtime
