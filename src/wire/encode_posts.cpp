#include <algorithm>

#include "belfry/wire/json.hpp"
#include "wire/encode.hpp"
#include "wire/names.hpp"

namespace belfry::wire {
namespace {

/// Percent-encodes everything but unreserved characters (RFC 3986, 2.3) and the slashes between segments.
std::string encode_path(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "-._~/";
  std::string out;
  out.reserve(path.size());
  for (const char c : path) {
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric || kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[(static_cast<unsigned char>(c) >> 4U) & 0xFU];
      out += kHex[static_cast<unsigned char>(c) & 0xFU];
    }
  }
  return out;
}

std::optional<std::string> attachment_url(std::string_view storage_key, std::string_view base) {
  if (base.empty()) return std::nullopt;
  while (base.ends_with('/')) base.remove_suffix(1);
  return std::string(base) + "/" + encode_path(storage_key);
}

}  // namespace

void write_attachments(JsonWriter& out, const std::vector<domain::Attachment>& attachments, std::string_view url_base) {
  out.begin_array();
  for (const auto& attachment : attachments) {
    out.begin_object();
    out.field("id", attachment.id);
    out.field("storageKey", attachment.storage_key);
    out.field("url", attachment_url(attachment.storage_key, url_base));
    out.field("fileName", attachment.file_name);
    out.field("mimeType", attachment.mime_type);
    out.field("sizeBytes", attachment.size_bytes);
    out.field("displayOrder", attachment.display_order);
    out.end_object();
  }
  out.end_array();
}

void write_chart(JsonWriter& out, const std::optional<std::string>& chart) {
  if (chart) {
    out.raw(*chart);
  } else {
    out.null();
  }
}

void write_post_fields(JsonWriter& out, const domain::Post& post, std::string_view url_base, bool masked) {
  out.field("id", std::to_string(post.id.value));
  out.field("channelId", post.channel_id);
  out.field("publishedAt", post.published_at);
  out.field("createdByAdminId", post.created_by);
  out.field("type", name_of(kPostTypeNames, post.type));
  out.field("bodyText", post.body_text);
  out.field("linkUrl", post.link_url);
  out.key("chartPayloadJson");
  write_chart(out, post.chart_payload_json);
  out.field("isPinned", post.is_pinned);
  out.field("pinnedAt", post.pinned_at);
  out.field("isDeleted", post.deleted() || masked);
  out.field("deletedAt", post.deleted_at);
  out.key("attachments");
  write_attachments(out, post.attachments, url_base);
  out.field("createdAt", post.created_at);
  out.field("updatedAt", post.updated_at);
}

std::string encode_post(const domain::Post& post, std::string_view url_base) {
  JsonWriter out;
  out.begin_object();
  write_post_fields(out, post, url_base);
  out.end_object();
  return std::move(out).text();
}

std::string encode_post_list(const domain::Page<domain::Post>& page, std::int32_t limit, std::string_view url_base) {
  return encode_list(
      page.items, page.has_more, limit,
      [&](JsonWriter& out, const domain::Post& post) { write_post_fields(out, post, url_base); },
      [&](JsonWriter& out) {
        const auto [oldest, newest] = std::ranges::minmax(page.items, {}, &domain::Post::id);
        out.field("next_after_id", std::to_string(newest.id.value));
        out.field("next_before_id", std::to_string(oldest.id.value));
      });
}

}  // namespace belfry::wire
