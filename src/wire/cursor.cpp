#include "belfry/core/base64.hpp"
#include "belfry/wire/json.hpp"
#include "belfry/wire/value.hpp"
#include "wire/writer.hpp"

namespace belfry::wire {
namespace {

constexpr std::size_t kMaxCursorCharacters = 256;

std::optional<domain::PageCursor> read_cursor(std::string_view text) {
  if (text.empty() || text.size() > kMaxCursorCharacters) return std::nullopt;
  const auto json = core::decode_base64url(text);
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
  return core::encode_base64url(std::move(out).text());
}

Result<domain::PageCursor> decode_cursor(std::string_view text) {
  const auto cursor = read_cursor(text);
  // Only the very text this server gives out is a cursor: no second spelling of the same position.
  if (cursor && encode_cursor(*cursor) == text) return *cursor;
  return core::fail(core::Error::invalid("cursor", "is not a cursor of this list"));
}

}  // namespace belfry::wire
