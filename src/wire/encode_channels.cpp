#include "belfry/wire/json.hpp"
#include "wire/encode.hpp"
#include "wire/names.hpp"

namespace belfry::wire {
namespace {

std::optional<std::string> post_id_text(const std::optional<core::PostId>& id) {
  if (!id) return std::nullopt;
  return std::to_string(id->value);
}

void write_standing(JsonWriter& out, bool joined, bool locked) {
  out.field("isJoined", joined);
  out.field("isLocked", locked);
}

template <class Item>
std::string next_cursor(const Item& last) {
  return encode_cursor({last.created_at, last.id});
}

}  // namespace

void write_channel_fields(JsonWriter& out, const domain::Channel& channel) {
  out.field("id", channel.id);
  out.field("kind", name_of(kChannelKindNames, channel.kind));
  out.field("accessPolicy", name_of(kAccessPolicyNames, channel.access_policy));
  out.field("status", name_of(kChannelStatusNames, channel.status));
  out.field("visibility", name_of(kVisibilityNames, channel.visibility));
  out.field("title", channel.title);
  out.field("description", channel.description);
  out.field("createdAt", channel.created_at);
  out.field("updatedAt", channel.updated_at);
}

std::string encode_channel_view(const domain::ChannelView& view) {
  JsonWriter out;
  out.begin_object();
  write_channel_fields(out, view.channel);
  write_standing(out, view.joined, view.locked);
  out.end_object();
  return std::move(out).text();
}

std::string encode_channel_list(const domain::Page<domain::ChannelListItem>& page, std::int32_t limit, bool logged_in) {
  return encode_list(
      page.items, page.has_more, limit,
      [&](JsonWriter& out, const domain::ChannelListItem& item) {
        write_channel_fields(out, item.channel);
        write_standing(out, item.joined, item.locked);
        if (!logged_in) return;
        // A locked shell tells nothing about what is inside.
        out.field("unreadCount", item.locked ? 0 : item.unread_count);
        out.field("lastPostId", item.locked ? std::nullopt : post_id_text(item.last_post_id));
      },
      [&](JsonWriter& out) {
        if (page.has_more) out.field("next_cursor", next_cursor(page.items.back().channel));
      });
}

namespace {

void write_admin_fields(JsonWriter& out, const domain::Channel& channel) {
  write_channel_fields(out, channel);
  out.field("entitlementKey", channel.entitlement_key);
  out.field("createdByAdminId", channel.created_by);
}

}  // namespace

std::string encode_channel_admin(const domain::Channel& channel) {
  JsonWriter out;
  out.begin_object();
  write_admin_fields(out, channel);
  out.end_object();
  return std::move(out).text();
}

std::string encode_channel_admin_list(const domain::Page<domain::Channel>& page, std::int32_t limit) {
  return encode_list(
      page.items, page.has_more, limit,
      [](JsonWriter& out, const domain::Channel& channel) { write_admin_fields(out, channel); },
      [&](JsonWriter& out) {
        if (page.has_more) out.field("next_cursor", next_cursor(page.items.back()));
      });
}

std::string encode_membership(const domain::Membership& membership) {
  JsonWriter out;
  out.begin_object();
  out.field("channelId", membership.channel_id);
  out.field("isJoined", membership.joined);
  out.field("joinedAt", membership.joined_at);
  out.field("leftAt", membership.left_at);
  out.end_object();
  return std::move(out).text();
}

std::string encode_read_state(const domain::ReadState& state) {
  JsonWriter out;
  out.begin_object();
  out.field("channelId", state.channel_id);
  out.field("lastSeenPostId", std::to_string(state.last_seen_post_id.value));
  out.field("lastSeenAt", state.last_seen_at);
  out.field("unreadCount", state.unread_count);
  out.end_object();
  return std::move(out).text();
}

}  // namespace belfry::wire
