#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "belfry/domain/entities.hpp"
#include "belfry/wire/json.hpp"
#include "wire/writer.hpp"

/// Pieces of answers that lists, events and answers share. A `write_…_fields` writes into an object that is open.
namespace belfry::wire {

void write_channel_fields(JsonWriter& out, const domain::Channel& channel);
/// `masked`: the post is deleted at the reader's snapshot although this image of it is older.
void write_post_fields(JsonWriter& out, const domain::Post& post, std::string_view url_base, bool masked = false);
void write_attachments(JsonWriter& out, const std::vector<domain::Attachment>& attachments, std::string_view url_base);
/// `chartPayloadJson` as JSON, not as a string.
void write_chart(JsonWriter& out, const std::optional<std::string>& chart);
void write_message_fields(JsonWriter& out, const domain::Message& message, MessageView view);
void write_sanction_fields(JsonWriter& out, const domain::Sanction& sanction);

/// `{"items":[…],"cursor":{…},"limit","has_more","count"}`: the shape of every list.
template <class T, class WriteItem, class WriteCursor>
std::string encode_list(const std::vector<T>& items, bool has_more, std::int64_t limit, WriteItem&& write_item,
                        WriteCursor&& write_cursor) {
  JsonWriter out;
  out.begin_object();
  out.key("items");
  out.begin_array();
  for (const auto& item : items) {
    out.begin_object();
    write_item(out, item);
    out.end_object();
  }
  out.end_array();
  out.key("cursor");
  out.begin_object();
  if (!items.empty()) write_cursor(out);
  out.end_object();
  out.field("limit", limit);
  out.field("has_more", has_more);
  out.field("count", items.size());
  out.end_object();
  return std::move(out).text();
}

}  // namespace belfry::wire
