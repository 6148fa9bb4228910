#include <array>

#include "belfry/wire/json.hpp"
#include "wire/value.hpp"
#include "wire/writer.hpp"

namespace belfry::wire {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kMaxCursorCharacters = 256;

std::string to_base64url(std::string_view bytes) {
  std::string out;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    held = (held << 8U) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += kAlphabet[(held >> bits) & 0x3FU];
    }
  }
  if (bits > 0) out += kAlphabet[(held << (6 - bits)) & 0x3FU];
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const auto digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    held = (held << 6U) | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((held >> bits) & 0xFFU);
    }
  }
  return out;
}

std::optional<domain::PageCursor> read_cursor(std::string_view text) {
  if (text.empty() || text.size() > kMaxCursorCharacters) return std::nullopt;
  const auto json = from_base64url(text);
  if (!json) return std::nullopt;
  const auto object = parse_object(*json, "cursor");
  if (!object) return std::nullopt;
  const Value* at = object->find("createdAt");
  const Value* id = object->find("id");
  if (at == nullptr || !at->is(Value::Kind::kString) || id == nullptr || !id->is(Value::Kind::kInteger)) {
    return std::nullopt;
  }
  const auto time = core::parse_iso8601(at->text);
  if (!time || id->integer <= 0) return std::nullopt;
  return domain::PageCursor{*time, {id->integer}};
}

}  // namespace

std::string encode_cursor(const domain::PageCursor& cursor) {
  JsonWriter out;
  out.begin_object();
  out.field("createdAt", cursor.at);
  out.field("id", cursor.id);
  out.end_object();
  return to_base64url(std::move(out).text());
}

Result<domain::PageCursor> decode_cursor(std::string_view text) {
  const auto cursor = read_cursor(text);
  // Only the very text this server gives out is a cursor: no second spelling of the same position.
  if (cursor && encode_cursor(*cursor) == text) return *cursor;
  return core::fail(core::Error::invalid("cursor", "is not a cursor of this list"));
}

}  // namespace belfry::wire
