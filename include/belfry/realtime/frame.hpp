#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/core/ids.hpp"
#include "belfry/domain/rooms.hpp"

namespace belfry::realtime {

class Frame;
using SharedFrame = std::shared_ptr<const Frame>;

/// How far whoever has seen a message has come: the room as a join names it, by its channel, and the event.
struct Mark {
  domain::RoomKind kind = domain::RoomKind::kPosts;
  core::ChannelId channel_id;
  core::EventId event;
  friend bool operator==(const Mark&, const Mark&) = default;
};

/// One message's text: head, body and tail side by side. The body is the same for every socket; head and tail are those
/// that are right for most of them.
struct FrameParts {
  std::string_view head;
  std::string_view body;
  std::string_view tail;
  std::optional<Mark> mark;  ///< absent when the dialect keeps no account of it
};

/// An immutable text message, or several that leave together, encoded once and shared by every socket it goes to. Each
/// message has the header of an unmasked, final WebSocket text frame (RFC 6455, 5.2) in front, so that a WebSocket
/// sends `wire()` in one piece, any other carrier sends the text of each message, and a socket that needs a tail of its
/// own shares the head and the body of each.
class Frame {
 public:
  /// All of it is body.
  explicit Frame(std::string_view text);
  explicit Frame(const FrameParts& parts);
  /// Messages one after another; each of them is a single one.
  explicit Frame(std::vector<SharedFrame> messages);

  std::string_view wire() const { return bytes_; }
  std::size_t count() const { return messages_.empty() ? 1 : messages_.size(); }
  std::string_view text(std::size_t index = 0) const {
    return messages_.empty() ? std::string_view(bytes_).substr(header_) : messages_[index]->text();
  }
  std::string_view head(std::size_t index = 0) const {
    return messages_.empty() ? std::string_view(bytes_).substr(header_, body_ - header_) : messages_[index]->head();
  }
  std::string_view body(std::size_t index = 0) const {
    return messages_.empty() ? std::string_view(bytes_).substr(body_, tail_ - body_) : messages_[index]->body();
  }
  const std::optional<Mark>& mark(std::size_t index = 0) const {
    return messages_.empty() ? mark_ : messages_[index]->mark();
  }

 private:
  std::string bytes_;
  std::size_t header_ = 0;
  std::vector<SharedFrame> messages_;  ///< empty: this is one message itself
  std::size_t body_ = 0;               ///< where it begins
  std::size_t tail_ = 0;
  std::optional<Mark> mark_;
};

inline SharedFrame make_frame(std::string_view text) { return std::make_shared<const Frame>(text); }
inline SharedFrame make_frame(const FrameParts& parts) { return std::make_shared<const Frame>(parts); }
/// One frame is itself; otherwise their bytes are copied side by side.
SharedFrame join_frames(std::vector<SharedFrame> messages);

/// Appends the header of an unmasked, final WebSocket text frame of so many bytes.
void append_text_header(std::string& bytes, std::size_t length);

}  // namespace belfry::realtime
