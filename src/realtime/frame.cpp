#include "belfry/realtime/frame.hpp"

#include <utility>

namespace belfry::realtime {

namespace {

constexpr char kFinalText = static_cast<char>(0x81);
constexpr std::size_t kLongestShort = 125;
constexpr std::size_t kLongest16 = 0xffff;
constexpr std::size_t kShortHeader = 2;
constexpr std::size_t kHeader16 = 4;
constexpr std::size_t kHeader64 = 10;

void put_big_endian(std::string& bytes, std::uint64_t value, int width) {
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>((value >> shift) & 0xff));
}

std::size_t header_size(std::size_t length) {
  if (length <= kLongestShort) return kShortHeader;
  return length <= kLongest16 ? kHeader16 : kHeader64;
}

}  // namespace

void append_text_header(std::string& bytes, std::size_t length) {
  bytes.push_back(kFinalText);
  switch (header_size(length)) {
    case kShortHeader:
      return bytes.push_back(static_cast<char>(length));
    case kHeader16:
      bytes.push_back(126);
      return put_big_endian(bytes, length, 2);
    default:
      bytes.push_back(127);
      return put_big_endian(bytes, length, 8);
  }
}

Frame::Frame(std::string_view text) : Frame(FrameParts{.head = {}, .body = text, .tail = {}, .mark = {}}) {}

Frame::Frame(const FrameParts& parts) : mark_(parts.mark) {
  const auto length = parts.head.size() + parts.body.size() + parts.tail.size();
  header_ = header_size(length);
  body_ = header_ + parts.head.size();
  tail_ = body_ + parts.body.size();
  bytes_.reserve(header_ + length);
  append_text_header(bytes_, length);
  bytes_.append(parts.head).append(parts.body).append(parts.tail);
}

Frame::Frame(std::vector<SharedFrame> messages) : messages_(std::move(messages)) {
  std::size_t size = 0;
  for (const auto& message : messages_) size += message->wire().size();
  bytes_.reserve(size);
  for (const auto& message : messages_) bytes_.append(message->wire());
}

SharedFrame join_frames(std::vector<SharedFrame> messages) {
  if (messages.size() == 1) return std::move(messages.front());
  return std::make_shared<const Frame>(std::move(messages));
}

}  // namespace belfry::realtime
