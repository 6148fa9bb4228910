#include "http/pages.hpp"

#include "belfry/wire/json.hpp"

namespace belfry::http {
namespace {

using core::Error;

template <class Id>
std::optional<Id> as_id(const std::optional<std::int64_t>& value) {
  if (!value) return std::nullopt;
  return Id{*value};
}

Error both_cursors() {
  Error error = Error::invalid("after_id", "must not be sent together with before_id");
  error.details.push_back({"before_id", "must not be sent together with after_id"});
  return error;
}

template <class Id>
std::string part(std::string_view name, const std::optional<Id>& id) {
  return id ? std::string(name) + std::to_string(id->value) : std::string{};
}

}  // namespace

std::string page_name(const domain::ListPosts& page) {
  return "posts" + part(" after ", page.after) + part(" before ", page.before) + (page.pinned_only ? " pinned" : "") +
         " limit " + std::to_string(page.limit);
}

std::string page_name(const domain::ListMessages& page) {
  return "messages" + part(" before ", page.before) + " limit " + std::to_string(page.limit);
}

Result<domain::ListPosts> read_post_page(std::string_view query, core::ChannelId channel) {
  const auto after = query_id(query, "after_id");
  if (!after) return core::fail(after.error());
  const auto before = query_id(query, "before_id");
  if (!before) return core::fail(before.error());
  if (*after && *before) return core::fail(both_cursors());
  const auto limit = query_limit(query);
  if (!limit) return core::fail(limit.error());
  const auto pinned = query_value(query, "pinned");
  if (!pinned) return core::fail(pinned.error());
  if (*pinned && **pinned != "true") return core::fail(Error::invalid("pinned", "must be true or absent"));

  domain::ListPosts page;
  page.channel_id = channel;
  page.after = as_id<core::PostId>(*after);
  page.before = as_id<core::PostId>(*before);
  page.pinned_only = pinned->has_value();
  page.limit = *limit;
  return page;
}

Result<domain::ListMessages> read_message_page(std::string_view query, core::ChannelId channel) {
  const auto before = query_id(query, "before_id");
  if (!before) return core::fail(before.error());
  const auto limit = query_limit(query);
  if (!limit) return core::fail(limit.error());
  return domain::ListMessages{channel, as_id<core::MessageId>(*before), *limit};
}

Result<std::optional<domain::PageCursor>> read_channel_cursor(std::string_view query) {
  const auto text = query_value(query, "cursor");
  if (!text) return core::fail(text.error());
  if (!*text) return std::nullopt;
  const auto cursor = wire::decode_cursor(**text);
  if (!cursor) return core::fail(cursor.error());
  return *cursor;
}

}  // namespace belfry::http
