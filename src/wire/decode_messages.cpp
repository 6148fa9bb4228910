#include "belfry/wire/json.hpp"
#include "wire/fields.hpp"

namespace belfry::wire {
namespace {

constexpr core::TextRules kMessageRules{.min_characters = 1, .max_characters = 4000};
constexpr core::TextRules kReasonRules{.min_characters = 1, .max_characters = 500};
constexpr std::size_t kMaxClientMessageId = 64;

struct EditBody {
  std::string body;
};
struct ReadBody {
  core::PostId seen;
};
struct EmptyBody {};

constexpr Field<MessageBody> kCreateMessage[] = {
    {"body", true,
     [](MessageBody& c, const Value& v, const FieldContext& at) { assign(c.body, read_text(v, at, kMessageRules)); }},
    {"clientMessageId", false,
     [](MessageBody& c, const Value& v, const FieldContext& at) {
       auto id = read_string(v, at);
       if (id && !core::is_visible_ascii(*id, 1, kMaxClientMessageId)) {
         return at.refuse("must be 1 to 64 visible ASCII characters");
       }
       c.client_message_id = std::move(id);
     }},
};

constexpr Field<EditBody> kEditMessage[] = {
    {"body", true,
     [](EditBody& c, const Value& v, const FieldContext& at) { assign(c.body, read_text(v, at, kMessageRules)); }},
};

constexpr Field<ReadBody> kReadState[] = {
    {"last_seen_post_id", true,
     [](ReadBody& c, const Value& v, const FieldContext& at) {
       const auto id = v.is(Value::Kind::kString) ? core::parse_non_negative_decimal(v.text) : std::nullopt;
       if (!id) return at.refuse("must be a non-negative integer as a string");
       c.seen.value = *id;
     }},
};

constexpr Field<domain::Sanctioning> kSanction[] = {
    {"reason", false,
     [](domain::Sanctioning& c, const Value& v, const FieldContext& at) {
       read_optional(c.reason, v, [&] { return read_text(v, at, kReasonRules); });
     }},
    {"until", false,
     [](domain::Sanctioning& c, const Value& v, const FieldContext& at) {
       read_optional(c.until, v, [&] { return read_time(v, at); });
     }},
};

constexpr Field<domain::Grant> kGrant[] = {
    {"validFrom", false,
     [](domain::Grant& c, const Value& v, const FieldContext& at) {
       read_optional(c.valid_from, v, [&] { return read_time(v, at); });
     }},
    {"validUntil", false,
     [](domain::Grant& c, const Value& v, const FieldContext& at) {
       read_optional(c.valid_until, v, [&] { return read_time(v, at); });
     }},
};

void check_grant(const domain::Grant& grant, Issues& issues) {
  if (grant.valid_from && grant.valid_until && *grant.valid_until <= *grant.valid_from) {
    issues.add("validUntil", "must be later than validFrom");
  }
}

/// Where every field is optional, zero bytes are an object without fields.
std::string_view or_empty_object(std::string_view body) { return body.empty() ? "{}" : body; }

}  // namespace

Result<MessageBody> decode_create_message(std::string_view body) {
  return decode_body<MessageBody>(body, kCreateMessage);
}

Result<std::string> decode_edit_message(std::string_view body) {
  auto decoded = decode_body<EditBody>(body, kEditMessage);
  if (!decoded) return core::fail(std::move(decoded.error()));
  return std::move(decoded->body);
}

Result<core::PostId> decode_read_state(std::string_view body) {
  auto decoded = decode_body<ReadBody>(body, kReadState);
  if (!decoded) return core::fail(std::move(decoded.error()));
  return decoded->seen;
}

Result<domain::Sanctioning> decode_sanction(std::string_view body) {
  return decode_body<domain::Sanctioning>(or_empty_object(body), kSanction);
}

Result<domain::Grant> decode_grant(std::string_view body) {
  return decode_body<domain::Grant>(or_empty_object(body), kGrant, check_grant);
}

Result<void> decode_empty(std::string_view body) {
  auto decoded = decode_body<EmptyBody>(or_empty_object(body), std::span<const Field<EmptyBody>>{});
  if (!decoded) return core::fail(std::move(decoded.error()));
  return {};
}

}  // namespace belfry::wire
