#include <limits>

#include "belfry/wire/json.hpp"
#include "wire/fields.hpp"
#include "wire/link.hpp"

namespace belfry::wire {
namespace {

using domain::Attachment;
using domain::CreatePost;
using domain::PostType;
using domain::UpdatePost;

constexpr core::TextRules kBodyRules{.min_characters = 1, .max_characters = 20000};
constexpr core::TextRules kFileNameRules{.min_characters = 1, .max_characters = 255, .single_line = true};
constexpr core::TextRules kStorageKeyRules{.min_characters = 1, .max_characters = 1024, .single_line = true};
constexpr std::size_t kMaxChartBytes = std::size_t{64} * 1024;
constexpr std::size_t kMaxAttachments = 10;
/// A JSON number that every client reads exactly.
constexpr std::int64_t kMaxSafeInteger = (std::int64_t{1} << 53) - 1;

std::optional<std::string> read_link(const Value& value, const FieldContext& at) {
  auto text = read_string(value, at);
  if (!text) return std::nullopt;
  if (is_web_link(*text)) return text;
  at.refuse("must be an absolute http or https URL with a host, of at most 2048 characters");
  return std::nullopt;
}

std::optional<std::string> read_chart(const Value& value, const FieldContext& at) {
  if (!value.is(Value::Kind::kObject)) {
    at.refuse("must be a JSON object");
    return std::nullopt;
  }
  auto text = dump(value);
  if (text.size() <= kMaxChartBytes) return text;
  at.refuse("must be at most 64 KiB of JSON");
  return std::nullopt;
}

/// A key becomes a URL path: nothing that a path normaliser would resolve.
std::optional<std::string> read_storage_key(const Value& value, const FieldContext& at) {
  auto key = read_text(value, at, kStorageKeyRules);
  if (!key) return std::nullopt;
  std::string_view rest = *key;
  while (true) {
    const auto slash = rest.find('/');
    const auto segment = rest.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") {
      at.refuse("must be a relative path without empty, '.' or '..' segments");
      return std::nullopt;
    }
    if (slash == std::string_view::npos) return key;
    rest.remove_prefix(slash + 1);
  }
}

std::optional<std::string> read_mime_type(const Value& value, const FieldContext& at) {
  if (value.is(Value::Kind::kString) && core::is_visible_ascii(value.text, 3, 127)) {
    const auto slash = value.text.find('/');
    const bool one_slash = slash != std::string::npos && value.text.find('/', slash + 1) == std::string::npos;
    if (one_slash && slash > 0 && slash + 1 < value.text.size()) return value.text;
  }
  at.refuse("must be a media type such as image/png");
  return std::nullopt;
}

constexpr Field<Attachment> kAttachment[] = {
    {"storageKey", true,
     [](Attachment& a, const Value& v, const FieldContext& at) { assign(a.storage_key, read_storage_key(v, at)); }},
    {"fileName", true,
     [](Attachment& a, const Value& v, const FieldContext& at) {
       assign(a.file_name, read_text(v, at, kFileNameRules));
     }},
    {"mimeType", true,
     [](Attachment& a, const Value& v, const FieldContext& at) { assign(a.mime_type, read_mime_type(v, at)); }},
    {"sizeBytes", true,
     [](Attachment& a, const Value& v, const FieldContext& at) {
       assign(a.size_bytes, read_integer(v, at, 0, kMaxSafeInteger));
     }},
    {"displayOrder", false,
     [](Attachment& a, const Value& v, const FieldContext& at) {
       const auto order = read_integer(v, at, 0, std::numeric_limits<std::int32_t>::max());
       if (order) a.display_order = static_cast<std::int32_t>(*order);
     }},
};

/// Null is an empty list. An attachment without `displayOrder` stands where it stands in the list.
std::optional<std::vector<Attachment>> read_attachments(const Value& value, const FieldContext& at) {
  std::vector<Attachment> attachments;
  if (value.is(Value::Kind::kNull)) return attachments;
  if (!value.is(Value::Kind::kArray) || value.items.size() > kMaxAttachments) {
    at.refuse("must be a list of at most " + std::to_string(kMaxAttachments) + " attachments");
    return std::nullopt;
  }
  for (std::size_t i = 0; i < value.items.size(); ++i) {
    const std::string name = at.name + "[" + std::to_string(i) + "]";
    if (!value.items[i].is(Value::Kind::kObject)) {
      at.issues.add(name, "must be an object");
      continue;
    }
    Attachment attachment;
    attachment.display_order = static_cast<std::int32_t>(i);
    read_fields<Attachment>(attachment, value.items[i], kAttachment, at.issues, name + ".");
    attachments.push_back(std::move(attachment));
  }
  return attachments;
}

constexpr Field<CreatePost> kCreatePost[] = {
    {"type", true,
     [](CreatePost& c, const Value& v, const FieldContext& at) { assign(c.type, read_name(v, at, kPostTypeNames)); }},
    {"bodyText", false,
     [](CreatePost& c, const Value& v, const FieldContext& at) {
       read_optional(c.body_text, v, [&] { return read_text(v, at, kBodyRules); });
     }},
    {"linkUrl", false,
     [](CreatePost& c, const Value& v, const FieldContext& at) {
       read_optional(c.link_url, v, [&] { return read_link(v, at); });
     }},
    {"chartPayloadJson", false,
     [](CreatePost& c, const Value& v, const FieldContext& at) {
       read_optional(c.chart_payload_json, v, [&] { return read_chart(v, at); });
     }},
    {"attachments", false,
     [](CreatePost& c, const Value& v, const FieldContext& at) { assign(c.attachments, read_attachments(v, at)); }},
    {"publishedAt", false,
     [](CreatePost& c, const Value& v, const FieldContext& at) {
       read_optional(c.published_at, v, [&] { return read_time(v, at); });
     }},
};

void check_create_post(const CreatePost& command, Issues& issues) {
  const auto require = [&](PostType type, bool present, const char* field) {
    if (command.type == type && !present) {
      issues.add(field, "is required for a post of type " + std::string(name_of(kPostTypeNames, type)));
    }
  };
  require(PostType::kText, command.body_text.has_value(), "bodyText");
  require(PostType::kLink, command.link_url.has_value(), "linkUrl");
  require(PostType::kChart, command.chart_payload_json.has_value(), "chartPayloadJson");
  require(PostType::kMedia, !command.attachments.empty(), "attachments");
}

constexpr Field<UpdatePost> kUpdatePost[] = {
    {"type", false,
     [](UpdatePost& c, const Value& v, const FieldContext& at) { c.type = read_name(v, at, kPostTypeNames); }},
    {"bodyText", false,
     [](UpdatePost& c, const Value& v, const FieldContext& at) {
       read_nullable(c.body_text, v, [&] { return read_text(v, at, kBodyRules); });
     }},
    {"linkUrl", false,
     [](UpdatePost& c, const Value& v, const FieldContext& at) {
       read_nullable(c.link_url, v, [&] { return read_link(v, at); });
     }},
    {"chartPayloadJson", false,
     [](UpdatePost& c, const Value& v, const FieldContext& at) {
       read_nullable(c.chart_payload_json, v, [&] { return read_chart(v, at); });
     }},
    {"attachments", false,
     [](UpdatePost& c, const Value& v, const FieldContext& at) { c.attachments = read_attachments(v, at); }},
    {"publishedAt", false,
     [](UpdatePost& c, const Value& v, const FieldContext& at) { c.published_at = read_time(v, at); }},
};

}  // namespace

Result<domain::CreatePost> decode_create_post(std::string_view body) {
  return decode_body<CreatePost>(body, kCreatePost, check_create_post);
}

Result<domain::UpdatePost> decode_update_post(std::string_view body) {
  return decode_body<UpdatePost>(body, kUpdatePost);
}

}  // namespace belfry::wire
