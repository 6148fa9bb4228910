#pragma once

#include <string>
#include <string_view>

#include "belfry/domain/messages.hpp"
#include "belfry/domain/posts.hpp"
#include "http/query.hpp"

/// The page parameters that mobile and admin lists share.
namespace belfry::http {

/// `after_id` or `before_id` (not both), `limit`, `pinned`.
Result<domain::ListPosts> read_post_page(std::string_view query, core::ChannelId channel);
/// What such a page depends on besides its room, as a name for it.
std::string page_name(const domain::ListPosts& page);
std::string page_name(const domain::ListMessages& page);
/// `before_id`, `limit`.
Result<domain::ListMessages> read_message_page(std::string_view query, core::ChannelId channel);
/// `cursor` of a channel list.
Result<std::optional<domain::PageCursor>> read_channel_cursor(std::string_view query);

}  // namespace belfry::http
