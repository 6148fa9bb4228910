#include "ws_frames.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "belfry/realtime/frame.hpp"

namespace belfry::net {
namespace {

using dialects::CloseCode;
using Kind = ClientFrame::Kind;

constexpr std::uint8_t kContinuation = 0x0;
constexpr std::uint8_t kText = 0x1;
constexpr std::uint8_t kBinary = 0x2;
constexpr std::uint8_t kClose = 0x8;
constexpr std::uint8_t kPing = 0x9;
constexpr std::uint8_t kPong = 0xa;

constexpr std::uint8_t kFinalBit = 0x80;
constexpr std::uint8_t kReservedBits = 0x70;
constexpr std::uint8_t kOpcodeBits = 0x0f;
constexpr std::uint8_t kMaskBit = 0x80;
/// Also the longest payload whose length the header's second byte says itself.
constexpr std::size_t kMaxControlPayload = 125;
constexpr std::uint8_t kLength16 = 126;  ///< in its place: the length follows in two bytes; 127: in eight

bool is_control(std::uint8_t opcode) { return (opcode & 0x8) != 0; }

std::uint64_t big_endian(std::span<const char> bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

std::string_view view(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }

ClientFrame broken(CloseCode code) { return {.kind = Kind::kBroken, .code = std::to_underlying(code), .payload = {}}; }

/// The first byte of the mask belongs to the first of the bytes; afterwards to the one behind them.
void unmask(std::span<char> bytes, std::array<char, 4>& mask) {
  std::uint64_t wide = 0;
  std::memcpy(&wide, mask.data(), mask.size());
  std::memcpy(reinterpret_cast<char*>(&wide) + mask.size(), mask.data(), mask.size());
  std::size_t at = 0;
  for (std::uint64_t word = 0; bytes.size() - at >= sizeof(word); at += sizeof(word)) {
    std::memcpy(&word, bytes.data() + at, sizeof(word));
    word ^= wide;
    std::memcpy(bytes.data() + at, &word, sizeof(word));
  }
  for (; at < bytes.size(); ++at) bytes[at] = static_cast<char>(bytes[at] ^ mask[at % mask.size()]);
  std::ranges::rotate(mask, mask.begin() + static_cast<std::ptrdiff_t>(bytes.size() % mask.size()));
}

/// What a client may say in a close frame: the codes of RFC 6455, 7.4.1, those registered since that a client may have
/// echoed, and the ranges for libraries and applications.
bool may_be_sent(std::uint64_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1013) || (code >= 3000 && code <= 4999);
}

ClientFrame read_close(std::span<const char> payload) {
  if (payload.empty()) return {.kind = Kind::kClose};
  if (payload.size() < 2) return broken(CloseCode::kProtocolError);
  const auto code = big_endian(payload.first(2));
  Utf8Check reason;
  if (!may_be_sent(code) || !reason.add(view(payload.subspan(2))) || !reason.whole())
    return broken(CloseCode::kProtocolError);
  return {.kind = Kind::kClose, .code = static_cast<std::uint16_t>(code), .payload = {}};
}

std::string control_frame(std::uint8_t opcode, std::string_view payload) {
  const auto fits = payload.substr(0, kMaxControlPayload);
  std::string bytes{static_cast<char>(kFinalBit | opcode), static_cast<char>(fits.size())};
  return bytes.append(fits);
}

}  // namespace

struct FrameReader::Header {
  std::uint8_t opcode = 0;
  bool final = false;
  std::uint64_t length = 0;
  Mask mask{};
  std::size_t size = 0;  ///< 0: not all of it is there
};

bool FrameReader::may_come(std::uint8_t opcode, bool final) const {
  switch (opcode) {
    case kContinuation:
      return in_message_;
    case kText:
    case kBinary:
      return !in_message_;
    case kClose:
    case kPing:
    case kPong:
      return final;
    default:
      return false;
  }
}

// Each rule is looked at as soon as its bytes are there.
std::expected<FrameReader::Header, CloseCode> FrameReader::read_header(std::span<const char> bytes) const {
  Header header;
  if (bytes.empty()) return header;
  const auto first = static_cast<std::uint8_t>(bytes[0]);
  header.opcode = first & kOpcodeBits;
  header.final = (first & kFinalBit) != 0;
  if ((first & kReservedBits) != 0 || !may_come(header.opcode, header.final)) {
    return std::unexpected(CloseCode::kProtocolError);
  }
  if (bytes.size() < 2) return header;
  const auto second = static_cast<std::uint8_t>(bytes[1]);
  header.length = second & ~kMaskBit;
  if ((second & kMaskBit) == 0 || (is_control(header.opcode) && header.length > kMaxControlPayload)) {
    return std::unexpected(CloseCode::kProtocolError);
  }
  std::size_t at = 2;
  if (header.length > kMaxControlPayload) {
    const std::size_t width = header.length == kLength16 ? 2 : 8;
    if (bytes.size() < at + width) return header;
    header.length = big_endian(bytes.subspan(at, width));
    if (header.length <= (width == 2 ? kMaxControlPayload : 0xffff)) return std::unexpected(CloseCode::kProtocolError);
    at += width;
  }
  if (!is_control(header.opcode) && header.length > max_message_bytes_ - message_bytes_) {
    return std::unexpected(CloseCode::kTooBig);
  }
  if (bytes.size() < at + header.mask.size()) return header;
  std::ranges::copy(bytes.subspan(at, header.mask.size()), header.mask.begin());
  header.size = at + header.mask.size();
  return header;
}

ClientFrame FrameReader::next(std::span<char>& bytes) {
  if (std::exchange(delivered_, false)) std::string().swap(message_);
  while (true) {
    if (!in_frame_) {
      const auto header = read_header(bytes);
      if (!header) return broken(header.error());
      const bool control = is_control(header->opcode);
      if (header->size == 0 || (control && bytes.size() < header->size + header->length)) return {};
      bytes = bytes.subspan(header->size);
      if (control) return read_control(*header, bytes);
      begin_frame(*header);
    }
    const auto frame = read_payload(bytes);
    if (frame.kind != Kind::kNone || in_frame_) return frame;
  }
}

ClientFrame FrameReader::read_control(const Header& header, std::span<char>& bytes) {
  const auto payload = bytes.first(static_cast<std::size_t>(header.length));
  bytes = bytes.subspan(payload.size());
  auto mask = header.mask;
  unmask(payload, mask);
  if (header.opcode == kClose) return read_close(payload);
  return {.kind = header.opcode == kPing ? Kind::kPing : Kind::kPong, .code = 0, .payload = view(payload)};
}

void FrameReader::begin_frame(const Header& header) {
  if (!std::exchange(in_message_, true)) binary_ = header.opcode == kBinary;
  in_frame_ = true;
  final_ = header.final;
  left_ = static_cast<std::size_t>(header.length);
  message_bytes_ += left_;
  mask_ = header.mask;
}

// What came in one piece is given out as it lies.
ClientFrame FrameReader::read_payload(std::span<char>& bytes) {
  const auto piece = bytes.first(std::min(bytes.size(), left_));
  bytes = bytes.subspan(piece.size());
  left_ -= piece.size();
  unmask(piece, mask_);
  in_frame_ = left_ > 0;
  const bool complete = !in_frame_ && final_;
  if (!binary_ && (!utf8_.add(view(piece)) || (complete && !utf8_.whole()))) return broken(CloseCode::kInvalidPayload);
  if (complete) {
    in_message_ = false;
    message_bytes_ = 0;
  }
  const auto kind = binary_ ? Kind::kBinary : Kind::kText;
  if (complete && message_.empty()) return {.kind = kind, .code = 0, .payload = view(piece)};
  message_.append(piece.data(), piece.size());
  if (!complete) return {};
  delivered_ = true;
  return {.kind = kind, .code = 0, .payload = message_};
}

std::string binary_frame(std::string_view payload) {
  std::string bytes;
  realtime::append_text_header(bytes, payload.size());
  bytes.front() = static_cast<char>(kFinalBit | kBinary);
  return bytes.append(payload);
}

std::string pong_frame(std::string_view payload) { return control_frame(kPong, payload); }

std::string close_frame(std::uint16_t code, std::string_view reason) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return control_frame(kClose, payload.append(reason));
}

}  // namespace belfry::net
