#include "belfry/domain/subjects.hpp"

#include <algorithm>
#include <utility>

#include "domain/refusals.hpp"
#include "domain/writes.hpp"

namespace belfry::domain {
namespace {

using core::Error;
using core::fail;
using core::Reason;

Result<void> require_internal(UnitOfWork& work) {
  if (work.grants().internal()) return {};
  return fail(Error::conflict(Reason::kEntitlementsExternal, "Entitlements are kept by an external service."));
}

Result<void> check_interval(const Grant& grant) {
  if (!grant.valid_from || !grant.valid_until || *grant.valid_from < *grant.valid_until) return {};
  return fail(Error::invalid("validUntil", "must be after validFrom"));
}

Result<void> lock_access_log(UnitOfWork& work) { return lock_room(work, kAccessLog, Error::internal()); }

void append_access(UnitOfWork& work, const Actor& admin, UserId user, std::optional<GrantKind> kind,
                   std::optional<std::string> key) {
  EventDraft draft;
  draft.type = EventType::kAccessChanged;
  draft.payload = AccessPayload{admin.ref(), user, kind, std::move(key)};
  work.append(kAccessLog, std::move(draft));
}

void record(UnitOfWork& work, const Actor& admin, UserId user, GrantKind kind, const std::string& key,
            std::string_view verb) {
  append_access(work, admin, user, kind, key);
  std::string action = kind == GrantKind::kEntitlement ? "entitlement." : "feature.";
  audit(work, admin, action.append(verb), "user", user.value.text(), details_of({{"key", key}}));
}

}  // namespace

Result<Grant> set_grant(UnitOfWork& work, const Actor& admin, UserId user, const Grant& wanted) {
  if (auto valid = check_interval(wanted); !valid) return fail(std::move(valid.error()));
  if (auto internal = require_internal(work); !internal) return fail(std::move(internal.error()));
  if (auto locked = lock_access_log(work); !locked) return fail(std::move(locked.error()));
  const TimePoint now = work.now();
  Grant grant = wanted;
  if (!grant.valid_from) {
    // A renewal keeps the beginning of what it renews: repeating a PUT without times then changes nothing.
    const GrantQuestion question{user, grant.kind, grant.key};
    const auto present = work.grants().current(std::span(&question, 1), now);
    grant.valid_from = present.at(0) && present[0]->valid_from ? *present[0]->valid_from : now;
  }
  if (auto valid = check_interval(grant); !valid) return fail(std::move(valid.error()));
  if (work.grants().set(user, grant, work.next_seq(kAccessLog), now)) {
    record(work, admin, user, grant.kind, grant.key, "grant");
  }
  return grant;
}

Result<void> revoke_grant(UnitOfWork& work, const Actor& admin, UserId user, GrantKind kind, const std::string& key) {
  if (auto internal = require_internal(work); !internal) return internal;
  if (auto locked = lock_access_log(work); !locked) return locked;
  if (work.grants().revoke(user, kind, key, work.next_seq(kAccessLog), work.now())) {
    record(work, admin, user, kind, key, "revoke");
  }
  return {};
}

Result<void> record_access_changed(UnitOfWork& work, const Actor& admin, UserId user) {
  if (auto locked = lock_access_log(work); !locked) return locked;
  append_access(work, admin, user, std::nullopt, std::nullopt);
  audit(work, admin, "user.access-changed", "user", user.value.text());
  return {};
}

Result<UserReport> report_user(UnitOfWork& work, UserId user) {
  auto found = work.users().find(user);
  if (!found) return fail(Error::not_found("User not found."));
  UserReport report;
  report.user = std::move(*found);
  // With an external provider our own table says nothing.
  if (work.grants().internal()) report.grants = work.grants().list(user, work.now());
  report.joined = work.memberships().list(user);
  report.sanctions = work.sanctions().list_of_user(user, work.now());
  return report;
}

Result<TimePoint> issue_ticket(UnitOfWork& work, const Actor& actor, const std::string& secret_hash,
                               TimePoint session_expires_at) {
  if (actor.anonymous()) return fail(login_required());
  Ticket ticket;
  ticket.secret_hash = secret_hash;
  ticket.actor = actor;
  ticket.session_expires_at = session_expires_at;
  ticket.expires_at = std::min<TimePoint>(work.now() + kTicketLifetime, session_expires_at);
  work.tickets().insert(ticket);
  return ticket.expires_at;
}

Result<Ticket> redeem_ticket(UnitOfWork& work, const std::string& secret_hash) {
  auto ticket = work.tickets().redeem(secret_hash, work.now());
  if (!ticket) return fail(Error::unauthorized(Reason::kTokenInvalid, "The ticket is unknown, used or expired."));
  return std::move(*ticket);
}

Result<Page<AuditEntry>> list_audit(UnitOfWork& work, const AuditQuery& query) {
  return cut_page(work.audit().page(query), static_cast<std::size_t>(query.limit));
}

}  // namespace belfry::domain
