#include "belfry/realtime/frame.hpp"

#include <utility>

namespace belfry::realtime {

namespace {

constexpr char kFinalText = static_cast<char>(0x81);
constexpr std::size_t kLongestShort = 125;
constexpr std::size_t kLongest16 = 0xffff;

void put_big_endian(std::string& bytes, std::uint64_t value, int width) {
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>((value >> shift) & 0xff));
}

std::size_t header_size(std::size_t length) {
  if (length <= kLongestShort) return 2;
  return length <= kLongest16 ? 4 : 10;
}

}  // namespace

Frame::Frame(std::string_view text) : header_(header_size(text.size())) {
  bytes_.reserve(header_ + text.size());
  bytes_.push_back(kFinalText);
  if (header_ == 2) {
    bytes_.push_back(static_cast<char>(text.size()));
  } else if (header_ == 4) {
    bytes_.push_back(126);
    put_big_endian(bytes_, text.size(), 2);
  } else {
    bytes_.push_back(127);
    put_big_endian(bytes_, text.size(), 8);
  }
  bytes_.append(text);
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
