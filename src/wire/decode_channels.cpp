#include "belfry/wire/json.hpp"
#include "wire/fields.hpp"

namespace belfry::wire {
namespace {

constexpr core::TextRules kTitleRules{.min_characters = 1, .max_characters = 120, .single_line = true};
constexpr core::TextRules kDescriptionRules{.min_characters = 0, .max_characters = 2000};
constexpr std::int64_t kMaxSlowModeSeconds = 21600;

using domain::CreateChannel;
using domain::PutDiscussion;
using domain::UpdateChannel;

constexpr Field<CreateChannel> kCreateChannel[] = {
    {"kind", true,
     [](CreateChannel& c, const Value& v, const FieldContext& at) {
       assign(c.kind, read_name(v, at, kChannelKindNames));
     }},
    {"title", true,
     [](CreateChannel& c, const Value& v, const FieldContext& at) { assign(c.title, read_text(v, at, kTitleRules)); }},
    {"accessPolicy", false,
     [](CreateChannel& c, const Value& v, const FieldContext& at) {
       assign(c.access_policy, read_name(v, at, kAccessPolicyNames));
     }},
    {"status", false,
     [](CreateChannel& c, const Value& v, const FieldContext& at) {
       assign(c.status, read_name(v, at, kChannelStatusNames));
     }},
    {"visibility", false,
     [](CreateChannel& c, const Value& v, const FieldContext& at) {
       assign(c.visibility, read_name(v, at, kVisibilityNames));
     }},
    {"description", false,
     [](CreateChannel& c, const Value& v, const FieldContext& at) {
       read_optional(c.description, v, [&] { return read_text(v, at, kDescriptionRules); });
     }},
    {"entitlementKey", false,
     [](CreateChannel& c, const Value& v, const FieldContext& at) {
       read_optional(c.entitlement_key, v, [&] { return read_key(v, at); });
     }},
};

void check_create_channel(const CreateChannel& command, Issues& issues) {
  const bool gated = command.access_policy == domain::AccessPolicy::kExternalGated;
  if (gated && !command.entitlement_key) issues.add("entitlementKey", "is required for a gated channel");
  if (!gated && command.entitlement_key) issues.add("entitlementKey", "is allowed for a gated channel only");
}

constexpr Field<UpdateChannel> kUpdateChannel[] = {
    {"kind", false,
     [](UpdateChannel& c, const Value& v, const FieldContext& at) { c.kind = read_name(v, at, kChannelKindNames); }},
    {"title", false,
     [](UpdateChannel& c, const Value& v, const FieldContext& at) { c.title = read_text(v, at, kTitleRules); }},
    {"accessPolicy", false,
     [](UpdateChannel& c, const Value& v, const FieldContext& at) {
       c.access_policy = read_name(v, at, kAccessPolicyNames);
     }},
    {"status", false,
     [](UpdateChannel& c, const Value& v, const FieldContext& at) {
       c.status = read_name(v, at, kChannelStatusNames);
     }},
    {"visibility", false,
     [](UpdateChannel& c, const Value& v, const FieldContext& at) {
       c.visibility = read_name(v, at, kVisibilityNames);
     }},
    {"description", false,
     [](UpdateChannel& c, const Value& v, const FieldContext& at) {
       read_nullable(c.description, v, [&] { return read_text(v, at, kDescriptionRules); });
     }},
    {"entitlementKey", false,
     [](UpdateChannel& c, const Value& v, const FieldContext& at) {
       read_nullable(c.entitlement_key, v, [&] { return read_key(v, at); });
     }},
};

constexpr Field<PutDiscussion> kPutDiscussion[] = {
    {"title", false,
     [](PutDiscussion& c, const Value& v, const FieldContext& at) { c.title = read_text(v, at, kTitleRules); }},
    {"isEnabled", false,
     [](PutDiscussion& c, const Value& v, const FieldContext& at) { c.is_enabled = read_bool(v, at); }},
    {"requiredFeatureKey", false,
     [](PutDiscussion& c, const Value& v, const FieldContext& at) {
       read_nullable(c.required_feature_key, v, [&] { return read_key(v, at); });
     }},
    {"slowModeEnabled", false,
     [](PutDiscussion& c, const Value& v, const FieldContext& at) { c.slow_mode_enabled = read_bool(v, at); }},
    {"slowModeIntervalSeconds", false,
     [](PutDiscussion& c, const Value& v, const FieldContext& at) {
       read_nullable(c.slow_mode_interval_seconds, v, [&]() -> std::optional<std::int32_t> {
         const auto seconds = read_integer(v, at, 1, kMaxSlowModeSeconds);
         if (!seconds) return std::nullopt;
         return static_cast<std::int32_t>(*seconds);
       });
     }},
};

}  // namespace

Result<domain::CreateChannel> decode_create_channel(std::string_view body) {
  return decode_body<CreateChannel>(body, kCreateChannel, check_create_channel);
}

Result<domain::UpdateChannel> decode_update_channel(std::string_view body) {
  return decode_body<UpdateChannel>(body, kUpdateChannel);
}

Result<domain::PutDiscussion> decode_put_discussion(std::string_view body) {
  return decode_body<PutDiscussion>(body, kPutDiscussion);
}

}  // namespace belfry::wire
