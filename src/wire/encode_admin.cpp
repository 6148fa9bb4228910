#include "belfry/wire/json.hpp"
#include "wire/encode.hpp"

namespace belfry::wire {
namespace {

/// The domain lists this many in one answer; there are no pages.
constexpr std::int64_t kMaxSanctions = 1000;

void write_grant_fields(JsonWriter& out, const domain::Grant& grant) {
  out.field("key", grant.key);
  out.field("validFrom", grant.valid_from);
  out.field("validUntil", grant.valid_until);
}

void write_grants(JsonWriter& out, std::string_view name, const std::vector<domain::Grant>& grants,
                  domain::GrantKind kind) {
  out.key(name);
  out.begin_array();
  for (const auto& grant : grants) {
    if (grant.kind != kind) continue;
    out.begin_object();
    write_grant_fields(out, grant);
    out.end_object();
  }
  out.end_array();
}

void write_sanctions(JsonWriter& out, std::string_view name, const std::vector<domain::Sanction>& sanctions,
                     domain::SanctionKind kind) {
  out.key(name);
  out.begin_array();
  for (const auto& sanction : sanctions) {
    if (sanction.kind != kind) continue;
    out.begin_object();
    // Seen from the user, the place is what tells one from another.
    out.field("channelId", sanction.channel_id);
    out.field("discussionId", sanction.thread_id);
    write_sanction_fields(out, sanction);
    out.end_object();
  }
  out.end_array();
}

}  // namespace

void write_sanction_fields(JsonWriter& out, const domain::Sanction& sanction) {
  out.field("userId", sanction.user_id);
  out.field("reason", sanction.reason);
  out.field("until", sanction.until);
  out.field("createdAt", sanction.created_at);
  out.field("adminId", sanction.admin_id);
}

std::string encode_sanction(const domain::Sanction& sanction) {
  JsonWriter out;
  out.begin_object();
  write_sanction_fields(out, sanction);
  out.end_object();
  return std::move(out).text();
}

std::string encode_sanction_list(const std::vector<domain::Sanction>& sanctions) {
  return encode_list(
      sanctions, false, kMaxSanctions,
      [](JsonWriter& out, const domain::Sanction& sanction) { write_sanction_fields(out, sanction); },
      [](JsonWriter&) {});
}

std::string encode_grant(const domain::Grant& grant) {
  JsonWriter out;
  out.begin_object();
  write_grant_fields(out, grant);
  out.end_object();
  return std::move(out).text();
}

std::string encode_user_report(const domain::UserReport& report) {
  JsonWriter out;
  out.begin_object();
  out.field("id", report.user.id);
  out.field("username", report.user.username);
  out.field("picture", report.user.picture);
  write_grants(out, "entitlements", report.grants, domain::GrantKind::kEntitlement);
  write_grants(out, "features", report.grants, domain::GrantKind::kFeature);
  out.key("joined");
  out.begin_array();
  for (const auto& membership : report.joined) out.raw(encode_membership(membership));
  out.end_array();
  write_sanctions(out, "bans", report.sanctions, domain::SanctionKind::kBan);
  write_sanctions(out, "mutes", report.sanctions, domain::SanctionKind::kMute);
  out.end_object();
  return std::move(out).text();
}

std::string encode_audit_list(const domain::Page<domain::AuditEntry>& page, std::int32_t limit) {
  return encode_list(
      page.items, page.has_more, limit,
      [](JsonWriter& out, const domain::AuditEntry& entry) {
        out.field("id", entry.id);
        out.field("at", entry.at);
        out.field("adminId", entry.admin_id);
        out.field("action", entry.action);
        out.field("entityType", entry.entity_type);
        out.field("entityId", entry.entity_id);
        out.raw_field("details", entry.details_json);
      },
      [&](JsonWriter& out) {
        if (page.has_more) out.field("next_cursor", std::to_string(page.items.back().id));
      });
}

std::string encode_ticket(std::string_view ticket, core::TimePoint expires_at) {
  JsonWriter out;
  out.begin_object();
  out.field("ticket", ticket);
  out.field("expiresAt", expires_at);
  out.end_object();
  return std::move(out).text();
}

}  // namespace belfry::wire
