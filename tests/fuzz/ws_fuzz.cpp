// Hostile bytes as WebSocket frames: no crash, and the same messages and the same end however the bytes are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "belfry/core/text.hpp"
#include "net/ws_frames.hpp"

namespace {

using belfry::net::ClientFrame;
using belfry::net::FrameReader;
using Kind = ClientFrame::Kind;

constexpr std::size_t kMaxMessage = 200;
constexpr std::size_t kMaxUnused = 130;

void check(bool holds) {
  if (!holds) std::abort();
}

void note(const ClientFrame& frame, std::string& out) {
  out += std::to_string(static_cast<int>(frame.kind)) + ":" + std::to_string(frame.code) + ":";
  out.append(frame.payload);
  out += '\n';
  if (frame.kind == Kind::kText) check(frame.payload.size() <= kMaxMessage && belfry::core::is_utf8(frame.payload));
  if (frame.kind == Kind::kBinary) check(frame.payload.size() <= kMaxMessage);
  if (frame.kind == Kind::kPing) check(frame.payload.size() <= 125);
}

std::string transcript(std::string_view bytes, std::size_t step) {
  FrameReader reader{kMaxMessage};
  std::string out;
  std::string left;
  while (!bytes.empty()) {
    left.append(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    std::span<char> unread(left);
    for (auto frame = reader.next(unread); frame.kind != Kind::kNone; frame = reader.next(unread)) {
      note(frame, out);
      if (frame.kind == Kind::kClose || frame.kind == Kind::kBroken) return out;
    }
    check(unread.size() <= kMaxUnused);
    left = std::string(unread.begin(), unread.end());
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = transcript(bytes, size + 1);
  if (transcript(bytes, 1) != whole || transcript(bytes, 7) != whole) std::abort();
  return 0;
}
